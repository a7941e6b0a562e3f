"""Random schedules of two exporters with one budget, against the model; the test makes the sender's steps.

They run on threads in the tests' own process and, with killed callers besides, in a patched one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from breaker_exporter._core import custody, deadline_clock, intake
from breaker_exporter._core.retention import Retention
from breaker_exporter.testing import ManualClock

from ..semantics._children import in_child
from ..semantics._spans import spans
from ..semantics.model import CLOSED, OPEN
from ._answers import ANSWER_WITHIN, FOR_ENCODER, FOR_PLAIN, answers_for, held_back
from ._side import MAX_AGE, Side, SteppedSender
from .model import REPLAYED_WITHIN, Budget

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = st.integers(1, 5)
ADVANCES = st.sampled_from([0.001, 0.25, 0.5, 1.0, 1.5, 4.0, 10.0, 60.0])
SHUTDOWN_AFTER = 30
"""Spans received before a schedule may shut down: most are to see more than their end."""


def script(data: st.DataObject, side: Side) -> Any:
    """Answers to the next calls, of which there may be none."""
    return data.draw(st.lists(answers_for(encodes=side.encodes), max_size=4))


class SteppingMachine(RuleBasedStateMachine):
    """One exporter that encodes and one that does not, two backends, and one budget."""

    few_schedules = 12

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.clock = ManualClock(1_000.0)
        self.sides: list[Side] = []
        self.forks = self.asked = 0

    @initialize(
        threshold=st.integers(1, 3),
        limit=st.sampled_from([10_000, 30_000, 100_000, 10_000_000]),
        keep=st.sampled_from(["newest", "oldest"]),
    )
    def begin(self, threshold: int, limit: int, keep: Any) -> None:
        self.patch.setattr(deadline_clock, "monotonic", self.clock)
        self.patch.setattr(custody, "Sender", SteppedSender)
        self.patch.setattr(intake, "_ANSWER_WITHIN", ANSWER_WITHIN)
        SteppedSender.made.clear()
        retention, budget = Retention(memory=limit, max_age=MAX_AGE, keep=keep), Budget(limit, keep)
        for encodes in (True, False):
            self.sides.append(Side(self.clock, retention, budget, encodes=encodes, threshold=threshold))

    def one_of(self, data: st.DataObject, allows: Callable[[Side], object]) -> Side:
        return data.draw(st.sampled_from([side for side in self.sides if allows(side)]))

    def received(self) -> int:
        return sum(side.model.received for side in self.sides)

    @rule(data=st.data(), size=SIZES)
    def export(self, data: st.DataObject, size: int) -> None:
        side = self.one_of(data, lambda side: True)
        side.export(spans(size), script(data, side))

    @rule(data=st.data(), sizes=st.lists(SIZES, max_size=6))
    def export_many(self, data: st.DataObject, sizes: list[int]) -> None:
        side = self.one_of(data, lambda side: True)
        for size in sizes:
            side.export(spans(size), [])

    @rule(data=st.data(), size=SIZES)
    def export_poison(self, data: st.DataObject, size: int) -> None:
        """K3."""
        side, batch = self.one_of(data, lambda side: True), spans(size)
        side.backend.poison.add(batch[0].context.span_id)
        side.export(batch, [])

    @rule(data=st.data(), size=SIZES, encodes=st.integers(0, 4))
    def export_what_cannot_be_encoded(self, data: st.DataObject, size: int, encodes: int) -> None:
        self.sides[0].export(spans(size), script(data, self.sides[0]), encodes)

    @precondition(lambda self: any(_can_be_slow(side) for side in self.sides))
    @rule(data=st.data(), size=SIZES)
    def export_and_wait_a_second(self, data: st.DataObject, size: int) -> None:
        """K1."""
        side = self.one_of(data, _can_be_slow)
        answers = FOR_ENCODER if side.encodes else FOR_PLAIN
        side.export(spans(size), [data.draw(held_back(ANSWER_WITHIN, answers))])

    @precondition(lambda self: any(side.out_answer for side in self.sides))
    @rule(data=st.data())
    def the_call_ends(self, data: st.DataObject) -> None:
        self.one_of(data, lambda side: side.out_answer).end_out()

    @precondition(lambda self: any(side.hung for side in self.sides))
    @rule(data=st.data(), which=st.integers(0, 3))
    def come_late(self, data: st.DataObject, which: int) -> None:
        self.one_of(data, lambda side: side.hung).come_late(which)

    @precondition(lambda self: any(_can_step(side) for side in self.sides))
    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        side = self.one_of(data, _can_step)
        side.step(script(data, side))

    @precondition(lambda self: any(_can_step(side) for side in self.sides))
    @rule(data=st.data())
    def step_until_it_rests(self, data: st.DataObject) -> None:
        side = self.one_of(data, _can_step)
        while side.step([]) == 0.0:
            self.they_agree()

    @precondition(lambda self: any(_has_work(side) for side in self.sides))
    @rule(data=st.data(), rounds=st.integers(2, 12), size=SIZES)
    def go_on(self, data: st.DataObject, rounds: int, size: int) -> None:
        """The circuit's probes, and the replay beside new batches, one after the other."""
        side = self.one_of(data, _has_work)
        answers = FOR_ENCODER if side.encodes else FOR_PLAIN
        brings_new = data.draw(st.booleans())
        for _ in range(rounds):
            circuit = side.model.circuit
            due = circuit.due_at - self.clock.now if circuit.state is OPEN else REPLAYED_WITHIN
            self.clock.advance(max(0.0, due))
            self.they_agree()
            if brings_new and side.model.held:
                side.export(spans(size), [])
            side.step([data.draw(answers)])
            self.they_agree()

    @rule(seconds=ADVANCES)
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @precondition(lambda self: any(_is_open(side) for side in self.sides))
    @rule(data=st.data())
    def the_cooldown_passes(self, data: st.DataObject) -> None:
        circuit = self.one_of(data, _is_open).model.circuit
        self.clock.advance(max(0.0, circuit.due_at - self.clock.now))

    @precondition(lambda self: any(_can_step(side) for side in self.sides))
    @rule(data=st.data())
    def no_sender_can_start(self, data: st.DataObject) -> None:
        """K14: or one can again."""
        side = self.one_of(data, _can_step)
        side.sender.can_start = not side.sender.can_start

    @precondition(lambda self: any(_flushes_at_once(side) for side in self.sides))
    @rule(data=st.data())
    def flush(self, data: st.DataObject) -> None:
        side = self.one_of(data, _flushes_at_once)
        side.backend.script = script(data, side)
        flushed = side.exporter.force_flush(timeout_millis=10)
        side.drained(side.new_calls())
        assert flushed is (not side.model.waiting)

    @precondition(lambda self: self.received() > 12 * self.forks)
    @rule(data=st.data())
    def fork(self, data: st.DataObject) -> None:
        self.forks += 1
        in_child(self.one_of(data, lambda side: True).check_child)

    @precondition(lambda self: self.received() > SHUTDOWN_AFTER and any(map(_can_step, self.sides)))
    @rule(data=st.data())
    def shut_down(self, data: st.DataObject) -> None:
        side = self.one_of(data, _can_step)
        side.shut_down(script(data, side))

    @precondition(lambda self: self.received() > SHUTDOWN_AFTER and any(map(_can_step, self.sides)))
    @rule(data=st.data())
    def run_out_of_shutdown_time(self, data: st.DataObject) -> None:
        """S4."""
        side = self.one_of(data, _can_step)
        side.exporter.begin_shutdown(0.001)
        self.clock.advance(0.001)
        side.model.cut = True

    @invariant()
    def they_agree(self) -> None:
        for side in self.sides:
            side.time_passed()
        for side in self.sides:
            side.check()

    def teardown(self) -> None:
        for side in self.sides:
            side.let_all_out()
            side.exporter.shutdown(timeout_millis=50)
        self.patch.undo()


def _can_be_slow(side: Side) -> bool:
    return side.has_live_way and side.model.may_call and side.sender.can_start


def _can_step(side: Side) -> bool:
    return side.out_answer is None and not side.model.ended


def _has_work(side: Side) -> bool:
    return _can_step(side) and bool(side.model.held)


def _is_open(side: Side) -> bool:
    return side.model.circuit.state is OPEN


def _flushes_at_once(side: Side) -> bool:
    model = side.model
    if side.out_answer or not model.may_call:
        return False
    is_open = model.circuit.state is not CLOSED and model.circuit.due_at - model.circuit.now > 0.02
    return not model.waiting or is_open or (model.circuit.state is CLOSED and not side.sender.can_start)
