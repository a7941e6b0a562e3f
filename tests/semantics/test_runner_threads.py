"""Calls in a process that nobody has patched: their threads, turns and deadlines (R1-R4)."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import os
import threading
import weakref
from typing import TYPE_CHECKING

import pytest
from opentelemetry import context

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState
from breaker_exporter._concurrency.export_thread import Job, Thread
from breaker_exporter._concurrency.log_records import Records
from breaker_exporter._core.thread_calls import ThreadCalls
from breaker_exporter._core.turn import Outcome, Returned, Turn
from breaker_exporter.testing import ScriptedExporter, fail, hang, succeed

from . import exit_scenarios
from ._exporters import FAILURE, SUCCESS, Gated
from ._processes import run_plain
from ._spans import spans
from ._waiting import Gate, start, until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExportResult

    from breaker_exporter.testing import ManualClock


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


def test_a_call_runs_on_a_daemon_thread_of_our_own(clock: ManualClock) -> None:
    """R1, R4."""
    seen: list[threading.Thread] = []
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter(default=lambda _: seen.append(threading.current_thread())), clock=clock
    )

    exporter.export(spans(1))

    assert seen[0] is not threading.current_thread()
    assert seen[0].daemon


def test_one_thread_serves_all_calls_of_an_exporter(clock: ManualClock) -> None:
    """R2: pooled gevent sockets belong to the hub of the thread that opened them."""
    seen: list[int] = []
    outcomes = iter([SUCCESS, RuntimeError(), SUCCESS, SystemExit(), SUCCESS, FAILURE, SUCCESS, SUCCESS])

    def answer(_: Sequence[ReadableSpan]) -> object:
        seen.append(threading.get_native_id())
        outcome = next(outcomes)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=answer), clock=clock)

    for _ in range(6):
        exporter.export(spans(1))
    for _ in range(2):
        start(lambda: exporter.export(spans(1))).result(timeout=20)

    assert len(seen) == 8
    assert len(set(seen)) == 1
    assert seen[0] != threading.get_native_id()


def test_two_exporters_do_not_share_a_thread(clock: ManualClock) -> None:
    """P1: one that hangs keeps no other one waiting."""
    stuck = ScriptedExporter([hang])
    hanging = CircuitBreakerSpanExporter(stuck, export_timeout=60, clock=clock)
    other = CircuitBreakerSpanExporter(ScriptedExporter(), export_timeout=60, clock=clock)
    waiting = start(lambda: hanging.export(spans(1)))
    assert stuck.wait_for_calls(1)

    assert start(lambda: other.export(spans(1))).result(timeout=20) is SUCCESS

    stuck.release()
    waiting.result(timeout=20)


def test_eight_threads_that_export_at_once_go_in_one_after_the_other(clock: ManualClock) -> None:
    """R2: OpenTelemetry never calls export concurrently, and neither do we."""
    gap = threading.Event()
    inner = ScriptedExporter(default=lambda _: SUCCESS if not gap.wait(0.002) else FAILURE)
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=60, clock=clock)
    batch = spans(1)

    calls = [start(lambda: [exporter.export(batch) for _ in range(5)]) for _ in range(8)]

    assert {answer for call in calls for answer in call.result(timeout=60)} == {SUCCESS}
    assert inner.max_concurrency == 1
    assert len(inner.calls) == 40


def test_a_caller_whose_time_ends_in_the_queue_is_refused(clock: ManualClock, deadlines: ManualClock) -> None:
    """R2: and its spans never reach the wrapped exporter."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.05, clock=clock)
    first = start(lambda: exporter.export(spans(2)))
    inner.entered(1)
    queued = [start(lambda: exporter.export(spans(3))) for _ in range(2)]
    until(lambda: exporter.health().in_flight == 8)

    deadlines.advance(0.05)

    assert first.result(timeout=20) is FAILURE
    assert [call.result(timeout=20) for call in queued] == [FAILURE, FAILURE]

    health = exporter.health()
    assert (health.failed, health.refused, health.in_flight) == (2, 6, 0)
    inner.let_all_out()
    until(lambda: exporter.health().hung_calls == 0)
    assert len(inner.calls) == 1


def test_a_caller_whose_time_ends_in_the_queue_is_refused_while_the_call_has_time_left(
    clock: ManualClock, deadlines: ManualClock
) -> None:
    """R2."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.05, clock=clock)
    first = start(lambda: exporter.export(spans(2)))
    inner.entered(1)
    queued = {start(lambda: exporter.export(spans(3))) for _ in range(2)}
    until(lambda: exporter.health().in_flight == 8)
    deadlines.advance(0.03)
    inner.let_out(0)
    assert first.result(timeout=20) is SUCCESS
    inner.entered(2)

    deadlines.advance(0.02)

    assert {caller.result(timeout=20) for caller in queued} == {FAILURE}
    health = exporter.health()
    assert (health.failed, health.refused, health.hung_calls) == (3, 3, 0)
    inner.let_all_out()


def test_a_caller_whose_time_ends_in_its_call_is_failed_and_the_call_is_not_hung(
    clock: ManualClock, deadlines: ManualClock
) -> None:
    """R2: the caller's time includes its wait; an overrun is measured from the inner call's start."""
    inner = Gated()
    exporter, second = _in_its_call_after_a_wait(inner, clock, deadlines)

    deadlines.advance(0.02)

    assert second.result(timeout=20) is FAILURE, "it had to leave with its own time, not the call's"
    health = exporter.health()
    assert (health.failed, health.hung_calls, health.state) == (3, 0, CircuitState.CLOSED)
    assert health.consecutive_failures == 0
    inner.let_out(1)
    inner.let_all_out()
    assert exporter.export(spans(1)) is SUCCESS
    assert exporter.health().opened == 0
    assert inner.max_concurrency == 1


def test_the_result_of_a_call_whose_caller_ran_out_of_time_settles_the_circuit(
    clock: ManualClock, deadlines: ManualClock
) -> None:
    """R2: failed spans, yet the backend answered: its FAILURE opens the circuit."""
    inner = Gated()
    exporter, second = _in_its_call_after_a_wait(inner, clock, deadlines)
    deadlines.advance(0.02)
    second.result(timeout=20)

    inner.let_out(1, FAILURE)
    until(lambda: exporter.state is CircuitState.OPEN)

    health = exporter.health()
    assert (health.failed, health.exported, health.hung_calls) == (3, 2, 0)


def test_a_call_whose_caller_ran_out_of_time_is_hung_when_its_own_time_is_over(
    clock: ManualClock, deadlines: ManualClock
) -> None:
    """R2, C2."""
    inner = Gated()
    exporter, second = _in_its_call_after_a_wait(inner, clock, deadlines)
    deadlines.advance(0.02)
    second.result(timeout=20)
    deadlines.advance(0.029)
    assert exporter.state is CircuitState.CLOSED

    deadlines.advance(0.001)

    health = exporter.health()
    assert (health.failed, health.hung_calls, health.state) == (3, 1, CircuitState.OPEN)
    inner.let_all_out()


def _in_its_call_after_a_wait(
    inner: Gated, clock: ManualClock, deadlines: ManualClock
) -> tuple[CircuitBreakerSpanExporter, Future[SpanExportResult]]:
    """Return an exporter, and a caller with 0.02 s of its time left whose call has just begun its 0.05 s."""
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, export_timeout=0.05, clock=clock)
    first = start(lambda: exporter.export(spans(2)))
    inner.entered(1)
    second = start(lambda: exporter.export(spans(3)))
    until(lambda: exporter.health().in_flight == 5)
    deadlines.advance(0.03)
    inner.let_out(0)
    assert first.result(timeout=20) is SUCCESS
    inner.entered(2)
    return exporter, second


def test_when_the_circuit_opens_those_waiting_are_refused_at_once(clock: ManualClock) -> None:
    """R2."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, export_timeout=60, clock=clock)
    first = start(lambda: exporter.export(spans(2)))
    inner.entered(1)
    queued = [start(lambda: exporter.export(spans(3))) for _ in range(4)]
    until(lambda: exporter.health().in_flight == 14)

    inner.let_out(0, FAILURE)

    assert first.result(timeout=20) is FAILURE
    assert [call.result(timeout=20) for call in queued] == [FAILURE] * 4
    assert exporter.health().refused == 12
    assert len(inner.calls) == 1


def test_of_the_callers_behind_a_flush_one_is_the_probe_and_the_others_are_refused_at_once(
    clock: ManualClock,
) -> None:
    """C4: the cooldown is over, so all of them were let into the queue."""
    flushing, probing = Gated(), Gated()
    inner = ScriptedExporter([fail, probing.export], on_flush=lambda _: flushing.export(()))
    exporter = CircuitBreakerSpanExporter(
        inner, failure_threshold=1, cooldown=10, export_timeout=60, clock=clock
    )
    exporter.export(spans(1))
    flush = start(exporter.force_flush)
    flushing.entered(1)
    clock.advance(10)
    callers = [start(lambda: exporter.export(spans(2))) for _ in range(4)]
    until(lambda: exporter.health().in_flight == 8)

    flushing.let_all_out()

    probing.entered(1)
    until(lambda: sum(caller.done() for caller in callers) == 3)
    assert exporter.health().refused == 6
    probing.let_all_out()
    assert [caller.result(timeout=20) for caller in callers].count(SUCCESS) == 1
    assert flush.result(timeout=20) in (True, False)


def test_after_a_hung_call_the_probe_gets_a_fresh_thread(clock: ManualClock, deadlines: ManualClock) -> None:
    """R2: the one case in which the wrapped exporter sees two calls at once."""
    inner = Gated(when_stuck=lambda: deadlines.advance(0.02))
    inner.gates[1].open()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.02, cooldown=10, clock=clock)
    exporter.export(spans(1))
    clock.advance(10)

    assert exporter.export(spans(1)) is SUCCESS

    assert inner.threads[0] is not inner.threads[1]
    assert exporter.health().hung_calls == 1
    inner.let_all_out()
    until(lambda: exporter.health().hung_calls == 0)
    until(lambda: not inner.threads[0].is_alive())


def test_past_four_abandoned_threads_exports_are_refused_until_one_ends(
    clock: ManualClock, deadlines: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """R2, P5: one WARNING, and blocked_reason."""
    inner = Gated(when_stuck=lambda: deadlines.advance(0.02))
    inner.gates[4].open()
    exporter = CircuitBreakerSpanExporter(
        inner, export_timeout=0.02, cooldown=10, max_cooldown=10, clock=clock
    )
    for hung in range(1, 5):
        assert exporter.health().blocked_reason is None
        exporter.export(spans(1))
        assert exporter.health().hung_calls == hung
        clock.advance(10)
    caplog.clear()

    with caplog.at_level(logging.INFO, logger="breaker_exporter"):
        for _ in range(3):
            assert exporter.export(spans(2)) is FAILURE
            clock.advance(10)

    assert len(inner.calls) == 4
    health = exporter.health()
    assert (health.refused, health.state, health.retry_in) == (6, CircuitState.OPEN, 0.0)
    assert health.blocked_reason
    assert [record.levelname for record in caplog.records] == ["WARNING"]

    inner.let_out(2)
    until(lambda: exporter.health().hung_calls == 3)
    assert exporter.health().blocked_reason is None
    assert exporter.export(spans(1)) is SUCCESS
    assert exporter.state is CircuitState.CLOSED

    caplog.clear()
    exporter.export(spans(1))
    clock.advance(10)
    exporter.export(spans(1))
    blocked = [record for record in caplog.records if "no probe may run" in record.getMessage()]
    assert [record.levelname for record in blocked] == ["WARNING"], "it is another time"
    inner.let_all_out()
    until(lambda: exporter.health().hung_calls == 0)


def test_a_probe_is_only_blocked_once_it_is_due(clock: ManualClock, deadlines: ManualClock) -> None:
    """blocked_reason says why no probe may run though one is due, else None."""
    inner = Gated(when_stuck=lambda: deadlines.advance(0.02))
    exporter = CircuitBreakerSpanExporter(
        inner, export_timeout=0.02, cooldown=10, max_cooldown=10, jitter=0, clock=clock
    )
    for _ in range(4):
        exporter.export(spans(1))
        assert exporter.health().blocked_reason is None
        clock.advance(10)

    assert exporter.health().blocked_reason
    inner.let_all_out()
    until(lambda: exporter.health().hung_calls == 0)
    assert exporter.health().blocked_reason is None


def test_the_callers_context_goes_along_and_nothing_comes_back(clock: ManualClock) -> None:
    """R3: the SDK's suppress-instrumentation key lives there."""
    seen: list[object] = []

    def look(_: Sequence[ReadableSpan]) -> SpanExportResult:
        seen.append(context.get_value("breaker-exporter-test"))
        context.attach(context.set_value("breaker-exporter-test", "inner"))
        return SUCCESS

    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=look), clock=clock)
    for value in ("one", "two"):
        token = context.attach(context.set_value("breaker-exporter-test", value))
        exporter.export(spans(1))
        assert context.get_value("breaker-exporter-test") == value
        context.detach(token)
    exporter.export(spans(1))

    assert seen == ["one", "two", None]


def test_twenty_hangs_and_recoveries_leave_no_thread_and_no_descriptor_behind(
    clock: ManualClock, deadlines: ManualClock
) -> None:
    """R2."""
    inner = Gated(calls=60, when_stuck=lambda: deadlines.advance(0.02))
    for number in range(1, 60, 2):
        inner.gates[number].open()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.02, cooldown=10, clock=clock)

    def cycle(number: int) -> None:
        exporter.export(spans(1))
        inner.gates[number].open()
        until(lambda: exporter.health().hung_calls == 0)
        clock.advance(10)
        assert exporter.export(spans(1)) is SUCCESS

    cycle(0)
    until(lambda: not inner.threads[0].is_alive())
    threads, descriptors = _threads(), len(os.listdir("/proc/self/fd"))
    for number in range(2, 42, 2):
        cycle(number)

    until(lambda: _threads() <= threads)
    assert len(os.listdir("/proc/self/fd")) <= descriptors


def test_an_exporter_dropped_without_shutdown_is_collected_and_its_thread_ends(clock: ManualClock) -> None:
    """R5: neither the thread nor an at_fork handler keeps it alive."""
    inner = ScriptedExporter(default=lambda _: threads.append(threading.current_thread()))
    threads: list[threading.Thread] = []
    exporter = CircuitBreakerSpanExporter(inner, clock=clock)
    exporter.export(spans(1))
    dropped, dropped_inner = weakref.ref(exporter), weakref.ref(inner)

    del exporter, inner

    until(lambda: gc.collect() is None or (dropped() is None and dropped_inner() is None))
    until(lambda: not threads[0].is_alive())


def test_a_hundred_dropped_exporters_leave_no_thread_behind(clock: ManualClock) -> None:
    gc.collect()
    before = _threads()
    for _ in range(100):
        CircuitBreakerSpanExporter(ScriptedExporter(), clock=clock).export(spans(1))

    until(lambda: gc.collect() is None or _threads() <= before)


def test_an_exporter_dropped_with_a_hung_call_is_collected_when_that_ends(
    clock: ManualClock, deadlines: ManualClock
) -> None:
    inner = Gated(when_stuck=lambda: deadlines.advance(0.02))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.02, clock=clock)
    exporter.export(spans(1))
    dropped = weakref.ref(exporter)
    del exporter

    inner.let_all_out()

    until(lambda: not inner.threads[0].is_alive())
    until(lambda: gc.collect() is None or dropped() is None)


def test_nothing_keeps_a_batch_alive_that_has_been_exported(clock: ManualClock) -> None:
    """An idle thread keeps no reference to the batches that it has exported."""

    class Batch(list[object]):
        pass

    class Forgetful(ScriptedExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return SUCCESS

    exporter = CircuitBreakerSpanExporter(Forgetful(), clock=clock)
    batch = Batch(spans(2))
    exported = weakref.ref(batch)

    assert exporter.export(batch) is SUCCESS  # type: ignore[arg-type]
    del batch

    until(lambda: gc.collect() is None or exported() is None)


def test_a_batch_whose_export_raised_is_freed_without_the_garbage_collector(clock: ManualClock) -> None:
    """An error that holds the frames it went through holds the batch, and the collector holds the hub."""

    class Batch(list[object]):
        pass

    class Raises(ScriptedExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            raise RuntimeError("no")

    exporter = CircuitBreakerSpanExporter(Raises(), clock=clock)
    batch = Batch(spans(2))
    exported = weakref.ref(batch)
    gc.disable()
    try:
        assert exporter.export(batch) is FAILURE  # type: ignore[arg-type]
        del batch

        until(lambda: exported() is None)
    finally:
        gc.enable()


def test_a_timeout_that_is_longer_than_locks_can_wait_works(clock: ManualClock) -> None:
    """P1: a value that the constructor accepts works in export."""
    with contextlib.suppress(ValueError):
        exporter = CircuitBreakerSpanExporter(ScriptedExporter(), export_timeout=1e12, clock=clock)
        assert exporter.export(spans(1)) is SUCCESS
        assert exporter.state is CircuitState.CLOSED


def test_a_call_that_ends_just_at_its_deadline_is_counted_once(clock: ManualClock) -> None:
    """C6: whichever comes first, the sums agree."""
    pause = threading.Event()
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter(default=lambda _: SUCCESS if not pause.wait(0.02) else FAILURE),
        export_timeout=0.02,
        cooldown=1,
        max_cooldown=1,
        clock=clock,
    )
    for _ in range(30):
        exporter.export(spans(1))
        clock.advance(1)
    until(lambda: exporter.health().hung_calls == 0)

    health = exporter.health()
    assert health.in_flight == 0
    assert health.received == 30 == health.exported + health.failed + health.refused


def test_a_finalizer_that_exports_while_we_export_does_not_deadlock(clock: ManualClock) -> None:
    """R7: the garbage collector may run anywhere, on our thread as well."""
    answers: list[SpanExportResult] = []

    class Finalized:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            answers.append(exporter.export(batch))

    def collect(_: Sequence[ReadableSpan]) -> SpanExportResult:
        Finalized()
        gc.collect()
        return SUCCESS

    batch = spans(1)
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=collect), export_timeout=30, clock=clock)

    assert start(lambda: exporter.export(batch)).result(timeout=15) is SUCCESS
    assert answers == [FAILURE]


@pytest.mark.parametrize(
    "scenario",
    [
        exit_scenarios.with_a_hung_call_outstanding,
        exit_scenarios.with_a_call_in_flight,
        exit_scenarios.with_an_idle_thread,
        exit_scenarios.with_a_call_in_its_retry_backoff_after_shutdown,
        exit_scenarios.with_a_wrapped_shutdown_that_never_ends,
        exit_scenarios.with_four_abandoned_threads,
        exit_scenarios.first_export_at_exit,
        exit_scenarios.later_export_at_exit,
        exit_scenarios.export_from_a_finalizer_at_exit,
        exit_scenarios.batch_processor_drained_at_exit,
        exit_scenarios.with_a_disk_that_hangs,
        exit_scenarios.disk_work_at_exit,
    ],
    ids=lambda scenario: scenario.__name__,
)
def test_no_thread_of_ours_keeps_the_process_from_exiting(scenario: Callable[[], None]) -> None:
    """R4, S5."""
    run_plain(scenario, patience=20)


def test_an_export_to_a_script_that_fails_then_recovers_needs_no_real_time(clock: ManualClock) -> None:
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter([fail, fail, fail, succeed]), cooldown=10, clock=clock
    )
    for _ in range(3):
        exporter.export(spans(1))
    clock.advance(10)
    assert exporter.export(spans(1)) is SUCCESS


def test_threads_that_have_ended_are_forgotten(clock: ManualClock, deadlines: ManualClock) -> None:
    """R2: each hang costs a thread, and an outage has many."""

    def known() -> int:
        return sum(type(one) is Thread for one in gc.get_objects())

    gc.collect()
    before = known()
    inner = Gated(calls=20, when_stuck=lambda: deadlines.advance(0.05))
    for number in range(1, 20, 2):
        inner.let_out(number)
    exporter = CircuitBreakerSpanExporter(
        inner, export_timeout=0.05, cooldown=10, max_cooldown=10, clock=clock
    )
    for number in range(0, 20, 2):
        assert exporter.export(spans(1)) is FAILURE
        inner.let_out(number)
        until(lambda: exporter.health().hung_calls == 0)
        clock.advance(10)
        until(lambda: exporter.export(spans(1)) is SUCCESS)
    gc.collect()
    assert known() - before <= 3


def test_an_export_thread_that_somebody_ends_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """P5: the call it was given has failed, at once, and the next one has a thread."""
    ended: list[object] = []
    monkeypatch.setattr(threading, "excepthook", ended.append)  # pytest's would complain of the SystemExit
    inner = Gated()
    inner.let_all_out()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=60)
    assert exporter.export(spans(1)) is SUCCESS
    (thread,) = inner.threads
    asynchronously = ctypes.pythonapi.PyThreadState_SetAsyncExc
    assert asynchronously(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit)) == 1

    # In time: the call would wait for an hour for a thread that has ended.
    answers = [start(lambda: exporter.export(spans(1))).result(timeout=30) for _ in range(2)]

    until(lambda: ended)
    assert answers[-1] is SUCCESS
    health = exporter.health()
    assert (health.received, health.in_flight, health.hung_calls) == (3, 0, 0)
    assert health.state is CircuitState.CLOSED
    thread.join(30)  # the SystemExit is reported while this test ignores it, and not in the next one


def test_a_thread_takes_no_job_when_it_is_told_to_end() -> None:
    """R2: a call is made once, by this thread or by the next one, or its caller learns that it was not."""
    ran: list[int] = []
    unrun: list[int] = []
    gate = Gate()

    def job(number: int, *, wanted: bool) -> Job:
        def run() -> bool:
            gate.wait()
            ran.append(number)
            if number == 1:
                raise SystemExit
            return wanted

        return Job(run, lambda: unrun.append(number))

    thread = Thread()
    assert thread.submit(job(1, wanted=True))
    assert thread.submit(job(2, wanted=False))
    assert thread.submit(job(3, wanted=True))
    thread.close()
    late = job(4, wanted=True)
    assert not thread.submit(late)
    gate.open()
    until(lambda: thread.ended)
    assert ran == [1, 2]
    assert 3 in unrun
    assert not late.claim()


def test_a_job_that_was_taken_back_is_passed_by() -> None:
    """R2: the next thread makes that call, and this one ends."""
    gate = Gate()
    ran: list[int] = []
    thread = Thread()
    assert thread.submit(Job(lambda: gate.wait() and not ran.append(1), lambda: None))  # type: ignore[func-returns-value]
    thread.close()
    assert not thread.submit(Job(lambda: not ran.append(2), lambda: None))  # type: ignore[func-returns-value]
    gate.open()
    until(lambda: thread.ended)
    assert ran == [1]


def test_a_thread_that_ends_after_its_call_leaves_the_outcome_as_it_is() -> None:
    outcomes: list[Outcome] = []

    def ended(turn: Turn, outcome: Outcome) -> bool:
        outcomes.append(outcome)
        turn.outcome = outcome
        return True

    calls, turn = ThreadCalls(lambda: None, None, Records("otlp")), Turn()
    calls.start(turn, lambda: 7, ended)
    until(lambda: turn.outcome is not None)
    calls._end_unrun(turn, ended)

    assert outcomes == [Returned(7)]
    calls.end(0.0)
