"""One exporter with its backend and its model, kept in step: each call that was made is told to the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from breaker_exporter import CircuitBreakerSpanExporter
from breaker_exporter._core.report import Verdict

from ..semantics._spans import spans
from ..semantics._waiting import until
from ..semantics.model import CLOSED
from ._answers import TIMEOUT
from ._backend import PACKED_SIZE, PLAIN_SIZE, Backend, EncodingExporter, PlainExporter, ids_of
from .circuit_model import Circuit
from .model import OVERRAN, Budget, Custody, Held, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from breaker_exporter._core.retention import Retention
    from breaker_exporter.testing import ManualClock

    from ._backend import Answer, Ids, Sent

MAX_AGE = 50.0
"""Seconds."""
_SPAN_SIZE = 4096
"""Bytes."""


class SteppedSender:
    """Makes a step where the test says so, in place of the thread or greenlet."""

    made: ClassVar[list[SteppedSender]] = []

    def __init__(self, name: str, step: Callable[[], float | None]) -> None:
        self.step = step
        self.can_start = True
        self.is_stopped = False
        self.made.append(self)

    def wake(self) -> bool:
        return self.can_start and not self.is_stopped

    def is_here(self) -> bool:
        return False

    def use_context(self, context: object) -> None:
        """Nothing: all of a test is one context."""

    def forget_context(self, has_nothing: object) -> None:
        """Nothing, too."""

    def run(self, call: Callable[[], bool]) -> bool:
        return call()

    def stop(self) -> None:
        self.is_stopped = True


class Side:
    """One exporter; `encodes` says which of the two."""

    def __init__(
        self, clock: ManualClock, retention: Retention, budget: Budget, *, encodes: bool, threshold: int
    ) -> None:
        self.clock = clock
        self.encodes = encodes
        self.backend = Backend(clock)
        self.inner = EncodingExporter(self.backend) if encodes else PlainExporter(self.backend)
        self.exporter = CircuitBreakerSpanExporter(
            self.inner,
            failure_threshold=threshold,
            cooldown=1.0,
            max_cooldown=4.0,
            jitter=0,
            export_timeout=TIMEOUT,
            clock=clock,
            retention=retention,
        )
        self.sender = SteppedSender.made[-1]
        circuit = Circuit(threshold, first_cooldown=1.0, max_cooldown=4.0, now=clock.now)
        self.model = Custody(circuit, budget, _size_encoded if encodes else _size_plain, MAX_AGE)
        self.seen = 0
        self.hung: list[tuple[Held, Ids, Answer]] = []
        self.out_answer: Answer | None = None
        self.hangs_at = 0.0

    def __repr__(self) -> str:
        return "encoder" if self.encodes else "plain"

    @property
    def has_live_way(self) -> bool:
        """True where ``export`` makes the call itself."""
        model = self.model
        return model.circuit.state is CLOSED and not model.held and not model.ended and not model.cut

    def export(self, batch: tuple[ReadableSpan, ...], script: Sequence[Answer], encodes: int = 1_000) -> None:
        self.backend.script = list(script)
        is_live, ids = self.has_live_way, ids_of(batch)
        if is_live:
            self.hangs_at = self.clock.now + TIMEOUT
        if isinstance(self.inner, EncodingExporter):
            self.inner.encodes = encodes
        succeeded = self.exporter.export(batch).name == "SUCCESS"
        if self.model.ended or self.model.cut:
            assert not succeeded
            return self.model.refuse(len(ids))
        held = self.model.take_in(ids, min(len(ids), encodes))
        calls = self.new_calls()
        if held is None:
            assert not succeeded
            assert not calls
            return None
        if is_live and self.model.may_call:
            assert calls, "no call was made for a live batch"
            assert calls[0].ids == held.ids
            self.model.admit(held)
            is_over = self.settle(held, calls[0])
            answer = calls.pop(0).answer
            is_delivered = answer.verdict is Verdict.DELIVERED and answer.throws is None
            expected = is_delivered or not is_over
        else:
            self.model.wait(held)
            expected = True
        self.drained(calls)
        assert succeeded is (expected and not held.is_lost)
        return None

    def step(self, script: Sequence[Answer]) -> float | None:
        """One step of the sender."""
        self.backend.script = list(script)
        wait = self.sender.step()
        self.model.step_begins()
        allowed, must = self.model.choose()
        self.model.pack()
        calls = self.new_calls()
        assert len(calls) <= 1
        if not calls:
            assert not must, f"no call was made with one of {allowed}"
            assert (wait is None) == (not self.model.held)
            assert wait is None or 0 < wait <= 1.0
            return wait
        assert calls[0].ids in [held.ids for held in allowed], f"{calls[0]} is none of {allowed}"
        held = next(held for held in allowed if held.ids == calls[0].ids)
        self.model.take(held)
        self.settle(held, calls[0])
        assert wait == 0.0
        return wait

    def drained(self, calls: Sequence[Sent]) -> None:
        """K10: what waited was sent at once, each batch once, while the circuit was closed."""
        model = self.model
        model.has_paused = False
        untried = model.new + model.kept
        for call in calls:
            assert model.circuit.state is CLOSED
            assert not model.has_paused
            untried = [held for held in untried if held.place is not Place.GONE]
            held = untried.pop(0)
            assert call.ids == held.ids
            model.take(held)
            self.settle(held, call)
        untried = [held for held in untried if held.place is not Place.GONE]
        is_over = not untried or model.circuit.state is not CLOSED or model.has_paused
        assert self.sender.wake() or is_over or not model.may_call

    def settle(self, held: Held, call: Sent) -> bool:
        """What came of a call, as far as that is known: a call may be out still."""
        self.model.circuit.now = call.at
        assert call.is_packed == (held.is_packed and self.encodes)
        answer = call.answer
        if answer.hangs_for is None:
            return self.model.settle(held, answer)
        if answer.hangs_for >= TIMEOUT:
            self.overran(held, call.ids, answer)
        else:
            self.out_answer = answer
        return False

    def overran(self, held: Held, ids: Ids, answer: Answer) -> None:
        self.hung.append((held, ids, answer))
        self.model.settle(held, OVERRAN, overran=True)

    def end_out(self) -> None:
        """The call that nobody waits for ends."""
        held, answer = self.model.out, self.out_answer
        assert held is not None
        assert answer is not None
        self.out_answer = None
        self.model.settle(held, answer)
        answer.gate.open()
        until(lambda: self.exporter.health().in_flight == 0)

    def come_late(self, which: int) -> None:
        held, ids, answer = self.hung.pop(which % len(self.hung))
        self.model.come_late(held, ids, answer)
        answer.gate.open()
        until(lambda: self.exporter.health().hung_calls == len(self.hung))

    def shut_down(self, script: Sequence[Answer]) -> None:
        self.backend.script = list(script)
        self.exporter.shutdown(timeout_millis=50)
        self.sender.can_start = False
        self.drained(self.new_calls())
        self.model.end()

    def time_passed(self) -> None:
        """The clock has moved: a call that nobody waits for may have overrun."""
        model, answer = self.model, self.out_answer
        model.circuit.now = self.clock.now
        if answer is not None and model.out is not None and self.clock.now >= self.hangs_at:
            self.exporter.health()
            self.out_answer = None
            self.overran(model.out, model.out.ids, answer)

    def check_child(self) -> None:
        """K11: in a forked child."""
        self.model = self.model.forked()
        assert not self.model.held
        self.model.assert_agrees(self.exporter.health())
        self.sender = SteppedSender.made[-1]
        self.hung, self.out_answer, self.backend.is_free = [], None, True
        self.export(spans(2), [])
        if not self.model.ended:
            self.step([])
        self.model.assert_agrees(self.exporter.health())

    def check(self) -> None:
        """Whether exporter, backend and model agree."""
        health = self.exporter.health()
        self.model.assert_agrees(health)
        assert health.exported <= len(set(self.backend.accepted))
        if isinstance(self.inner, EncodingExporter):
            assert self.inner.dropped >= health.dropped
        budget = self.model.budget
        assert sum(custody.waiting_bytes for custody in budget.exporters) <= budget.limit

    def let_all_out(self) -> None:
        self.backend.is_free = True
        for answer in [self.out_answer, *(answer for _, _, answer in self.hung)]:
            if answer is not None:
                answer.gate.open()

    def new_calls(self) -> list[Sent]:
        calls = self.backend.calls[self.seen :]
        self.seen += len(calls)
        return calls


def _size_encoded(items: int, is_packed: bool) -> int:
    return items * (PACKED_SIZE if is_packed else PLAIN_SIZE)


def _size_plain(items: int, is_packed: bool) -> int:
    return items * _SPAN_SIZE
