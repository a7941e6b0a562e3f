"""Scraped as Prometheus does it, over HTTP and as text, while the spans' collector is away."""

from __future__ import annotations

import os

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider

from breaker_exporter import CircuitBreakerSpanExporter
from breaker_exporter.instrumentation import observe
from breaker_exporter.otlp import CooperativeOTLPSpanExporter
from breaker_exporter.testing import Fault, FaultyCollector, ManualClock

from ..semantics._spans import spans
from ._reading import OURS, scraped


def test_scraped_counts_agree_with_the_collector(
    collector: FaultyCollector, for_prometheus: tuple[MeterProvider, str]
) -> None:
    provider, url = for_prometheus
    clock = ManualClock()
    exporter = CircuitBreakerSpanExporter(
        CooperativeOTLPSpanExporter(collector.http_endpoint), name="otlp", failure_threshold=2, clock=clock
    )
    observe(exporter, provider)

    exporter.export(spans(5))
    collector.fault = Fault.REFUSE
    for count in (3, 4, 6):
        exporter.export(spans(count))

    during = scraped(url)
    assert during.outcomes() == {"": 5, "_OTHER": 7, "circuit_open": 6, "dropped": 0}
    assert during.state() == {"open"}
    assert during.by("otel_component_name", "breaker_exporter_circuit_cooldown_seconds") == {"otlp": 15}

    collector.fault = Fault.NONE
    clock.advance(60)
    exporter.export(spans(2))

    after, health = scraped(url), exporter.health()
    counts = {"": health.exported, "_OTHER": health.failed, "circuit_open": health.refused}
    assert after.outcomes() == {**counts, "dropped": 0}
    assert after.outcomes()[""] == len(collector.span_ids) == 7
    assert sum(after.outcomes().values()) == health.received
    assert after.state() == {"closed"}
    assert after.by("breaker_exporter_circuit_state", "breaker_exporter_circuit_transitions_total") == {
        "open": 1
    }
    assert after.pids == {os.getpid()}
    exporter.shutdown()


def test_metrics_of_the_official_exporter_are_kept_apart(
    monkeypatch: pytest.MonkeyPatch, collector: FaultyCollector, for_prometheus: tuple[MeterProvider, str]
) -> None:
    """It does so by the same names with other labels, for which the Prometheus exporter has a trap."""
    provider, url = for_prometheus
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    official = OTLPSpanExporter(collector.http_endpoint, meter_provider=provider)
    exporter = CircuitBreakerSpanExporter(official, name="otlp")
    observe(exporter, provider)
    exporter.export(spans(5))

    reading = scraped(url)

    types = {
        sample.labels["otel_component_type"]: sample.value
        for sample in reading.samples
        if sample.name == "otel_sdk_exporter_span_exported_total" and not sample.labels.get("error_type")
    }
    assert types == {"otlp_http_span_exporter": 5, OURS: 5}
    assert reading.outcomes() == {"": 5, "_OTHER": 0, "circuit_open": 0, "dropped": 0}
    assert reading.pids == {os.getpid()}
    exporter.shutdown()
