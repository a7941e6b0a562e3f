"""Leaks, limits, forks and shutdowns: R2, R5, S1-S6. Each function is run by a patched process."""

from __future__ import annotations

import gc
import logging
import os
import time
import weakref
from logging.handlers import BufferingHandler
from typing import TYPE_CHECKING

import gevent
import pytest
from gevent.lock import Semaphore
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState
from breaker_exporter.testing import ManualClock, ScriptedExporter, fail, hang, succeed, take

from ._children import in_child
from ._cooperative import (
    Cooperative,
    count_descriptors,
    count_threads,
    native_ident,
    native_sleep,
)
from ._deadlines import moved_by_hand
from ._exporters import FAILURE, SUCCESS, Gated
from ._heartbeat import Heartbeat, assert_no_stall, quiet_gap
from ._spans import spans
from ._waiting import Gate, start, until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan


def twenty_hangs_and_recoveries_leave_nothing_behind() -> None:
    """R2: a retiring thread destroys its hub, else two descriptors leak."""
    clock = ManualClock()
    released = True

    def sleep_patched(_: Sequence[ReadableSpan]) -> SpanExportResult:
        time.sleep(0.001)  # patched: this makes a hub in our thread
        if not released:
            deadlines.advance(0.02)
        while not released:
            native_sleep(0.002)
        return SUCCESS

    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter(default=sleep_patched), export_timeout=0.02, cooldown=10, clock=clock
    )

    def cycle() -> None:
        nonlocal released
        released = False
        assert exporter.export(spans(1)) is FAILURE
        released = True
        until(lambda: exporter.health().hung_calls == 0)
        clock.advance(10)
        assert exporter.export(spans(1)) is SUCCESS

    with moved_by_hand() as deadlines:
        for _ in range(2):
            cycle()
        gevent.sleep(0)
        threads, descriptors = count_threads(), count_descriptors()
        for _ in range(20):
            cycle()
    until(lambda: gc.collect() is None or (count_threads() <= threads and count_descriptors() <= descriptors))


def fifty_dropped_exporters_leave_nothing_behind() -> None:
    def use(_: Sequence[ReadableSpan]) -> SpanExportResult:
        time.sleep(0)
        return SUCCESS

    gc.collect()
    threads = count_threads()
    CircuitBreakerSpanExporter(ScriptedExporter(default=use)).export(spans(1))
    until(lambda: gc.collect() is None or count_threads() <= threads)
    descriptors = count_descriptors()
    references = []
    for _ in range(50):
        exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=use))
        assert exporter.export(spans(1)) is SUCCESS
        references.append(weakref.ref(exporter))
    del exporter
    until(lambda: gc.collect() is None or not any(reference() for reference in references))
    until(lambda: gc.collect() is None or (count_threads() <= threads and count_descriptors() <= descriptors))


def past_four_abandoned_threads_exports_are_refused_until_one_ends() -> None:
    clock = ManualClock()
    inner = Gated(when_stuck=lambda: deadlines.advance(0.02))
    inner.gates[4].open()
    exporter = CircuitBreakerSpanExporter(
        inner, export_timeout=0.02, cooldown=10, max_cooldown=10, clock=clock
    )
    with moved_by_hand() as deadlines:
        for hung in range(1, 5):
            assert exporter.health().blocked_reason is None
            exporter.export(spans(1))
            assert exporter.health().hung_calls == hung
            clock.advance(10)
        assert exporter.export(spans(1)) is FAILURE
        assert len(inner.calls) == 4
        assert exporter.health().blocked_reason
        inner.let_out(1)
        until(lambda: exporter.health().hung_calls == 3)
        assert exporter.export(spans(1)) is SUCCESS
        assert exporter.health().blocked_reason is None
    inner.let_all_out()


def shutdown_off_the_hub_returns_in_time() -> None:
    quiet = quiet_gap()
    stuck = Gated()
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(on_shutdown=lambda _: stuck.export(())))
    with Heartbeat() as heartbeat, gevent.Timeout(15):
        exporter.shutdown(timeout_millis=450)
    assert_no_stall(heartbeat, quiet)
    stuck.let_all_out()


def flush_off_the_hub_returns_in_time() -> None:
    quiet = quiet_gap()
    stuck = Gated()
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(on_flush=lambda _: stuck.export(())))
    with Heartbeat() as heartbeat, gevent.Timeout(15):
        assert exporter.force_flush(timeout_millis=450) is False
    assert_no_stall(heartbeat, quiet)
    stuck.let_all_out()


def a_second_shutdown_waits_within_its_own_budget() -> None:
    stuck = Gated()
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(on_shutdown=lambda _: stuck.export(())))
    first = gevent.spawn(exporter.shutdown, 60_000)
    stuck.entered(1)
    with gevent.Timeout(15):
        exporter.shutdown(100)
    assert not first.ready()
    stuck.let_all_out()
    first.join(15)
    assert first.ready()


def a_batch_processor_drains_within_begin_shutdown() -> None:
    """S4: here the processor's worker is a greenlet, and so is each caller that waits for it."""
    quiet = quiet_gap()
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=60)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(exporter, schedule_delay_millis=600_000, max_export_batch_size=1_000)
    )
    for _ in range(100):
        provider.get_tracer("drain").start_span("span").end()
    with Heartbeat() as heartbeat, gevent.Timeout(20):
        exporter.begin_shutdown(0.45)
        provider.shutdown()
    assert_no_stall(heartbeat, quiet)
    health = exporter.health()
    assert (health.received, health.in_flight, health.exported) == (100, 0, 0)
    inner.let_all_out()


def a_batch_processor_delivers() -> None:
    inner = ScriptedExporter(default=take(0.005))
    provider = TracerProvider(shutdown_on_exit=False)
    exporter = CircuitBreakerSpanExporter(inner)
    provider.add_span_processor(
        BatchSpanProcessor(exporter, schedule_delay_millis=20, max_export_batch_size=16)
    )
    for _ in range(200):
        provider.get_tracer("delivery").start_span("span").end()
        gevent.sleep(0.0005)
    provider.shutdown()
    assert exporter.health().exported == 200
    assert inner.max_concurrency == 1


def a_forked_child_works_while_its_parent_hangs() -> None:
    """R5: gevent's os.fork re-initialises the hub; ours gets no thread, lock or call of the parent."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=60)
    exporting = gevent.spawn(exporter.export, spans(2))
    inner.entered(1)

    def check() -> None:
        inner.gates[1].open()
        quiet = quiet_gap(0.1)
        assert exporter.health().received == 0
        with Heartbeat() as heartbeat:
            assert exporter.export(spans(3)) is SUCCESS
        assert_no_stall(heartbeat, quiet)
        health = exporter.health()
        assert (health.exported, health.in_flight, health.hung_calls) == (3, 0, 0)
        exporter.shutdown()

    in_child(check)
    assert exporter.health().in_flight == 2
    inner.let_all_out()
    exporting.join(15)
    assert exporting.value is SUCCESS


def a_forked_childs_copies_of_waiting_greenlets_change_nothing() -> None:
    """R5: the child has copies of all greenlets, also of those that wait for the parent's calls."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.05)
    with moved_by_hand() as deadlines:
        callers = [gevent.spawn(exporter.export, spans(2)) for _ in range(3)]
        inner.entered(1)
        until(lambda: exporter.health().in_flight == 6)

        def check() -> None:
            before = exporter.health()
            said = BufferingHandler(1000)
            logging.getLogger("breaker_exporter").addHandler(said)
            deadlines.advance(0.05)
            gevent.joinall(callers, timeout=20)
            assert all(caller.ready() for caller in callers)
            assert exporter.health() == before
            assert [
                record.getMessage() for record in said.buffer
            ] == []  # their spans are not lost: the parent has them
            assert (before.received, before.state) == (0, CircuitState.CLOSED)

        in_child(check, within=30)
        deadlines.advance(0.05)
        gevent.joinall(callers, timeout=20)
    inner.let_all_out()


def a_forked_childs_copy_of_a_waiting_shutdown_comes_back() -> None:
    """R5, P1: the exporter that it waits for is the parent's."""
    gate = Gate()
    inner = ScriptedExporter(on_shutdown=lambda _: gate.wait())
    exporter = CircuitBreakerSpanExporter(inner)
    stopping = gevent.spawn(exporter.shutdown, 4_000)
    until(lambda: inner.shutdown_calls)

    def check() -> None:
        gevent.joinall([stopping], timeout=20)
        assert stopping.successful()

    in_child(check, within=30)
    gate.open()
    stopping.get(timeout=20)


def a_cooperative_call_of_the_parent_does_not_go_on_in_the_child() -> None:
    """R5: it would send the parent's spans a second time, over the parent's connection."""
    parent = os.getpid()
    sent_by_child = Gate()

    def work() -> None:
        gevent.sleep(0.3)
        if os.getpid() != parent:
            sent_by_child.open()

    inner = Cooperative(work)
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=20)
    caller = gevent.spawn(exporter.export, spans(2))
    until(lambda: inner.greenlets)

    def check() -> None:
        gevent.sleep(0.6)
        assert not sent_by_child.wait(0)
        assert exporter.health().received == 0

    in_child(check)
    caller.join(10)
    assert caller.value is SUCCESS


def children_forked_while_greenlets_export_all_work() -> None:
    inner = ScriptedExporter(default=take(0.001))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=30)
    stop = False

    def hammer() -> None:
        while not stop:
            exporter.export(spans(1))

    callers = [gevent.spawn(hammer) for _ in range(4)]
    gevent.sleep(0.02)

    def check() -> None:
        nonlocal stop
        stop = True
        assert exporter.export(spans(2)) is SUCCESS

    for _ in range(5):
        in_child(check)
        gevent.sleep(0.003)
    stop = True
    gevent.joinall(callers, timeout=20)


def the_wrapped_exporter_may_export_through_us_again() -> None:
    answers: list[SpanExportResult] = []

    def again(_: Sequence[ReadableSpan]) -> SpanExportResult:
        answers.append(exporter.export(batch))
        return SUCCESS

    batch = spans(2)
    for cooperative in (False, True):
        inner = ScriptedExporter(default=again)
        inner.cooperative = cooperative  # type: ignore[attr-defined]
        exporter = CircuitBreakerSpanExporter(inner, export_timeout=30)
        with gevent.Timeout(15):
            assert exporter.export(spans(1)) is SUCCESS
        assert (exporter.health().received, exporter.health().refused) == (3, 2)
    assert answers == [FAILURE, FAILURE]


def a_blocking_listener_on_a_greenlet_is_its_owners() -> None:
    """C8: called on the caller's side, where waiting is cooperative."""
    quiet = quiet_gap()
    gate = Semaphore(0)
    seen: list[int] = []

    def listen(_: object) -> None:
        seen.append(native_ident())
        gate.acquire()

    exporter = CircuitBreakerSpanExporter(ScriptedExporter([fail]), failure_threshold=1, listeners=[listen])
    caller = gevent.spawn(exporter.export, spans(1))
    with Heartbeat() as heartbeat:
        until(lambda: seen)
        assert exporter.export(spans(1)) is FAILURE
    assert seen == [native_ident()]
    assert_no_stall(heartbeat, quiet)
    gate.release()
    caller.join(10)
    assert caller.value is FAILURE


def an_exception_instance_of_gevent_from_inside_is_a_failure() -> None:
    """C3: on our thread GreenletExit and Timeout are the wrapped exporter's own doing."""
    for error in (gevent.GreenletExit(), gevent.Timeout(1)):
        exporter = CircuitBreakerSpanExporter(ScriptedExporter([error, succeed]), failure_threshold=2)
        assert exporter.export(spans(1)) is FAILURE
        assert (exporter.health().failed, exporter.health().consecutive_failures) == (1, 1)
        assert exporter.export(spans(1)) is SUCCESS


def the_main_greenlet_may_be_the_caller_with_nobody_else_about() -> None:
    """Only our wait keeps the loop alive: gevent must not raise LoopExit."""
    inner = ScriptedExporter(default=take(0.2))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=10)
    assert exporter.export(spans(1)) is SUCCESS
    inner = ScriptedExporter([hang])
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.2)
    assert exporter.export(spans(1)) is FAILURE
    inner.release()


def a_hub_that_is_busy_for_long_makes_no_call_hang() -> None:
    """A result that came in time is a success, however late the hub sees it."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=10)
    with moved_by_hand() as deadlines:
        caller = gevent.spawn(exporter.export, spans(1))
        inner.entered(1)
        inner.let_out(0)
        while inner.calls[0].ended is None:
            native_sleep(0.001)
        native_sleep(0.3)  # its thread has one step left
        deadlines.advance(20)
        caller.join(20)
    assert caller.value is SUCCESS
    assert exporter.health().hung_calls == 0
    assert exporter.state is CircuitState.CLOSED


def a_native_gate_is_native() -> None:
    """The tests above can fail: the gate they hang in blocks the hub where the hub itself waits at it."""
    quiet = quiet_gap()
    with Heartbeat() as heartbeat:
        Gate().wait(2.0)
    with pytest.raises(AssertionError):
        assert_no_stall(heartbeat, quiet)


def start_is_a_greenlet_here() -> None:
    """``start`` stays on this native thread."""
    assert start(native_ident).result(timeout=10) == native_ident()
