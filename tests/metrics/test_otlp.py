"""Pushed by OpenTelemetry's own reader and exporter, while the collector of the spans is away."""

from __future__ import annotations

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState
from breaker_exporter.instrumentation import observe
from breaker_exporter.otlp import CooperativeOTLPSpanExporter
from breaker_exporter.testing import Fault, FaultyCollector, ManualClock

from ..otlp._server import Server, answer, serving
from ..semantics._processes import run_patched
from ..semantics._spans import spans
from ..semantics._waiting import until
from ._reading import pushed

_EVERY = 20
"""Milliseconds."""


def meter_provider(receiver: Server) -> MeterProvider:
    exporter = OTLPMetricExporter(f"{receiver.base}/v1/metrics")
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=_EVERY)
    return MeterProvider([reader], shutdown_on_exit=False)


def check_an_outage(collector: FaultyCollector, receiver: Server) -> None:
    provider = meter_provider(receiver)
    clock = ManualClock()
    exporter = CircuitBreakerSpanExporter(
        CooperativeOTLPSpanExporter(collector.http_endpoint), name="otlp", failure_threshold=2, clock=clock
    )
    observe(exporter, provider)

    exporter.export(spans(5))
    collector.set_fault(Fault.STATUS, status=500)
    for count in (3, 4, 6):
        exporter.export(spans(count))
    until(
        lambda: pushed(receiver.requests).outcomes() == {"": 5, "_OTHER": 7, "circuit_open": 6, "dropped": 0}
    )
    assert pushed(receiver.requests).state() == {"open"}

    collector.fault = Fault.NONE
    clock.advance(60)
    exporter.export(spans(2))
    until(lambda: pushed(receiver.requests).state() == {"closed"})
    provider.shutdown()

    reading, health = pushed(receiver.requests), exporter.health()
    counts = {"": health.exported, "_OTHER": health.failed, "circuit_open": health.refused}
    assert reading.outcomes() == {**counts, "dropped": 0}
    assert reading.outcomes()[""] == len(collector.span_ids) == 7
    assert sum(reading.outcomes().values()) == health.received
    assert reading.by("", "breaker_exporter_circuit_transitions_total") == {"": 1}
    exporter.shutdown()


def test_pushed_counts_agree_with_the_collector(collector: FaultyCollector, receiver: Server) -> None:
    check_an_outage(collector, receiver)


def in_a_patched_process() -> None:
    with FaultyCollector() as collector, serving() as receiver:
        check_an_outage(collector, receiver)


def test_pushed_counts_agree_with_the_collector_under_gevent() -> None:
    run_patched(in_a_patched_process)


def test_a_receiver_that_was_away_gets_the_current_counts(collector: FaultyCollector) -> None:
    """Counts go on from where they were: an export of metrics that fails loses nothing."""
    exporter = CircuitBreakerSpanExporter(CooperativeOTLPSpanExporter(collector.http_endpoint))
    with serving(answer(400), answer(400)) as receiver:
        provider = meter_provider(receiver)
        observe(exporter, provider)
        exporter.export(spans(5))
        until(lambda: len(receiver.requests) >= 3)
        provider.shutdown()

    assert pushed(receiver.requests[2:]).outcomes()[""] == len(collector.span_ids) == 5
    assert exporter.state is CircuitState.CLOSED
    exporter.shutdown()
