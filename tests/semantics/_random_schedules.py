"""Random schedules against the model: one export at a time with hung calls, and many callers at once.

They run on threads in the tests' own process and, with cancelled callers besides, in a patched one.
"""

from __future__ import annotations

import os
import random
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from opentelemetry.sdk.metrics.export import MetricExportResult

from breaker_exporter import CircuitBreakerSpanExporter
from breaker_exporter._core import deadline_clock
from breaker_exporter.testing import ManualClock, ScriptedExporter

from ._children import in_child
from ._exporters import FAILURE, SUCCESS, Gated
from ._spans import spans
from ._waiting import Gate, start, until
from .model import OPEN, Model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExportResult

    from breaker_exporter import CircuitState, CircuitTransition

SCHEDULES = "BREAKER_EXPORTER_SCHEDULES"
"""Environment variable: how many random schedules a run of the four machines tries, all in all."""

SEED = "BREAKER_EXPORTER_SEED"
"""Environment variable: a number that stands for all the choices of a run."""

TIMEOUT = 0.01
"""The export_timeout, in seconds of the deadlines' clock, which rules move. A waiting caller looks at that
clock as often as this, in real seconds."""

SHUTDOWN_AFTER = 20
"""Spans received before a schedule may shut down: most are to see more than their end."""

FAILURES: list[object] = [
    FAILURE,
    None,
    True,
    "SUCCESS",
    MetricExportResult.SUCCESS,
    RuntimeError,
    SystemExit,
    KeyboardInterrupt,
    GeneratorExit,
]
SIZES = st.integers(1, 5)
ADVANCES = st.sampled_from([0.25, 0.5, 1.0, 2.0, 4.0, 100.0])


def try_schedules(machine: type[RuleBasedStateMachine]) -> None:
    """Run random schedules; the seed of those that fail is printed, and brings them back.

    Where the environment gives a number, a quarter of it, new ones each time; else a few, the same each
    time.
    """
    asked = os.environ.get(SCHEDULES)
    few: int = machine.few_schedules  # type: ignore[attr-defined]
    number = int(os.environ.get(SEED) or (random.randrange(1 << 32) if asked else 12))
    try:
        run_state_machine_as_test(
            seed(number)(machine),
            settings=settings(
                max_examples=max(1, int(asked) // 4) if asked else few,
                stateful_step_count=30,
                database=None,
                deadline=None,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
    except BaseException:
        sys.stderr.write(f"{SEED}={number} brings these schedules back\n")
        raise


class _Machine(RuleBasedStateMachine):
    """Common to both machines: an exporter, its model, and one clock for the two."""

    export_timeout: float
    few_schedules: int

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(1_000.0)
        self.model = Model(threshold=1, first_cooldown=1.0, max_cooldown=4.0)
        self.changes: list[tuple[CircuitState, CircuitState]] = []
        self.forks = 0
        self.asked = 0
        # A call overruns only where a rule moves this clock, however slow the machine is.
        self.deadlines = ManualClock()
        self.real_time, deadline_clock.monotonic = deadline_clock.monotonic, self.deadlines

    def make(self, inner: ScriptedExporter, threshold: int) -> None:
        self.model.threshold = threshold
        self.model.now = self.clock.now
        self.exporter = CircuitBreakerSpanExporter(
            inner,
            failure_threshold=threshold,
            cooldown=1.0,
            max_cooldown=4.0,
            jitter=0,
            export_timeout=self.export_timeout,
            listeners=[self.listen],
            clock=self.clock,
        )

    def listen(self, change: CircuitTransition) -> None:
        self.changes.append((change.old, change.new))

    @rule(seconds=ADVANCES)
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.model.now = self.clock.now

    @precondition(lambda self: self.model.state is OPEN and not self.model.due)
    @rule()
    def the_cooldown_passes(self) -> None:
        self.clock.advance(self.model.due_at - self.model.now)
        self.model.now = self.clock.now

    @precondition(lambda self: self.model.received > 10 * self.asked)
    @rule(what=st.sampled_from(["no length", "no spans", "shutdown in ten minutes"]))
    def ask_for_nothing(self, what: str) -> None:
        """C11, S4."""
        self.asked += 1
        if what == "no length":
            batch = cast("Sequence[ReadableSpan]", iter(()))
            assert self.exporter.export(batch) is FAILURE
        elif what == "no spans":
            assert self.model.ended or self.exporter.export(()) is SUCCESS
        else:
            self.exporter.begin_shutdown(600.0)

    @precondition(lambda self: not self.model.admits)
    @rule(size=SIZES)
    def be_refused(self, size: int) -> None:
        assert self.exporter.export(spans(size)) is FAILURE
        self.model.refuse(size)

    @precondition(lambda self: self.model.received > 10 * self.forks)
    @rule(size=SIZES)
    def fork(self, size: int) -> None:
        self.forks += 1
        child = self.model.forked()

        def check() -> None:
            child.assert_agrees(self.exporter.health())
            self.free_everything()
            answer = self.exporter.export(spans(size))
            if child.admits:
                assert answer is SUCCESS, self.exporter.health()
                child.admit(size)
                child.account(size, success=True)
                child.settle(success=True)
            else:
                assert answer is FAILURE, self.exporter.health()
                child.refuse(size)
            child.assert_agrees(self.exporter.health())

        in_child(check)

    @invariant()
    def they_agree(self) -> None:
        if hasattr(self, "exporter"):
            self.model.assert_agrees(self.exporter.health())
            assert self.exporter.state is self.model.state

    def free_everything(self) -> None:
        """End all calls of the wrapped exporter with success, those to come as well."""
        raise NotImplementedError

    def teardown(self) -> None:
        deadline_clock.monotonic = self.real_time


@dataclass
class Hang:
    """A call that comes back once `gate` is open; it is out for `seconds` at least."""

    gate: Gate
    seconds: float


class HangingMachine(_Machine):
    """One caller; the wrapped exporter succeeds, fails, lies, raises, hangs, and ends its hung calls late."""

    export_timeout = TIMEOUT
    few_schedules = 12

    @initialize(threshold=st.integers(1, 3), patience=st.sampled_from([1, 2, 4, 4]))
    def begin(self, threshold: int, patience: int) -> None:
        self.patience = patience  # so many calls hang before the first comes back: four block the next probe
        self.next: object = SUCCESS
        self.stuck: list[Gate] = []
        self.free = False
        self.overlaps = 0
        self.inner = ScriptedExporter(default=self.answer)
        self.make(self.inner, threshold)

    def answer(self, batch: Sequence[ReadableSpan]) -> object:
        outcome = self.next
        inside = sum(call.ended is None for call in self.inner.calls)
        self.overlaps += inside - 1 > len(self.stuck)
        if self.free:
            return SUCCESS
        if isinstance(outcome, Hang):
            self.deadlines.advance(outcome.seconds)
            assert outcome.gate.wait()
            return SUCCESS
        if isinstance(outcome, type):
            raise outcome
        return outcome

    @precondition(lambda self: self.model.admits)
    @rule(size=SIZES)
    def succeed(self, size: int) -> None:
        self.export(size, SUCCESS)

    @precondition(lambda self: self.model.admits)
    @rule(size=SIZES, outcome=st.sampled_from(FAILURES))
    def fail(self, size: int, outcome: object) -> None:
        self.export(size, outcome)

    def export(self, size: int, outcome: object) -> None:
        self.next = outcome
        batch = spans(size)
        calls = len(self.inner.calls)
        success = outcome is SUCCESS
        assert self.exporter.export(batch) is (SUCCESS if success else FAILURE)
        assert len(self.inner.calls) == calls + 1
        assert self.inner.calls[-1].spans == batch
        self.model.admit(size)
        self.model.account(size, success=success)
        self.model.settle(success=success)

    @precondition(lambda self: self.model.admits)
    @rule(size=SIZES)
    def hang(self, size: int) -> None:
        gate = Gate()
        self.next = Hang(gate, TIMEOUT)
        assert self.exporter.export(spans(size)) is FAILURE
        self.stuck.append(gate)
        self.model.admit(size)
        self.model.account(size, success=False)
        self.model.overrun()

    @precondition(lambda self: self.stuck and self.model.state is OPEN)
    @rule(size=SIZES)
    def hang_again(self, size: int) -> None:
        """R2: up to four abandoned threads, past which the probe that is due is blocked."""
        self.clock.advance(100.0)
        self.model.now = self.clock.now
        if self.model.admits:
            self.hang(size)

    @precondition(lambda self: len(self.stuck) >= self.patience)
    @rule(which=st.integers(0, 3))
    def come_late(self, which: int) -> None:
        self.stuck.pop(which % len(self.stuck)).open()
        self.model.come_late()
        until(lambda: self.exporter.health().hung_calls == self.model.hung)

    @precondition(lambda self: self.model.received > SHUTDOWN_AFTER)
    @rule()
    def shut_down(self) -> None:
        self.exporter.shutdown(timeout_millis=50)
        self.model.ended = True

    @precondition(lambda self: self.model.received > SHUTDOWN_AFTER and not self.model.ended)
    @rule()
    def run_out_of_shutdown_time(self) -> None:
        self.exporter.begin_shutdown(0.001)
        self.deadlines.advance(0.001)
        self.model.ended = True

    @invariant()
    def listeners_saw_it_and_nothing_overlapped(self) -> None:
        if hasattr(self, "inner"):
            assert self.changes == self.model.changes
            assert self.overlaps == 0

    def free_everything(self) -> None:
        self.free = True
        for gate in self.stuck:
            gate.open()

    def teardown(self) -> None:
        if hasattr(self, "exporter"):
            self.free_everything()
            self.exporter.shutdown(timeout_millis=50)
        super().teardown()


class _Held:
    """One export that has been started and not ended."""

    def __init__(self, batch: tuple[ReadableSpan, ...], caller: Any) -> None:
        self.batch = batch
        self.size = len(batch)
        self.caller = caller
        self.number = -1


class QueueingMachine(_Machine):
    """Many callers; the wrapped exporter keeps each call until the schedule lets it out."""

    export_timeout = 120.0
    few_schedules = 30

    @initialize(threshold=st.integers(1, 3))
    def begin(self, threshold: int) -> None:
        self.inner = Gated(calls=60)
        self.out: _Held | None = None
        self.waiting: list[_Held] = []
        self.make(self.inner, threshold)

    def start(self, call: Callable[[], SpanExportResult]) -> Any:
        return start(call)

    def answer(self, caller: Any) -> SpanExportResult:
        future = cast("Future[SpanExportResult]", caller)
        return future.result(timeout=20)

    @precondition(lambda self: self.model.admits and len(self.waiting) < 4)
    @rule(size=SIZES)
    def export(self, size: int) -> None:
        batch = spans(size)
        held = _Held(batch, self.start(lambda: self.exporter.export(batch)))
        self.model.admit(size)
        if self.out is None:
            self.goes_in(held)
        else:
            self.waiting.append(held)
        until(lambda: self.exporter.health().in_flight == self.model.in_flight)

    @precondition(lambda self: self.out is not None)
    @rule()
    def the_call_succeeds(self) -> None:
        self.end_the_call(SUCCESS)

    @precondition(lambda self: self.out is not None)
    @rule(outcome=st.sampled_from(FAILURES))
    def the_call_fails(self, outcome: object) -> None:
        self.end_the_call(outcome)

    def end_the_call(self, outcome: object) -> None:
        held, self.out = cast("_Held", self.out), None
        success = outcome is SUCCESS
        before = self.model.state
        self.model.settle(success=success)
        self.inner.let_out(held.number, outcome() if isinstance(outcome, type) else outcome)
        if held.caller is not None:
            assert self.answer(held.caller) is (SUCCESS if success else FAILURE)
            self.model.account(held.size, success=success)
        until(lambda: self.inner.calls[held.number].ended is not None)
        if self.model.state is OPEN and before is not OPEN:
            for other in self.waiting:
                assert self.answer(other.caller) is FAILURE
                self.model.refuse_waiting(other.size)
            self.waiting.clear()
        if self.waiting:
            self.next_goes_in()
        until(lambda: self.exporter.state is self.model.state)
        until(lambda: self.exporter.health().consecutive_failures == self.model.failures)

    @precondition(lambda self: self.out is None and self.model.received > SHUTDOWN_AFTER)
    @rule()
    def shut_down(self) -> None:
        self.exporter.shutdown(timeout_millis=5_000)
        self.model.ended = True

    @precondition(lambda self: self.out is not None and self.out.caller is not None)
    @precondition(lambda self: self.model.received > SHUTDOWN_AFTER)
    @rule()
    def run_out_of_shutdown_time(self) -> None:
        """S4: the caller of the call leaves with FAILURE, those that wait are refused."""
        self.exporter.begin_shutdown(0.001)
        self.deadlines.advance(0.001)
        held = cast("_Held", self.out)
        assert self.answer(held.caller) is FAILURE
        self.model.cancel(held.size)
        held.caller = None
        for other in self.waiting:
            assert self.answer(other.caller) is FAILURE
            self.model.refuse_waiting(other.size)
        self.waiting.clear()
        self.model.ended = True

    @invariant()
    def nothing_overlaps(self) -> None:
        if hasattr(self, "inner"):
            assert self.inner.max_concurrency <= 1
            assert (self.out is not None) == any(call.ended is None for call in self.inner.calls)

    def goes_in(self, held: _Held) -> None:
        until(lambda: any(call.spans == held.batch for call in self.inner.calls))
        held.number = [call.spans for call in self.inner.calls].index(held.batch)
        self.inner.entered(held.number + 1)
        self.out = held

    def next_goes_in(self) -> None:
        """Which caller gets the turn is not promised; that one gets it is."""
        batches = [held.batch for held in self.waiting]
        until(lambda: self.inner.calls[-1].spans in batches)
        self.goes_in(self.waiting.pop(batches.index(self.inner.calls[-1].spans)))

    def free_everything(self) -> None:
        self.inner.let_all_out()

    def teardown(self) -> None:
        if hasattr(self, "exporter"):
            self.free_everything()
            for held in [*([self.out] if self.out else []), *self.waiting]:
                if held.caller is not None:
                    self.answer(held.caller)
            self.exporter.shutdown(timeout_millis=5_000)
        super().teardown()
