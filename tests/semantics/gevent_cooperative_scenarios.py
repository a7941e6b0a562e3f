"""Exporters that yield to the hub by themselves: R1. Each function is run by a patched process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import gevent
from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState
from breaker_exporter.testing import ManualClock

from ._children import wait_for
from ._cooperative import (
    Cooperative,
    native_ident,
    start_native_thread,
    throw,
)
from ._deadlines import moved_by_hand
from ._exporters import FAILURE, SUCCESS
from ._spans import spans
from ._waiting import native_lock, until

if TYPE_CHECKING:
    pass


def a_cooperative_exporter_runs_in_a_greenlet_of_its_own_on_the_hub() -> None:
    inner = Cooperative(lambda: gevent.sleep(0.01))
    exporter = CircuitBreakerSpanExporter(inner)
    assert exporter.export(spans(1)) is SUCCESS
    assert inner.threads == [native_ident()]
    assert inner.greenlets[0] is not gevent.getcurrent()


def a_cooperative_exporter_is_killed_at_its_deadline() -> None:
    def hang() -> None:
        deadlines.advance(0.02)
        gevent.sleep(60)

    inner = Cooperative(hang)
    clock = ManualClock()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.02, cooldown=10, jitter=0, clock=clock)
    with moved_by_hand() as deadlines, gevent.Timeout(15):
        assert exporter.export(spans(2)) is FAILURE
    assert exporter.state is CircuitState.OPEN
    until(lambda: inner.thrown)
    assert isinstance(inner.thrown[0], gevent.GreenletExit)
    until(lambda: exporter.health().hung_calls == 0)
    health = exporter.health()
    assert (health.failed, health.consecutive_failures, health.opened) == (2, 1, 1)

    inner.work = lambda: None
    clock.advance(10)
    with moved_by_hand():
        assert exporter.export(spans(1)) is SUCCESS


def a_cooperative_exporter_that_will_not_die_is_left_behind() -> None:
    stubborn = True

    def refuse_to_die() -> None:
        deadlines.advance(0.1)
        while stubborn:
            try:
                gevent.sleep(60 if stubborn else 0)
            except gevent.GreenletExit:
                gevent.sleep(0.3)
                return

    inner = Cooperative(refuse_to_die)
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.1)
    with moved_by_hand() as deadlines, gevent.Timeout(15):
        assert exporter.export(spans(1)) is FAILURE
    assert exporter.state is CircuitState.OPEN
    stubborn = False
    until(lambda: exporter.health().hung_calls == 0)
    assert exporter.health().failed == 1


def cooperative_exporters_take_turns_too() -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        gevent.sleep(0.005)
        inside -= 1

    exporter = CircuitBreakerSpanExporter(Cooperative(work), export_timeout=30)
    callers = [gevent.spawn(exporter.export, spans(1)) for _ in range(10)]
    gevent.joinall(callers, timeout=30)
    assert {caller.value for caller in callers} == {SUCCESS}
    assert most == 1


def a_cooperative_exporter_called_from_a_native_thread_has_a_plain_thread() -> None:
    """R1: such a thread has no hub to be cooperative with."""
    inner = Cooperative(lambda: None)
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=10)
    answers: list[SpanExportResult] = []
    batch = spans(1)
    start_native_thread(lambda: answers.append(exporter.export(batch)), ())
    until(lambda: answers)
    assert answers == [SUCCESS]


def what_a_cooperative_exporter_raises_is_a_failure() -> None:
    for error in (
        RuntimeError(),
        SystemExit(),
        KeyboardInterrupt(),
        gevent.GreenletExit(),
        gevent.Timeout(1),
    ):
        inner = Cooperative(lambda error=error: throw(error))  # type: ignore[misc]
        exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1)
        assert exporter.export(spans(1)) is FAILURE, error
        assert exporter.state is CircuitState.OPEN, error


def a_cancelled_caller_of_a_cooperative_exporter_leaves_the_call_alone() -> None:
    """C3."""
    go_on = gevent.event.Event()
    inner = Cooperative(go_on.wait)
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=2)
    caller = gevent.spawn(exporter.export, spans(2))
    until(lambda: inner.greenlets)
    caller.kill(timeout=10)
    health = exporter.health()
    assert (health.failed, health.in_flight, health.state) == (2, 0, CircuitState.CLOSED)
    go_on.set()
    assert exporter.export(spans(1)) is SUCCESS
    assert inner.thrown == []


def a_call_killed_before_its_first_instruction_has_ended() -> None:
    """A shutdown kills the greenlet of a call before its hub has started it."""
    inner = Cooperative(lambda: gevent.sleep(60))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=30)
    call = gevent.spawn(exporter.export, spans(2))
    ending = gevent.spawn(exporter.shutdown, 0)
    with gevent.Timeout(15):
        ending.get()
        assert call.get() is FAILURE
    assert inner.greenlets == []
    health = exporter.health()
    assert (health.failed, health.in_flight, health.hung_calls) == (2, 0, 0)
    assert health.last_error == "was killed before it ran"


def a_call_that_a_shutdown_ends_is_told_as_such() -> None:
    """G2: the line at the stop names the shutdown as the reason, not a GreenletExit."""
    inner = Cooperative(lambda: gevent.sleep(60))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=3600)
    exporting = gevent.spawn(exporter.export, spans(2))
    until(lambda: inner.greenlets)
    exporter.shutdown(100)
    exporting.join(20)
    until(lambda: inner.thrown)
    assert exporter.health().last_error == "the exporter was shut down meanwhile"


def a_forked_child_goes_on_though_a_thread_held_the_locks() -> None:
    """Copies of the callers' and the calls' greenlets take these locks as they end."""
    inner = Cooperative(lambda: gevent.sleep(0.3))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=10)
    call = gevent.spawn(exporter.export, spans(1))
    until(lambda: inner.greenlets)
    guard = exporter._guarded.guard
    held, go_on = native_lock(), native_lock()
    held.acquire()
    go_on.acquire()

    def hold() -> None:
        with guard._accounts.lock, guard._runner._turns.lock:
            held.release()
            go_on.acquire()

    start_native_thread(hold, ())
    held.acquire()
    pid = os.fork()
    if pid == 0:
        gevent.sleep(0.5)  # until the copies are gone
        os._exit(0)
    go_on.release()
    assert wait_for(pid, within=15) == 0
    assert call.get(timeout=15) is SUCCESS
