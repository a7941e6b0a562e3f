"""Signal handlers that use the exporter whose call they interrupt; what they throw: test_cancellation."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState

from ._exporters import FAILURE, SUCCESS, Gated
from ._spans import spans
from ._waiting import start

if TYPE_CHECKING:
    from breaker_exporter.testing import ManualClock

    from ._signal_handlers import HandleWhen

pytestmark = pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="signals reach the main thread"
)


def test_an_export_in_a_signal_handler_that_interrupts_an_export_is_refused_at_once(
    handle_when: HandleWhen,
) -> None:
    """R2: it would wait for a call whose caller goes on only when the handler returns."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=3600)

    def handler() -> object:
        answer = exporter.export(spans(3))
        inner.let_all_out()
        return answer

    answers = handle_when(lambda: inner.threads, handler)

    assert exporter.export(spans(2)) is SUCCESS
    assert answers == [FAILURE]
    health = exporter.health()
    assert (health.exported, health.refused, health.state) == (2, 3, CircuitState.CLOSED)
    assert exporter.export(spans(1)) is SUCCESS


def test_a_flush_in_a_signal_handler_that_interrupts_an_export_is_refused_at_once(
    handle_when: HandleWhen,
) -> None:
    """S2."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=3600)

    def handler() -> object:
        answer = exporter.force_flush(3_600_000)
        inner.let_all_out()
        return answer

    answers = handle_when(lambda: inner.threads, handler)

    assert exporter.export(spans(2)) is SUCCESS
    assert answers == [False]


def test_an_export_in_a_signal_handler_that_interrupts_a_wait_for_the_turn_is_refused_at_once(
    handle_when: HandleWhen,
) -> None:
    """R2: the caller that it interrupts is before it in the queue."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=3600)
    first = start(lambda: exporter.export(spans(1)))
    inner.entered(1)

    def handler() -> object:
        answer = exporter.export(spans(3))
        inner.let_all_out()
        return answer

    answers = handle_when(lambda: exporter.health().in_flight == 3, handler)

    assert exporter.export(spans(2)) is SUCCESS
    assert first.result(timeout=20) is SUCCESS
    assert answers == [FAILURE]
    assert (exporter.health().exported, exporter.health().refused) == (3, 3)


def test_a_shutdown_in_a_signal_handler_that_interrupts_an_export_enters_beside_it_at_once(
    handle_when: HandleWhen,
) -> None:
    """R2, S1: the call cannot end while the handler waits, but the wrapped shutdown ends it."""

    class Ending(Gated):
        def shutdown(self) -> None:
            super().shutdown()
            self.let_all_out()

    inner = Ending()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=3600)
    handle_when(lambda: inner.threads, lambda: exporter.shutdown(3_600_000))

    assert exporter.export(spans(2)) is SUCCESS
    assert inner.shutdown_calls == 1
    assert exporter.export(spans(1)) is FAILURE


class _SlowClock:
    """Takes 0.25 s once, when it is asked for the last time before a probe, as a finalizer there may."""

    def __init__(self, deadlines: ManualClock) -> None:
        self._deadlines = deadlines
        self._asked = -1

    def arm(self) -> None:
        self._asked = 0

    def __call__(self) -> float:
        if self._asked >= 0:
            self._asked += 1
            if self._asked == 3:
                self._deadlines.advance(0.25)
            return 100.0
        return 0.0


def _with_a_slow_probe_due(
    inner: Gated, deadlines: ManualClock, export_timeout: float
) -> CircuitBreakerSpanExporter:
    clock = _SlowClock(deadlines)
    inner.let_out(0, FAILURE)
    exporter = CircuitBreakerSpanExporter(
        inner, failure_threshold=1, cooldown=60, export_timeout=export_timeout, clock=clock
    )
    exporter.export(spans(1))
    clock.arm()
    return exporter


def test_a_call_whose_time_is_over_before_it_starts_is_refused_and_the_probe_is_due(
    deadlines: ManualClock,
) -> None:
    """C3, R2: the wrapped exporter was not asked, so it is not hung."""
    inner = Gated()
    exporter = _with_a_slow_probe_due(inner, deadlines, 0.2)

    assert exporter.export(spans(2)) is FAILURE

    health = exporter.health()
    assert (len(inner.calls), health.failed, health.refused, health.hung_calls) == (1, 1, 2, 0)
    assert (health.state, health.retry_in, health.opened) == (CircuitState.OPEN, 0.0, 1)


def test_a_call_that_starts_late_is_hung_only_when_it_had_its_own_time(deadlines: ManualClock) -> None:
    """C2, R2: time before the call does not count for it; its caller still gets its thread back in time."""
    inner = Gated(when_stuck=lambda: deadlines.advance(0.25))
    exporter = _with_a_slow_probe_due(inner, deadlines, 0.5)

    assert exporter.export(spans(2)) is FAILURE
    assert (exporter.health().failed, exporter.health().hung_calls) == (3, 0)
    deadlines.advance(0.125)
    assert exporter.health().state is CircuitState.HALF_OPEN

    deadlines.advance(0.125)

    health = exporter.health()
    assert (health.state, health.hung_calls) == (CircuitState.OPEN, 1)
    inner.let_all_out()
