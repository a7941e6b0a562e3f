"""Errors thrown into greenlets that wait: C3. Each function is run by a patched process."""

from __future__ import annotations

import os
import signal

import gevent

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState
from breaker_exporter.testing import ManualClock, ScriptedExporter, fail

from ._cooperative import kill, native_sleep
from ._deadlines import moved_by_hand
from ._exporters import FAILURE, SUCCESS, Gated
from ._spans import spans
from ._waiting import until


def a_killed_caller_is_gone_at_once_and_its_call_settles_the_circuit() -> None:
    inner = Gated()
    inner.let_out(0, FAILURE)
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=3, export_timeout=60)
    exporter.export(spans(1))
    caller = gevent.spawn(exporter.export, spans(2))
    inner.entered(2)
    kill(caller)
    health = exporter.health()
    assert (health.failed, health.in_flight, health.consecutive_failures) == (3, 0, 1)

    second = gevent.spawn(exporter.export, spans(4))
    until(lambda: exporter.health().in_flight == 4)
    assert len(inner.calls) == 2
    inner.let_out(1)
    until(lambda: exporter.health().consecutive_failures == 0)
    inner.let_all_out()
    second.join(10)
    assert second.value is SUCCESS
    assert inner.max_concurrency == 1
    assert (exporter.health().failed, exporter.health().exported) == (3, 4)


def a_timeout_thrown_into_the_caller_goes_on_to_it() -> None:
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, export_timeout=60)
    got_through = False
    try:
        with gevent.Timeout(0.1):
            exporter.export(spans(2))
    except gevent.Timeout:
        got_through = True
    assert got_through
    health = exporter.health()
    assert (health.failed, health.in_flight, health.state) == (2, 0, CircuitState.CLOSED)
    inner.let_out(0, FAILURE)
    until(lambda: exporter.state is CircuitState.OPEN)
    assert exporter.health().failed == 2


def a_timeout_with_an_exception_of_its_own_goes_on_to_the_caller() -> None:
    """C3: swallowed, it would let the application run on past the limit it set itself."""

    class TooSlow(Exception):
        pass

    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, export_timeout=10)
    got_through = False
    try:
        with gevent.Timeout(0.1, TooSlow):
            exporter.export(spans(2))
    except TooSlow:
        got_through = True
    assert got_through
    health = exporter.health()
    assert (health.failed, health.in_flight, health.state) == (2, 0, CircuitState.CLOSED)
    inner.let_all_out()


def an_interrupt_reaches_the_main_greenlet_that_waits() -> None:
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, export_timeout=20)

    def interrupt() -> None:
        inner.entered(1)
        os.kill(os.getpid(), signal.SIGINT)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    gevent.spawn(interrupt)
    interrupted = False
    try:
        exporter.export(spans(2))
    except KeyboardInterrupt:
        interrupted = True
    assert interrupted
    assert (exporter.health().failed, exporter.health().in_flight) == (2, 0)
    inner.let_all_out()


def a_caller_killed_in_a_listener_has_been_counted() -> None:
    """C3, C8: what is thrown in while a listener waits goes on to the caller, too."""
    listening: list[object] = []

    def listen(change: object) -> None:
        listening.append(change)
        gevent.sleep(60)

    exporter = CircuitBreakerSpanExporter(ScriptedExporter([fail]), failure_threshold=1, listeners=[listen])
    caller = gevent.spawn(exporter.export, spans(2))
    until(lambda: listening)
    kill(caller)
    health = exporter.health()
    assert (health.failed, health.in_flight, health.state) == (2, 0, CircuitState.OPEN)
    assert exporter.export(spans(1)) is FAILURE


def a_caller_killed_in_the_queue_gives_its_permit_back() -> None:
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, export_timeout=60)
    first = gevent.spawn(exporter.export, spans(2))
    inner.entered(1)
    second = gevent.spawn(exporter.export, spans(3))
    third = gevent.spawn(exporter.export, spans(5))
    until(lambda: exporter.health().in_flight == 10)
    second.kill(timeout=10)
    health = exporter.health()
    assert (health.failed, health.in_flight, health.state) == (3, 7, CircuitState.CLOSED)
    inner.let_all_out()
    gevent.joinall([first, third], timeout=10)
    assert (first.value, third.value) == (SUCCESS, SUCCESS)
    assert [len(call.spans) for call in inner.calls] == [2, 5]


def a_killed_probe_is_settled_by_its_own_result() -> None:
    for outcome, state, cooldown in ((SUCCESS, CircuitState.CLOSED, 10), (FAILURE, CircuitState.OPEN, 20)):
        clock = ManualClock()
        inner = Gated()
        inner.let_out(0, FAILURE)
        exporter = CircuitBreakerSpanExporter(
            inner, failure_threshold=1, cooldown=10, jitter=0, export_timeout=60, clock=clock
        )
        exporter.export(spans(1))
        clock.advance(10)
        probe = gevent.spawn(exporter.export, spans(1))
        inner.entered(2)
        probe.kill(timeout=10)
        assert exporter.state is CircuitState.HALF_OPEN
        assert exporter.export(spans(1)) is FAILURE
        inner.let_out(1, outcome)
        until(lambda exporter=exporter: exporter.state is not CircuitState.HALF_OPEN)  # type: ignore[misc]
        assert (exporter.state, exporter.health().cooldown) == (state, cooldown)
        assert (exporter.health().failed, exporter.health().refused) == (2, 1)


def a_killed_callers_call_is_hung_when_it_overruns() -> None:
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.05)
    with moved_by_hand() as deadlines:
        caller = gevent.spawn(exporter.export, spans(1))
        inner.entered(1)
        caller.kill(timeout=10)
        assert exporter.health().opened == 0
        deadlines.advance(0.05)
        assert exporter.state is CircuitState.OPEN
    assert (exporter.health().hung_calls, exporter.health().failed) == (1, 1)
    inner.let_all_out()
    until(lambda: exporter.health().hung_calls == 0)


def a_caller_killed_before_its_first_switch_has_sent_nothing() -> None:
    inner = ScriptedExporter()
    exporter = CircuitBreakerSpanExporter(inner)
    caller = gevent.spawn(exporter.export, spans(1))
    caller.kill(timeout=10)
    assert exporter.health().received == 0
    assert exporter.export(spans(1)) is SUCCESS


def killing_callers_at_random_moments_never_upsets_the_sums() -> None:
    import random

    dice = random.Random(20)
    inner = ScriptedExporter(default=lambda batch: native_sleep(dice.random() / 500) or SUCCESS)
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=30)
    sent = 0
    for _ in range(40):
        callers = [gevent.spawn(exporter.export, spans(1)) for _ in range(4)]
        gevent.sleep(dice.random() / 200)
        for caller in dice.sample(callers, 2):
            caller.kill(block=False)
        gevent.joinall(callers, timeout=20)
        assert all(caller.ready() for caller in callers)
        sent += 4
        health = exporter.health()
        assert health.received == health.exported + health.failed + health.refused + health.in_flight
    until(lambda: exporter.export(spans(1)) is SUCCESS)
    health = exporter.health()
    assert (health.in_flight, health.state) == (0, CircuitState.CLOSED)
    assert inner.max_concurrency == 1
