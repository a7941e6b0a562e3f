"""Shutdown and flush of an exporter: S1-S6."""

from __future__ import annotations

import inspect
import logging
import os
import threading
import time
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState
from breaker_exporter.testing import ScriptedExporter, fail, succeed, take

from ._exporters import FAILURE, SUCCESS, Gated
from ._spans import spans
from ._waiting import start, until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExportResult

    from breaker_exporter.testing import ManualClock


class _Backoff(SpanExporter):
    """Waits in a retry backoff until its shutdown ends that, as the official exporters do."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.entered = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.entered.set()
        self.ended.wait()
        return FAILURE

    def shutdown(self) -> None:
        self.ended.set()


class _TakesTimeout(ScriptedExporter):
    def __init__(self) -> None:
        super().__init__()
        self.budgets: list[float] = []

    def shutdown(self, timeout_millis: float = 30_000) -> None:
        self.budgets.append(timeout_millis)


class _TakesKeywordTimeout(_TakesTimeout):
    def shutdown(self, *, timeout_millis: float = 30_000) -> None:  # type: ignore[override]
        self.budgets.append(timeout_millis)


def test_shutdown_reaches_the_wrapped_exporter_once(clock: ManualClock) -> None:
    """S1."""
    inner = ScriptedExporter()
    exporter = CircuitBreakerSpanExporter(inner, clock=clock)

    for _ in range(3):
        exporter.shutdown()

    assert inner.shutdown_calls == 1


def test_after_shutdown_every_export_is_refused(clock: ManualClock) -> None:
    """S3."""
    inner = ScriptedExporter()
    exporter = CircuitBreakerSpanExporter(inner, clock=clock)
    exporter.export(spans(1))
    exporter.shutdown()

    assert exporter.export(spans(2)) is FAILURE

    health = exporter.health()
    assert (health.received, health.exported, health.refused) == (3, 1, 2)
    assert len(inner.calls) == 1


def test_shutdown_of_an_open_circuit_is_the_same(clock: ManualClock) -> None:
    """S1, S3: and a probe that falls due afterwards is refused."""
    inner = ScriptedExporter([fail])
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, cooldown=10, clock=clock)
    exporter.export(spans(1))
    exporter.shutdown()
    clock.advance(10)

    assert exporter.export(spans(1)) is FAILURE

    assert inner.shutdown_calls == 1
    assert len(inner.calls) == 1
    assert exporter.state is CircuitState.OPEN


@pytest.mark.parametrize("error", [RuntimeError("no"), SystemExit(1), KeyboardInterrupt(), GeneratorExit()])
def test_a_shutdown_that_raises_inside_raises_nothing_outside(
    clock: ManualClock, error: BaseException
) -> None:
    """P1, S1."""
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(on_shutdown=error), clock=clock)

    exporter.shutdown()

    assert exporter.export(spans(1)) is FAILURE


def test_a_shutdown_that_raised_inside_is_told_to_the_first_who_asked_for_it_alone(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """S6: the second one is told nothing."""
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(on_shutdown=RuntimeError("no")), clock=clock)
    with caplog.at_level(logging.WARNING, logger="breaker_exporter"):
        exporter.shutdown()
        exporter.shutdown()

    assert len([record for record in caplog.records if "shutdown" in record.getMessage()]) == 1


def test_a_shutdown_that_hangs_inside_is_left_behind_in_time(clock: ManualClock) -> None:
    """S1."""
    stuck = Gated()
    inner = ScriptedExporter(on_shutdown=lambda _: stuck.export(()))
    exporter = CircuitBreakerSpanExporter(inner, clock=clock)

    ending = start(lambda: exporter.shutdown(timeout_millis=200))

    ending.result(timeout=15)
    stuck.entered(1)
    stuck.let_all_out()


def test_the_wrapped_shutdown_runs_off_the_callers_thread(clock: ManualClock) -> None:
    """S1."""
    seen: list[threading.Thread] = []
    inner = ScriptedExporter(on_shutdown=lambda _: seen.append(threading.current_thread()))

    CircuitBreakerSpanExporter(inner, clock=clock).shutdown()

    assert seen[0] is not threading.current_thread()
    assert seen[0].daemon


@pytest.mark.parametrize("kind", [_TakesTimeout, _TakesKeywordTimeout])
def test_the_budget_is_passed_on_where_the_wrapped_shutdown_takes_it(
    clock: ManualClock, kind: type[_TakesTimeout]
) -> None:
    """S1."""
    inner = kind()

    CircuitBreakerSpanExporter(inner, clock=clock).shutdown(timeout_millis=5_000)

    assert len(inner.budgets) == 1
    assert 0 < inner.budgets[0] <= 5_000


def test_the_wrapped_shutdown_gets_what_is_left_of_begin_shutdowns_budget(clock: ManualClock) -> None:
    """S1, S4."""
    inner = _TakesTimeout()
    exporter = CircuitBreakerSpanExporter(inner, clock=clock)
    exporter.begin_shutdown(3.0)
    exporter.begin_shutdown(20.0)

    exporter.shutdown(timeout_millis=30_000)

    assert 0 < inner.budgets[0] <= 3_000


def test_the_processor_finds_timeout_millis_in_our_signature(clock: ManualClock) -> None:
    """S4."""
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(), clock=clock)

    assert "timeout_millis" in inspect.getfullargspec(exporter.shutdown).args
    assert inspect.signature(exporter.shutdown).parameters["timeout_millis"].default == 30_000
    assert inspect.signature(exporter.force_flush).parameters["timeout_millis"].default == 30_000
    exporter.shutdown(100)


@pytest.mark.parametrize("budget", [0, -5, 1e18, float("inf"), float("nan")])
def test_no_budget_makes_shutdown_or_flush_raise(clock: ManualClock, budget: float) -> None:
    """P1: the processor passes on what it has computed."""
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(), clock=clock)

    assert start(lambda: exporter.force_flush(budget)).result(timeout=15) in (True, False)
    start(lambda: exporter.shutdown(budget)).result(timeout=15)

    assert exporter.export(spans(1)) is FAILURE


def test_shutdown_enters_the_wrapped_exporter_beside_an_export_and_ends_it(clock: ManualClock) -> None:
    """R2, S5: that is what ends a retry backoff."""
    inner = _Backoff()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=60, clock=clock)
    exporting = start(lambda: exporter.export(spans(2)))
    assert inner.entered.wait(20)

    start(lambda: exporter.shutdown(timeout_millis=2_000)).result(timeout=20)

    assert inner.ended.is_set()
    assert exporting.result(timeout=20) is FAILURE
    health = exporter.health()
    assert (health.failed, health.in_flight, health.hung_calls) == (2, 0, 0)


def test_those_that_wait_for_their_turn_when_shutdown_comes_are_refused(clock: ManualClock) -> None:
    """S1: it ends admission."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=60, clock=clock)
    first = start(lambda: exporter.export(spans(2)))
    inner.entered(1)
    waiting = [start(lambda: exporter.export(spans(3))) for _ in range(3)]
    until(lambda: exporter.health().in_flight == 11)

    start(lambda: exporter.shutdown(timeout_millis=500)).result(timeout=20)

    assert [call.result(timeout=20) for call in waiting] == [FAILURE] * 3
    assert exporter.health().refused == 9
    inner.let_all_out()
    assert first.result(timeout=20) in (SUCCESS, FAILURE)
    assert len(inner.calls) == 1
    assert exporter.health().in_flight == 0


def test_shutdown_with_a_hung_call_outstanding_returns_in_time(
    clock: ManualClock, deadlines: ManualClock
) -> None:
    """S1, S5."""
    inner = Gated(when_stuck=lambda: deadlines.advance(0.02))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.02, clock=clock)
    exporter.export(spans(1))

    start(lambda: exporter.shutdown(timeout_millis=5_000)).result(timeout=20)

    assert inner.shutdown_calls == 1
    inner.let_all_out()
    until(lambda: not inner.threads[0].is_alive())


def test_the_idle_thread_ends_with_shutdown(clock: ManualClock) -> None:
    """S5: leave nothing to join."""
    seen: list[threading.Thread] = []
    inner = ScriptedExporter(default=lambda _: seen.append(threading.current_thread()))
    exporter = CircuitBreakerSpanExporter(inner, clock=clock)
    exporter.export(spans(1))

    exporter.shutdown()

    until(lambda: not seen[0].is_alive())


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (succeed, True),
        (fail, False),
        (lambda _: None, True),
        (lambda _: 0, False),
        (RuntimeError("no"), False),
        (SystemExit(1), False),
    ],
    ids=["true", "false", "none", "zero", "raises", "raises SystemExit"],
)
def test_force_flush_is_forwarded(clock: ManualClock, answer: object, seen: bool) -> None:
    """S2."""
    inner = ScriptedExporter(on_flush=answer)  # type: ignore[arg-type]
    exporter = CircuitBreakerSpanExporter(inner, clock=clock)

    assert exporter.force_flush() is seen

    assert inner.flush_calls == 1


def test_force_flush_is_false_when_it_is_late(clock: ManualClock) -> None:
    """S2."""
    stuck = Gated()
    inner = ScriptedExporter(on_flush=lambda _: stuck.export(()))
    exporter = CircuitBreakerSpanExporter(inner, clock=clock)

    flushing = start(lambda: exporter.force_flush(timeout_millis=100))

    assert flushing.result(timeout=15) is False
    stuck.let_all_out()
    assert exporter.export(spans(1)) is SUCCESS


def test_a_flush_beside_an_export_that_hangs_is_false_in_time(clock: ManualClock) -> None:
    """S2."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=60, clock=clock)
    exporting = start(lambda: exporter.export(spans(1)))
    inner.entered(1)

    flushing = start(lambda: exporter.force_flush(timeout_millis=100))

    assert flushing.result(timeout=15) is False
    assert not exporting.done()
    inner.let_all_out()
    assert exporting.result(timeout=20) is SUCCESS


def test_a_flush_waits_for_the_export_that_is_out(clock: ManualClock) -> None:
    """S2: OpenTelemetry asks that exports from before a flush are completed."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=60, clock=clock)
    exporting = start(lambda: exporter.export(spans(1)))
    inner.entered(1)
    flushing = start(exporter.force_flush)
    inner.let_all_out()

    assert flushing.result(timeout=20) is True
    assert exporting.result(timeout=20) is SUCCESS


def test_twenty_threads_that_shut_down_at_once_reach_the_wrapped_exporter_once(clock: ManualClock) -> None:
    """S1, S6."""
    inner = ScriptedExporter()
    exporter = CircuitBreakerSpanExporter(inner, clock=clock)
    exporter.export(spans(1))

    for ending in [start(exporter.shutdown) for _ in range(20)]:
        ending.result(timeout=20)

    assert inner.shutdown_calls == 1


def test_a_flush_that_hangs_keeps_exports_waiting_no_longer_than_an_export_would(
    clock: ManualClock, deadlines: ManualClock
) -> None:
    """P5, S2, R2: past export_timeout it is hung, and the next export has a fresh thread."""
    stuck = Gated(when_stuck=lambda: deadlines.advance(0.05))
    inner = ScriptedExporter(on_flush=lambda _: stuck.export(()))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.5, clock=clock)
    assert exporter.force_flush(timeout_millis=50) is False
    waiting = start(lambda: exporter.export(spans(1)))
    until(lambda: exporter.health().in_flight == 1)
    deadlines.advance(0.45)

    assert waiting.result(timeout=20) is SUCCESS

    assert exporter.state is CircuitState.CLOSED
    stuck.let_all_out()


def test_an_exporter_without_force_flush_can_be_flushed(clock: ManualClock) -> None:
    """S2: an exporter of an old contract, or one that only looks like one."""

    class Bare:
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return SUCCESS

    exporter = CircuitBreakerSpanExporter(Bare(), clock=clock)  # type: ignore[call-overload]

    assert exporter.export(spans(1)) is SUCCESS
    assert exporter.force_flush() is True
    exporter.shutdown()


def test_begin_shutdown_is_one_deadline_for_a_call_in_flight_and_later_exports(
    clock: ManualClock, deadlines: ManualClock
) -> None:
    """S4: later exports pass while there is time, then are refused."""
    inner = Gated()
    inner.gates[0].open()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=60, clock=clock)
    exporter.begin_shutdown(0.05)
    assert exporter.export(spans(1)) is SUCCESS

    in_call = start(lambda: exporter.export(spans(2)))
    inner.entered(2)
    queued = start(lambda: exporter.export(spans(3)))
    until(lambda: exporter.health().in_flight == 5)
    deadlines.advance(0.046)  # a tenth is kept for what ends the call

    assert in_call.result(timeout=20) is FAILURE
    assert queued.result(timeout=20) is FAILURE
    assert exporter.export(spans(4)) is FAILURE
    health = exporter.health()
    assert (health.exported, health.failed, health.refused, health.in_flight) == (1, 2, 7, 0)
    inner.let_all_out()


def test_begin_shutdown_cuts_a_call_that_was_already_in_flight(clock: ManualClock) -> None:
    """S4: for what is in flight, too."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=60, clock=clock)
    in_call = start(lambda: exporter.export(spans(2)))
    inner.entered(1)
    queued = start(lambda: exporter.export(spans(3)))
    until(lambda: exporter.health().in_flight == 5)

    exporter.begin_shutdown(0.1)

    assert in_call.result(timeout=20) is FAILURE
    assert queued.result(timeout=20) is FAILURE
    assert (exporter.health().failed, exporter.health().refused) == (2, 3)
    inner.let_all_out()


def test_begin_shutdown_bounds_flush_and_shutdown_together(clock: ManualClock) -> None:
    """S4."""
    stuck = Gated()
    inner = ScriptedExporter(on_flush=lambda _: stuck.export(()), on_shutdown=lambda _: stuck.export(()))
    exporter = CircuitBreakerSpanExporter(inner, clock=clock)

    def end() -> tuple[bool, float]:
        began = time.monotonic()
        exporter.begin_shutdown(0.3)
        flushed = exporter.force_flush()
        exporter.shutdown()
        return flushed, time.monotonic() - began

    flushed, took = start(end).result(timeout=20)

    assert flushed is False
    assert took < 10, "the two budgets of 30 s do not count any more"
    stuck.let_all_out()


def test_begin_shutdown_twice_never_gives_more_time(clock: ManualClock) -> None:
    """S4: one deadline."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=60, clock=clock)
    exporter.begin_shutdown(0.2)
    exporter.begin_shutdown(60.0)

    assert start(lambda: exporter.export(spans(1))).result(timeout=20) is FAILURE
    inner.let_all_out()


def test_begin_shutdown_after_shutdown_changes_nothing(clock: ManualClock) -> None:
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(), clock=clock)
    exporter.shutdown()

    exporter.begin_shutdown(5.0)

    assert exporter.export(spans(1)) is FAILURE


def test_a_second_shutdown_waits_for_the_first_within_its_own_budget(clock: ManualClock) -> None:
    """S6."""
    stuck = Gated()
    inner = ScriptedExporter(on_shutdown=lambda _: stuck.export(()))
    exporter = CircuitBreakerSpanExporter(inner, clock=clock)
    first = start(lambda: exporter.shutdown(timeout_millis=60_000))
    stuck.entered(1)

    start(lambda: exporter.shutdown(timeout_millis=100)).result(timeout=15)
    assert not first.done()

    patient = start(lambda: exporter.shutdown(timeout_millis=60_000))
    stuck.let_all_out()
    patient.result(timeout=20)
    first.result(timeout=20)
    assert inner.shutdown_calls == 1


def test_four_exporters_shut_down_side_by_side_share_no_time(clock: ManualClock) -> None:
    """S6: a dead one must not eat a healthy one's time."""
    stuck = Gated()
    dead = CircuitBreakerSpanExporter(ScriptedExporter(on_shutdown=lambda _: stuck.export(())), clock=clock)
    healthy = [CircuitBreakerSpanExporter(ScriptedExporter(), clock=clock) for _ in range(3)]
    ending = start(lambda: dead.shutdown(timeout_millis=60_000))
    stuck.entered(1)

    for exporter in healthy:
        start(exporter.shutdown).result(timeout=20)

    assert not ending.done()
    stuck.let_all_out()
    ending.result(timeout=20)


def test_the_batch_processors_drain_ends_with_begin_shutdowns_deadline(clock: ManualClock) -> None:
    """S4, P3: 600 spans in its queue, a backend that says nothing, half a second."""
    inner = Gated(calls=20)
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=60, clock=clock)
    processor = BatchSpanProcessor(exporter, schedule_delay_millis=600_000, max_export_batch_size=1_000)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("drain")
    for _ in range(600):
        tracer.start_span("span").end()

    def end() -> None:
        exporter.begin_shutdown(0.5)
        provider.shutdown()

    start(end).result(timeout=20)

    health = exporter.health()
    assert (health.received, health.exported, health.in_flight) == (600, 0, 0)
    assert health.failed + health.refused == 600
    until(lambda: inner.shutdown_calls == 1)
    inner.let_all_out()


def test_the_batch_processors_drain_delivers_everything_to_a_healthy_backend(clock: ManualClock) -> None:
    """S4: begin_shutdown cuts nothing off that can be sent in time."""
    inner = ScriptedExporter(default=take(0.001))
    exporter = CircuitBreakerSpanExporter(inner, clock=clock)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(exporter, schedule_delay_millis=600_000, max_export_batch_size=100)
    )
    tracer = provider.get_tracer("drain")
    for _ in range(950):
        tracer.start_span("span").end()

    exporter.begin_shutdown(30.0)
    provider.shutdown()

    assert exporter.health().exported == 950
    assert inner.shutdown_calls == 1


def test_shutdown_from_inside_the_wrapped_exporter_does_not_wait_for_itself(clock: ManualClock) -> None:
    """P1: an exporter that gives up may shut its pipeline down from within."""

    def give_up(_: Sequence[ReadableSpan]) -> SpanExportResult:
        exporter.shutdown(timeout_millis=60_000)
        return FAILURE

    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=give_up), export_timeout=60, clock=clock)

    assert start(lambda: exporter.export(spans(1))).result(timeout=20) is FAILURE
    assert exporter.export(spans(1)) is FAILURE


def test_shutdown_logs_no_warning_when_all_is_well(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(), clock=clock)
    with caplog.at_level(logging.INFO, logger="breaker_exporter"):
        exporter.export(spans(1))
        exporter.shutdown()

    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


def test_a_childs_copy_of_a_waiting_shutdown_says_that_it_is_the_parents(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """R5: greenlets of a gevent parent go on in its child, also one that waits in a shutdown."""
    told = threading.Event()

    class Forking(ScriptedExporter):
        def shutdown(self) -> None:
            assert last_call._turn is not None
            last_call._turn._pid = -1  # as it is seen in a child
            last_call._turn.unpark()
            told.wait(30)
            last_call._turn._pid = os.getpid()

    exporter = CircuitBreakerSpanExporter(Forking([]), name="theirs")
    last_call = exporter._guarded.guard._runner._last

    with caplog.at_level(logging.DEBUG):
        exporter.shutdown()
    told.set()

    assert "theirs: not shut down: forked while waiting: the call is the parent's" in caplog.messages
