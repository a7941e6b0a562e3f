"""Retention as design.md has it (K), written down a second time and without a thread.

It does not say when a batch is replayed: the machine reports each call, and the model says whether that call
was allowed, whether one was due, and what follows from it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from breaker_exporter._core.report import Cause, Verdict

from ..semantics.model import CLOSED, MOST_ABANDONED, OPEN
from ._backend import FINAL, Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from breaker_exporter import ExporterHealth

    from ._backend import Ids
    from .circuit_model import Circuit

STAYS_NEW = 1.0
"""Seconds."""
REPLAYED_WITHIN = 6.0
"""Seconds from the last call after which a replay that nothing has paused is due."""
MOST_ERRORS = 5
"""K3."""
OVERRAN = Answer(Verdict.FAILED, Cause.UNKNOWN)


class Place(enum.Enum):
    NEW, KEPT, CALL, GONE = enum.auto(), enum.auto(), enum.auto(), enum.auto()


@dataclass(eq=False)
class Held:
    """A batch in custody; the fields are those of ``Parcel``, and ``probe``: its call was one."""

    number: int
    ids: Ids
    came_at: float
    is_packed: bool
    place: Place = Place.CALL
    is_lost: bool = False
    was_kept: bool = False
    may_be_there: bool = False
    errors: int = 0
    accepted: int = -1
    probe: bool = False
    replay: bool = False


@dataclass
class Budget:
    """K6: one for all exporters of the process."""

    limit: int
    keep: str
    exporters: list[Custody] = field(default_factory=list)

    def make_room(self) -> None:
        while sum(custody.bytes() for custody in self.exporters) > self.limit:
            fullest = max(self.exporters, key=lambda custody: custody.waiting_bytes)
            if not fullest.waiting:
                return
            chosen = max if self.keep == "oldest" else min
            fullest.drop(chosen(fullest.waiting, key=lambda held: held.number))


@dataclass
class Custody:
    """The expected state of one exporter; `size` gives the bytes of a batch."""

    circuit: Circuit
    budget: Budget
    size: Callable[[int, bool], int]
    max_age: float
    held: list[Held] = field(default_factory=list)
    numbers: int = 0
    received: int = 0
    exported: int = 0
    failed: int = 0
    refused: int = 0
    dropped: int = 0
    resent: int = 0
    batches_accepted: int = 0
    calls: int = 0
    kept_before_new_at: int = -100
    passed_over: int = 0
    has_paused: bool = False
    last_call_at: float = 0.0
    paused_until: float = 0.0
    tried: list[Held] = field(default_factory=list)
    ended: bool = False
    cut: bool = False

    def __post_init__(self) -> None:
        self.budget.exporters.append(self)

    @property
    def waiting(self) -> list[Held]:
        """New and kept ones, in the order in which they came."""
        return [held for held in self.held if held.place in (Place.NEW, Place.KEPT)]

    @property
    def new(self) -> list[Held]:
        return [held for held in self.held if held.place is Place.NEW]

    @property
    def kept(self) -> list[Held]:
        return [held for held in self.held if held.place is Place.KEPT]

    @property
    def out(self) -> Held | None:
        """The batch in a call that nobody waits for."""
        return next((held for held in self.held if held.place is Place.CALL), None)

    @property
    def waiting_bytes(self) -> int:
        return sum(self.size(len(held.ids), held.is_packed) for held in self.waiting)

    def bytes(self) -> int:
        return sum(self.size(len(held.ids), held.is_packed) for held in self.held)

    @property
    def may_call(self) -> bool:
        """S4, R2: a call could be made, if the circuit lets it through."""
        return not self.cut and not self.ended and self.circuit.hung < MOST_ABANDONED

    def take_in(self, ids: Ids, encoded: int) -> Held | None:
        """K1: a batch of which so many items could be encoded."""
        self.received += len(ids)
        self.failed += len(ids) - encoded
        if not encoded:
            return None
        live = self.circuit.state is CLOSED and not self.held
        self.numbers += 1
        held = Held(self.numbers, ids[:encoded], self.circuit.now, is_packed=not live)
        self.held.append(held)
        if live:
            self.budget.make_room()
        return held

    def wait(self, held: Held) -> None:
        """No call was made with it."""
        is_new = self.circuit.state is CLOSED and not held.was_kept
        held.place = Place.NEW if is_new else Place.KEPT
        held.was_kept |= not is_new
        self.budget.make_room()

    def refuse(self, items: int) -> None:
        self.received += items
        self.refused += items

    def fail(self, items: int) -> None:
        self.received += items
        self.failed += items

    def drop(self, held: Held) -> None:
        held.is_lost = True
        self.dropped += len(held.ids)
        self.leave(held)

    def leave(self, held: Held) -> None:
        held.place = Place.GONE
        self.held.remove(held)

    def step_begins(self) -> None:
        """K2, K3: what is too old goes, what has waited for its first call is kept."""
        for held in self.kept:
            if held.came_at < self.circuit.now - self.max_age:
                self.drop(held)
        for held in self.new:
            if self.circuit.state is not CLOSED or held.came_at < self.circuit.now - STAYS_NEW:
                held.place, held.was_kept = Place.KEPT, True

    def pack(self) -> None:
        """K5."""
        for held in self.kept:
            held.is_packed = True

    def choose(self) -> tuple[list[Held], bool]:
        """K3, K4, K14: the batches one of which may be sent now, and whether one has to be."""
        if not self.may_call or not self.waiting:
            return [], False
        if self.circuit.state is not CLOSED:
            untried = [held for held in self.waiting if held not in self.tried]
            again = [held for held in self.tried if held in self.waiting]
            return (untried[-1:] or again[:1], True) if self.circuit.due else ([], False)
        if not self.new:
            return self.kept[:1], self.is_replay_due
        if self.passed_over > 3:
            return self.kept[:1], True
        is_fourth = self.calls - self.kept_before_new_at >= 3
        return self.new[:1] + (self.kept[:1] if is_fourth else []), True

    @property
    def is_replay_due(self) -> bool:
        """K4: it cannot be put off any longer."""
        return self.circuit.now >= max(self.last_call_at + REPLAYED_WITHIN, self.paused_until)

    def take(self, held: Held) -> None:
        """A call is made with it."""
        if held.place is Place.KEPT and self.new:
            self.kept_before_new_at = self.calls + 1
        is_passed_over = held.place is Place.NEW and self.kept and self.is_replay_due
        self.passed_over = self.passed_over + 1 if is_passed_over else 0
        self.admit(held)
        held.place = Place.CALL

    def admit(self, held: Held) -> None:
        held.replay, held.probe = held.was_kept, self.circuit.state is OPEN
        if held.probe:
            self.circuit.probe()

    def settle(self, held: Held, answer: Answer, *, overran: bool = False) -> bool:
        """K2, K3, K4, K12: what comes of its call; true where all of it has an end."""
        answer = OVERRAN if overran or answer.throws is not None else answer
        self.resent += len(held.ids) if held.may_be_there else 0
        accepted, lost, left = answer.split(held.ids)
        told = answer.verdict
        self.has_paused = False
        self.calls += 1
        comes_back = left and answer.verdict not in FINAL
        if comes_back and answer.cause in (Cause.UNKNOWN, Cause.UNANSWERED, Cause.GATEWAY):
            held.may_be_there = True
        is_error = answer.verdict is Verdict.FAILED and answer.cause is Cause.ANSWERED
        if comes_back and is_error and self._is_at_fault(held):
            lost, left, told = lost + left, (), Verdict.UNSENT
        elif comes_back and answer.cause is Cause.BUSY and held.replay and not held.probe:
            told, self.has_paused = Verdict.UNSENT, True
            asked = min(answer.retry_after or 0.0, self.circuit.max_cooldown)
            pause = asked or max(self.circuit.cooldown, self.circuit.asked)
            self.paused_until = max(self.paused_until, self.circuit.now + pause)
        self.exported += len(accepted)
        self.failed += len(lost)
        self.batches_accepted += answer.verdict is Verdict.DELIVERED
        self.last_call_at = self.circuit.now
        if overran:
            self.circuit.overrun()
        else:
            self.circuit.learn(told, answer.retry_after, probe=held.probe)
        self.tried = [other for other in self.tried if other is not held] if held.probe else []
        if held.probe and left:
            self.tried.append(held)
        if left:
            if len(left) < len(held.ids):
                held.is_packed = False
            held.ids, held.place, held.was_kept = left, Place.KEPT, True
            self.held.sort(key=lambda held: held.number)
            self.budget.make_room()
        else:
            self.leave(held)
        return not left

    def come_late(self, held: Held, ids: Ids, answer: Answer) -> None:
        """K2: a call with these items that was given up has ended."""
        self.circuit.come_late()
        _, lost, left = answer.split(ids)
        succeeded = answer.throws is None and answer.verdict is Verdict.DELIVERED and not left
        # An answer about more than what waits says nothing of that, unless all of it was accepted.
        if succeeded and (held.ids == ids or not lost) and held.place in (Place.NEW, Place.KEPT):
            self.failed += len(lost)
            self.exported += len(held.ids) - len(lost)
            self.leave(held)

    def end(self) -> None:
        """K10."""
        self.ended = True
        for held in list(self.held):
            self.drop(held)

    def forked(self) -> Custody:
        """K11, R5."""
        circuit, budget = cast("Circuit", self.circuit.forked()), Budget(self.budget.limit, self.budget.keep)
        return Custody(circuit, budget, self.size, self.max_age, ended=self.ended, cut=self.cut)

    def assert_agrees(self, health: ExporterHealth) -> None:
        """Fail where `health` differs from this model."""
        ended = (health.exported, health.failed, health.refused, health.dropped)
        assert health.received == sum(ended) + health.retained + health.in_flight, health
        retained = sum(len(held.ids) for held in self.waiting)
        expected = (self.exported, self.failed, self.refused, self.dropped)
        assert (health.received, *ended) == (self.received, *expected), f"{health} {expected} {self.held}"
        assert (health.retained, health.retained_bytes) == (retained, self.waiting_bytes), health
        assert (health.resent, health.oldest_at is None) == (self.resent, not self.waiting), health
        circuit = self.circuit
        assert (health.state, health.consecutive_failures) == (circuit.state, circuit.failures), health
        assert (health.opened, health.hung_calls) == (circuit.opened, circuit.hung), health
        assert health.cooldown == max(circuit.cooldown, circuit.asked), health
        if circuit.state is OPEN:
            assert health.retry_in is not None, health
            assert abs(health.retry_in - max(0.0, circuit.due_at - circuit.now)) < 1e-6, health

    def _is_at_fault(self, held: Held) -> bool:
        is_last_hope = held.probe and all(other in self.tried for other in self.waiting)
        if is_last_hope or held.accepted != self.batches_accepted:
            held.errors += 1
            held.accepted = self.batches_accepted
        return held.errors >= MOST_ERRORS
