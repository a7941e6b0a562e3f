"""Calls in a patched process (R1-R3). Each function is run by a process; see test_runner_gevent."""

from __future__ import annotations

import time
import weakref
from typing import TYPE_CHECKING

import gevent
from opentelemetry import context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState
from breaker_exporter.testing import ManualClock, ScriptedExporter, take

from ._cooperative import (
    Cooperative,
    native_ident,
    native_sleep,
    start_native_thread,
    throw,
)
from ._deadlines import moved_by_hand
from ._exporters import FAILURE, SUCCESS, Gated
from ._heartbeat import Heartbeat, assert_no_stall, quiet_gap
from ._spans import spans
from ._waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence


def a_native_sleep_in_the_wrapped_exporter_holds_no_hub() -> None:
    quiet = quiet_gap()
    exporter = CircuitBreakerSpanExporter(ScriptedExporter([take(0.5)]))
    with Heartbeat() as heartbeat:
        assert exporter.export(spans(2)) is SUCCESS
    assert_no_stall(heartbeat, quiet)
    assert exporter.health().exported == 2


def a_hang_in_the_wrapped_exporter_holds_no_hub_and_ends_in_time() -> None:
    def overrun() -> None:
        native_sleep(0.5)
        deadlines.advance(0.1)

    quiet = quiet_gap()
    inner = Gated(when_stuck=overrun)
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.1)
    with moved_by_hand() as deadlines, Heartbeat() as heartbeat, gevent.Timeout(15):
        assert exporter.export(spans(2)) is FAILURE
    assert_no_stall(heartbeat, quiet)
    assert exporter.state is CircuitState.OPEN
    assert (exporter.health().failed, exporter.health().hung_calls) == (2, 1)
    inner.let_all_out()
    until(lambda: exporter.health().hung_calls == 0)


def a_call_runs_on_a_native_thread_of_our_own_and_always_the_same() -> None:
    seen: list[int] = []
    pool_threads: set[int] = set()
    inner = ScriptedExporter(default=lambda _: seen.append(native_ident()) or SUCCESS)  # type: ignore[func-returns-value]
    exporter = CircuitBreakerSpanExporter(inner)
    for _ in range(5):
        exporter.export(spans(1))
        gevent.joinall([gevent.spawn(exporter.export, spans(1)) for _ in range(3)])
    for _ in range(10):
        pool_threads.add(gevent.get_hub().threadpool.apply(native_ident))

    assert len(seen) == 20
    assert len(set(seen)) == 1
    assert seen[0] != native_ident()
    assert seen[0] not in pool_threads


def patched_sockets_and_sleeps_work_inside() -> None:
    """R2: a socket that is kept alive belongs to the hub of the thread that opened it, call after call."""
    import socket

    listener = socket.create_server(("127.0.0.1", 0))

    def shout() -> None:
        connection, _ = listener.accept()
        with connection, listener:
            while heard := connection.recv(1):
                connection.sendall(heard.upper())

    kept: list[socket.socket] = []
    answers: list[bytes] = []

    def talk(_: Sequence[ReadableSpan]) -> SpanExportResult:
        if not kept:
            kept.append(socket.create_connection(listener.getsockname()))
        time.sleep(0.01)
        kept[0].sendall(b"x")
        answers.append(kept[0].recv(1))
        if len(answers) == 5:
            kept[0].close()
        return SUCCESS

    serving = gevent.spawn(shout)
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=talk), export_timeout=10)
    for _ in range(5):
        assert exporter.export(spans(1)) is SUCCESS
    assert answers == [b"X"] * 5
    serving.join(10)


def two_greenlets_that_export_at_once_go_in_one_after_the_other() -> None:
    inner = ScriptedExporter(default=take(0.02))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=30)
    callers = [gevent.spawn(exporter.export, spans(1)) for _ in range(10)]
    gevent.joinall(callers, timeout=30)
    assert {caller.value for caller in callers} == {SUCCESS}
    assert inner.max_concurrency == 1


def a_waiting_greenlet_is_refused_when_its_time_ends_or_the_circuit_opens() -> None:
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.05)
    with moved_by_hand() as deadlines:
        first = gevent.spawn(exporter.export, spans(1))
        inner.entered(1)
        others = [gevent.spawn(exporter.export, spans(2)) for _ in range(5)]
        until(lambda: exporter.health().in_flight == 11)
        deadlines.advance(0.05)
        gevent.joinall([first, *others], timeout=15)
    assert {caller.value for caller in [first, *others]} == {FAILURE}
    health = exporter.health()
    assert (health.failed, health.refused, health.in_flight) == (1, 10, 0)
    inner.let_all_out()

    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=60, failure_threshold=1)
    first = gevent.spawn(exporter.export, spans(1))
    inner.entered(1)
    others = [gevent.spawn(exporter.export, spans(2)) for _ in range(5)]
    until(lambda: exporter.health().in_flight == 11)
    inner.let_out(0, FAILURE)
    gevent.joinall([first, *others], timeout=15)
    assert {caller.value for caller in others} == {FAILURE}
    assert exporter.health().refused == 10


def of_fifty_greenlets_exactly_one_is_the_probe() -> None:
    clock = ManualClock()
    inner = Gated()
    inner.let_out(0, FAILURE)
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, cooldown=10, clock=clock)
    exporter.export(spans(1))
    clock.advance(10)
    callers = [gevent.spawn(exporter.export, spans(1)) for _ in range(50)]
    until(lambda: sum(caller.ready() for caller in callers) == 49)
    inner.let_all_out()
    gevent.joinall(callers, timeout=15)
    assert [caller.value for caller in callers].count(SUCCESS) == 1
    assert len(inner.calls) == 2


def an_export_on_the_hub_greenlet_is_refused() -> None:
    inner = ScriptedExporter()
    exporter = CircuitBreakerSpanExporter(inner)
    answers: list[SpanExportResult] = []
    batch = spans(2)
    gevent.get_hub().loop.run_callback(lambda: answers.append(exporter.export(batch)))
    until(lambda: answers)
    assert answers == [FAILURE]
    assert exporter.health().refused == 2
    assert inner.calls == []

    timer = gevent.get_hub().loop.timer(0.001)
    timer.start(lambda: answers.append(exporter.export(batch)))
    until(lambda: len(answers) == 2)
    assert exporter.health().refused == 4
    assert exporter.export(batch) is SUCCESS


def shutdown_and_flush_on_the_hub_greenlet_return() -> None:
    exporter = CircuitBreakerSpanExporter(ScriptedExporter())
    exporter.export(spans(1))
    done: list[object] = []
    gevent.get_hub().loop.run_callback(lambda: done.append(exporter.force_flush(1_000)))
    until(lambda: done)
    gevent.get_hub().loop.run_callback(lambda: done.append(exporter.shutdown(1_000)))  # type: ignore[func-returns-value]
    until(lambda: len(done) == 2)
    assert exporter.export(spans(1)) is FAILURE


def an_export_from_a_native_thread_works() -> None:
    """From gevent's own pool, and from a native thread."""
    inner = ScriptedExporter(default=take(0.02))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=30)
    answers: list[SpanExportResult] = []
    batch = spans(1)
    assert gevent.get_hub().threadpool.apply(exporter.export, (batch,)) is SUCCESS
    start_native_thread(lambda: answers.append(exporter.export(batch)), ())
    until(lambda: answers)
    assert answers == [SUCCESS]
    assert exporter.health().exported == 2


def greenlets_and_native_threads_take_turns() -> None:
    quiet = quiet_gap()
    inner = ScriptedExporter(default=take(0.02))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=60)
    answers: list[SpanExportResult] = []
    batch = spans(1)
    with Heartbeat() as heartbeat:
        for _ in range(5):
            start_native_thread(lambda: answers.append(exporter.export(batch)), ())
            gevent.spawn(lambda: answers.append(exporter.export(batch)))
            gevent.get_hub().threadpool.spawn(lambda: answers.append(exporter.export(batch)))
        until(lambda: len(answers) == 15)
    assert set(answers) == {SUCCESS}
    assert inner.max_concurrency == 1
    assert_no_stall(heartbeat, quiet)


def a_hang_seen_from_a_native_thread_ends_in_time() -> None:
    quiet = quiet_gap()
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.1)
    answers: list[SpanExportResult] = []
    batch = spans(1)
    with moved_by_hand() as deadlines, Heartbeat() as heartbeat:
        start_native_thread(lambda: answers.append(exporter.export(batch)), ())
        inner.entered(1)
        greenlet = gevent.spawn(exporter.export, batch)
        until(lambda: exporter.health().in_flight == 2)
        gevent.sleep(0.5)  # the hub has to wait for both all the while
        deadlines.advance(0.1)
        until(lambda: answers and greenlet.ready(), within=15)
    assert (answers, greenlet.value) == ([FAILURE], FAILURE)
    assert_no_stall(heartbeat, quiet)
    health = exporter.health()
    assert (health.failed, health.refused, health.state) == (1, 1, CircuitState.OPEN)
    inner.let_all_out()


def the_callers_context_goes_along() -> None:
    seen: list[object] = []

    def look(_: Sequence[ReadableSpan]) -> SpanExportResult:
        seen.append(context.get_value("test"))
        context.attach(context.set_value("test", "inner"))
        return SUCCESS

    def export(exporter: CircuitBreakerSpanExporter, value: str) -> None:
        context.attach(context.set_value("test", value))
        exporter.export(spans(1))
        seen.append(("after", context.get_value("test")))

    plain, cooperative = ScriptedExporter(default=look), ScriptedExporter(default=look)
    cooperative.cooperative = True  # type: ignore[attr-defined]
    for inner in (plain, cooperative):
        exporter = CircuitBreakerSpanExporter(inner)
        gevent.spawn(export, exporter, "one").join(10)
        gevent.spawn(export, exporter, "two").join(10)
    assert seen == ["one", ("after", "one"), "two", ("after", "two")] * 2


def an_export_without_a_thread_fails_on_the_hub_too() -> None:
    """R4: never in place there, which would block the hub."""
    import threading

    exporter = CircuitBreakerSpanExporter(ScriptedExporter(), failure_threshold=1)
    batch = spans(2)
    before = threading.stack_size(1 << 47)
    assert exporter.export(batch) is FAILURE
    threading.stack_size(before)
    assert exporter.export(spans(1)) is SUCCESS
    health = exporter.health()
    assert (health.failed, health.exported, health.state) == (2, 1, CircuitState.CLOSED)


def shutdown_ends_a_cooperative_call_that_is_out() -> None:
    """S5."""
    inner = Cooperative(lambda: gevent.sleep(60))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=30)
    caller = gevent.spawn(exporter.export, spans(1))
    until(lambda: inner.greenlets)
    exporter.shutdown(timeout_millis=400)
    caller.join(10)
    assert caller.value is FAILURE
    assert exporter.health().failed == 1


def what_a_call_for_a_native_thread_logs_arrives_from_that_thread() -> None:
    """R7: such a caller has no hub, so it handles the lines itself."""
    import logging

    said: list[tuple[str, int]] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append((record.getMessage(), native_ident()))

    def chat(_: Sequence[ReadableSpan]) -> SpanExportResult:
        logging.getLogger("foreign").warning("line")
        return SUCCESS

    logging.getLogger().addHandler(Handler())
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=chat))
    batch = spans(1)
    caller = gevent.get_hub().threadpool.apply(lambda: (exporter.export(batch), native_ident()))
    assert caller[0] is SUCCESS
    assert said == [("line", caller[1])]


def a_queue_that_is_thrown_away_lets_the_hub_see_to_what_is_due() -> None:
    """The batch processor calls again and again, and nothing in between yields."""
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=FAILURE), failure_threshold=1, cooldown=60)
    batch = spans(64)
    exporter.export(batch)
    due: list[bool] = []
    gevent.spawn_later(0.001, due.append, True)
    began = time.monotonic()
    while not due:
        assert time.monotonic() - began < 15
        assert exporter.export(batch) is FAILURE
    assert exporter.health().refused > 0


def a_single_span_that_is_refused_lets_nobody_in() -> None:
    """It is refused in microseconds, so no other greenlet runs meanwhile."""
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=FAILURE), failure_threshold=1, cooldown=60)
    batch = spans(1)
    exporter.export(batch)
    ran: list[bool] = []
    gevent.spawn(ran.append, True)
    for _ in range(1000):
        assert exporter.export(batch) is FAILURE
    assert not ran


def a_large_batch_is_freed_a_few_spans_at_a_time() -> None:
    """Both when it was exported and when it was refused."""
    exporter = CircuitBreakerSpanExporter(Cooperative(lambda: None), failure_threshold=1, cooldown=60)
    for refused in (False, True):
        if refused:
            failing = Cooperative(lambda: throw(OSError()))
            exporter = CircuitBreakerSpanExporter(failing, failure_threshold=1, cooldown=60)
            exporter.export(spans(1))
        left: list[weakref.ref[ReadableSpan]] = []
        exporter.export(_watched(300, left))
        count = len(left)
        assert count == 300
        steps = []
        while count:
            gevent.sleep(0.0005)
            now = sum(span() is not None for span in left)
            steps.append(count - now)
            count = now
            assert len(steps) < 10_000
        assert max(steps) <= 128, steps


def _watched(count: int, left: list[weakref.ref[ReadableSpan]]) -> list[ReadableSpan]:
    batch = [ReadableSpan(f"span-{number}") for number in range(count)]
    left.extend(map(weakref.ref, batch))
    return batch
