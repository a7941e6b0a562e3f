"""Errors that a signal handler throws into a waiting caller: C3. Greenlets: test_runner_gevent."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

import pybreaker
import pytest

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState

from ._exporters import FAILURE, SUCCESS, Gated
from ._spans import spans
from ._waiting import start, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from breaker_exporter.testing import ManualClock

    from ._signal_handlers import HandleWhen

pytestmark = pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="signals reach the main thread"
)


class Interrupted(BaseException):
    """Raised by the signal handler of these tests, as KeyboardInterrupt is by SIGINT's."""


class Interrupt(Protocol):
    """Throws ``error`` into the main thread as soon as ``condition`` holds."""

    def __call__(self, condition: Callable[[], object], error: type[BaseException] = Interrupted) -> None: ...


@pytest.fixture
def interrupt_when(handle_when: HandleWhen) -> Interrupt:
    """By a signal handler that raises."""

    def interrupt(condition: Callable[[], object], error: type[BaseException] = Interrupted) -> None:
        def throw() -> None:
            raise error

        handle_when(condition, throw)

    return interrupt


def test_a_keyboard_interrupt_goes_on_to_the_caller_that_waits(
    clock: ManualClock, interrupt_when: Interrupt
) -> None:
    """C3: the spans are failed at once, and the backend has not failed."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, export_timeout=30, clock=clock)
    interrupt_when(lambda: inner.threads, KeyboardInterrupt)

    with pytest.raises(KeyboardInterrupt):
        exporter.export(spans(2))

    health = exporter.health()
    assert (health.failed, health.in_flight, health.state) == (2, 0, CircuitState.CLOSED)
    assert health.consecutive_failures == 0
    inner.let_all_out()


def test_a_time_limit_that_a_signal_handler_raises_goes_on_to_the_caller(
    clock: ManualClock, interrupt_when: Interrupt
) -> None:
    """C3: what is thrown in belongs to the application, also an Exception (Celery's SoftTimeLimitExceeded).

    P1 is about our own exceptions; swallowing this one would let the task run on past its limit.
    """

    class SoftTimeLimitExceeded(Exception):
        pass

    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, export_timeout=30, clock=clock)
    interrupt_when(lambda: inner.threads, SoftTimeLimitExceeded)

    with pytest.raises(SoftTimeLimitExceeded):
        exporter.export(spans(2))

    health = exporter.health()
    assert (health.failed, health.in_flight, health.state) == (2, 0, CircuitState.CLOSED)
    inner.let_all_out()


def test_the_result_of_a_call_whose_caller_left_settles_the_circuit(
    clock: ManualClock, interrupt_when: Interrupt
) -> None:
    """C3: a success, here, sets the count to zero; the spans stay failed."""
    inner = Gated()
    inner.let_out(0, FAILURE)
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=3, export_timeout=30, clock=clock)
    exporter.export(spans(1))
    interrupt_when(lambda: len(inner.threads) == 2)
    with pytest.raises(Interrupted):
        exporter.export(spans(2))
    assert exporter.health().consecutive_failures == 1

    inner.let_out(1)
    until(lambda: exporter.health().consecutive_failures == 0)

    health = exporter.health()
    assert (health.failed, health.exported, health.in_flight) == (3, 0, 0)


def test_a_failure_of_a_call_whose_caller_left_opens_the_circuit(
    clock: ManualClock, interrupt_when: Interrupt
) -> None:
    """C3."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, export_timeout=30, clock=clock)
    interrupt_when(lambda: inner.threads)
    with pytest.raises(Interrupted):
        exporter.export(spans(2))

    inner.let_out(0, FAILURE)
    until(lambda: exporter.state is CircuitState.OPEN)

    health = exporter.health()
    assert (health.failed, health.opened, health.hung_calls) == (2, 1, 0)


def test_the_slot_stays_taken_until_the_call_ends_though_its_caller_left(
    clock: ManualClock, interrupt_when: Interrupt
) -> None:
    """C3, R2: the next caller waits its turn; the wrapped exporter sees no overlap."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=30, clock=clock)
    interrupt_when(lambda: inner.threads)
    with pytest.raises(Interrupted):
        exporter.export(spans(2))

    second = start(lambda: exporter.export(spans(3)))
    until(lambda: exporter.health().in_flight == 3)
    assert len(inner.calls) == 1
    inner.let_all_out()

    assert second.result(timeout=20) is SUCCESS
    assert inner.max_concurrency == 1
    assert (exporter.health().failed, exporter.health().exported) == (2, 3)


def test_a_call_whose_caller_left_is_hung_when_it_overruns(
    clock: ManualClock, deadlines: ManualClock, interrupt_when: Interrupt
) -> None:
    """C2, C3: nobody waits for it any more, and it opens the circuit all the same."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.05, clock=clock)
    interrupt_when(lambda: inner.threads)
    with pytest.raises(Interrupted):
        exporter.export(spans(2))
    assert exporter.health().opened == 0

    waiting = start(lambda: exporter.export(spans(3)))
    until(lambda: exporter.health().in_flight == 3)

    deadlines.advance(0.05)

    assert waiting.result(timeout=20) is FAILURE
    assert exporter.state is CircuitState.OPEN
    health = exporter.health()
    assert (health.hung_calls, health.consecutive_failures, health.opened) == (1, 1, 1)
    assert (health.failed, health.refused, health.received) == (2, 3, 5)
    inner.let_all_out()


def test_a_caller_behind_a_call_whose_caller_left_is_refused_when_that_call_overruns(
    clock: ManualClock, deadlines: ManualClock, interrupt_when: Interrupt
) -> None:
    """C2, R2: at once, however much time it has left."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=60, clock=clock)
    interrupt_when(lambda: inner.threads)
    with pytest.raises(Interrupted):
        exporter.export(spans(2))
    deadlines.advance(59.99)
    waiting = start(lambda: exporter.export(spans(3)))
    until(lambda: exporter.health().in_flight == 3)

    deadlines.advance(0.01)

    until(waiting.done)
    assert waiting.result() is FAILURE
    assert exporter.health().refused == 3
    inner.let_all_out()


def test_an_overrun_that_nobody_waits_for_shows_without_another_export(
    clock: ManualClock, deadlines: ManualClock, interrupt_when: Interrupt
) -> None:
    """C2, C3."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.05, clock=clock)
    interrupt_when(lambda: inner.threads)
    with pytest.raises(Interrupted):
        exporter.export(spans(2))

    assert exporter.health().opened == 0
    deadlines.advance(0.05)
    assert exporter.state is CircuitState.OPEN
    assert exporter.health().hung_calls == 1
    inner.let_all_out()


@pytest.mark.parametrize("outcome", [SUCCESS, FAILURE], ids=["success", "failure"])
def test_a_probe_whose_caller_left_is_settled_by_its_own_result(
    clock: ManualClock, interrupt_when: Interrupt, outcome: object
) -> None:
    """C3: half-open until then."""
    inner = Gated()
    inner.let_out(0, FAILURE)
    exporter = CircuitBreakerSpanExporter(
        inner, failure_threshold=1, cooldown=10, jitter=0, export_timeout=30, clock=clock
    )
    exporter.export(spans(1))
    clock.advance(10)
    interrupt_when(lambda: len(inner.threads) == 2)
    with pytest.raises(Interrupted):
        exporter.export(spans(2))
    assert exporter.state is CircuitState.HALF_OPEN
    assert exporter.export(spans(4)) is FAILURE
    assert exporter.health().refused == 4

    inner.let_out(1, outcome)
    until(lambda: exporter.state is not CircuitState.HALF_OPEN)

    health = exporter.health()
    assert (health.failed, health.exported) == (3, 0)
    if outcome is SUCCESS:
        assert (health.state, health.cooldown) == (CircuitState.CLOSED, 10)
    else:
        assert (health.state, health.cooldown) == (CircuitState.OPEN, 20)


def test_a_caller_that_leaves_the_queue_gives_its_permit_back(
    clock: ManualClock, interrupt_when: Interrupt
) -> None:
    """C3: nothing of it reaches the wrapped exporter, now or later."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, export_timeout=30, clock=clock)
    first = start(lambda: exporter.export(spans(2)))
    inner.entered(1)
    interrupt_when(lambda: exporter.health().in_flight == 5)

    with pytest.raises(Interrupted):
        exporter.export(spans(3))

    health = exporter.health()
    assert (health.failed, health.in_flight, health.state) == (3, 2, CircuitState.CLOSED)
    inner.let_all_out()
    assert first.result(timeout=20) is SUCCESS
    assert exporter.export(spans(1)) is SUCCESS
    assert [len(call.spans) for call in inner.calls] == [2, 1]


def test_a_probe_that_leaves_the_queue_leaves_the_circuit_open_and_due(
    clock: ManualClock, interrupt_when: Interrupt
) -> None:
    """C3: with a breaker that somebody else opened, a probe may have to wait for the call before it."""
    breaker = pybreaker.CircuitBreaker(fail_max=3, reset_timeout=0)
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, breaker=breaker, export_timeout=30)
    first = start(lambda: exporter.export(spans(2)))
    inner.entered(1)
    breaker.open()
    interrupt_when(lambda: exporter.health().in_flight == 5)

    with pytest.raises(Interrupted):
        exporter.export(spans(3))

    health = exporter.health()
    assert (health.state, health.retry_in) == (CircuitState.OPEN, 0.0)
    assert (health.failed, health.in_flight) == (3, 2)
    inner.let_all_out()
    first.result(timeout=20)
    assert exporter.export(spans(1)) is SUCCESS
    assert exporter.state is CircuitState.CLOSED
