"""A dead Sentry beside a healthy collector, and the reverse."""

from __future__ import annotations

import time
from typing import Any

from opentelemetry.sdk.trace import TracerProvider

from breaker_exporter import CircuitState, CircuitTransition
from breaker_exporter.telemetry import Telemetry
from breaker_exporter.testing import Fault, FaultyCollector

from ._dead import FAULTS
from ._sentry import arrived, end_a_span, fail_in_a_span, linked, payload, spans_at


def states(telemetry: Telemetry) -> dict[str, CircuitState]:
    return {exporter.health().name: exporter.state for exporter in telemetry.exporters}


@FAULTS
def test_a_dead_sentry_opens_its_own_circuit_alone(
    sentry: FaultyCollector,
    collector: FaultyCollector,
    provider: TracerProvider,
    wary: Telemetry,
    changes: list[CircuitTransition],
    fault: Fault,
    settings: dict[str, Any],
) -> None:
    sentry.set_fault(fault, **settings)

    spans = [end_a_span(provider) for _ in range(3)]
    provider.force_flush(5_000)  # less than the cooldown
    spans += [end_a_span(provider) for _ in range(3)]
    provider.force_flush(5_000)  # less than the cooldown

    assert states(wary) == {"collector": CircuitState.CLOSED, "sentry": CircuitState.OPEN}
    assert [(change.name, change.new) for change in changes] == [("sentry", CircuitState.OPEN)]
    assert spans_at(collector) == spans


@FAULTS
def test_a_dead_collector_opens_its_own_circuit_alone_and_is_one_event_at_sentry(
    sentry: FaultyCollector,
    collector: FaultyCollector,
    provider: TracerProvider,
    wary: Telemetry,
    changes: list[CircuitTransition],
    fault: Fault,
    settings: dict[str, Any],
) -> None:
    collector.set_fault(fault, **settings)

    spans = [fail_in_a_span(provider) for _ in range(3)]
    provider.force_flush(5_000)  # less than the cooldown
    spans += [fail_in_a_span(provider) for _ in range(3)]
    provider.force_flush(5_000)  # less than the cooldown

    assert states(wary) == {"collector": CircuitState.OPEN, "sentry": CircuitState.CLOSED}
    assert [(change.name, change.new) for change in changes] == [("collector", CircuitState.OPEN)]
    assert spans_at(sentry) == spans
    events = arrived(sentry)
    told = [event for event in events if payload(event).get("logger") == "breaker_exporter"]
    assert [payload(event)["tags"]["circuit"] for event in told] == ["collector"]
    assert [linked(event) for event in events if event not in told] == spans


@FAULTS
def test_ending_spans_and_reporting_errors_never_waits_for_a_dead_sentry(
    sentry: FaultyCollector,
    provider: TracerProvider,
    wary: Telemetry,
    fault: Fault,
    settings: dict[str, Any],
) -> None:
    """Measured against what a hundred take while it lives."""

    def a_hundred() -> float:
        began = time.monotonic()
        for _ in range(100):
            fail_in_a_span(provider)
        return time.monotonic() - began

    alive = a_hundred()
    sentry.set_fault(fault, **settings)

    assert a_hundred() < 5 * alive + 5.0
