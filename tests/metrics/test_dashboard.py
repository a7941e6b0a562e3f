"""Dashboard, alert and the queries of the docs ask for what there is to be scraped."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from breaker_exporter import (
    CircuitBreakerLogRecordExporter,
    CircuitBreakerMetricExporter,
    CircuitBreakerSpanExporter,
)
from breaker_exporter.instrumentation import observe
from breaker_exporter.testing import (
    ScriptedExporter,
    ScriptedLogRecordExporter,
    ScriptedMetricExporter,
    hang,
)

from ..semantics._waiting import until
from ._reading import Reading, scraped
from ._recipes import METRICS_PAGE

ROOT = Path(__file__).parents[2]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "docs/dashboard.json").read_text())
EXPRESSIONS = [
    *(target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]),
    (ROOT / "docs/alerts.yml").read_text(),
    *re.findall(r"^```promql\n(.+?)^```", (ROOT / METRICS_PAGE).read_text(), re.MULTILINE | re.DOTALL),
]
OF_PROMETHEUS = {"instance", "job"}


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch, for_prometheus: tuple[MeterProvider, str]) -> Reading:
    """Of a service whose exporter of spans is stuck, and whose queue of them is full."""
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    provider, url = for_prometheus
    inner = ScriptedExporter([hang])
    exporter = CircuitBreakerSpanExporter(inner)
    others = (
        CircuitBreakerLogRecordExporter(ScriptedLogRecordExporter([])),
        CircuitBreakerMetricExporter(ScriptedMetricExporter([])),
    )
    for each in (exporter, *others):
        observe(each, provider)
    processor = BatchSpanProcessor(
        exporter, max_queue_size=1, max_export_batch_size=1, meter_provider=provider
    )
    tracing = TracerProvider(shutdown_on_exit=False)
    tracing.add_span_processor(processor)
    tracer = tracing.get_tracer("shop")
    tracer.start_span("stuck").end()
    until(lambda: inner.calls)
    for name in ("queued", "dropped"):
        tracer.start_span(name).end()
    reading = scraped(url)
    inner.release()
    tracing.shutdown()
    for each in others:
        each.shutdown()
    return reading


def by_name(expression: str, known: set[str]) -> list[str]:
    """An expression once for each metric whose name its matcher takes."""
    matched = re.search(r'{__name__=~"([^"]+)", ', expression)
    if matched is None:
        return [expression]
    names = sorted(name for name in known if re.fullmatch(matched[1], name))
    assert names, expression
    return [expression.replace(matched[0], f"{name}{{") for name in names]


def test_a_query_of_all_exporters_asks_for_each_signal(reading: Reading) -> None:
    (alert,) = (text for text in EXPRESSIONS if "TelemetryIsLost" in text)

    asked = "".join(by_name(alert, reading.names))

    assert set(re.findall(r"exporter_(\w+)_exported_total{", asked)) == {"span", "log", "metric_data_point"}


def test_the_dashboard_and_the_alert_query_metrics_that_exist(reading: Reading) -> None:
    known = {label for sample in reading.samples for label in sample.labels}
    for expression in (one for text in EXPRESSIONS for one in by_name(text, reading.names)):
        names = set(re.findall(r"\b(?:otel_sdk|breaker_exporter)_\w+", expression))
        assert names, expression
        assert names <= reading.names | known, expression
        for name, selectors in re.findall(r"(\w+)\{([^{}]*=[^{}]*)\}", expression):
            for label, operator, value in re.findall(r'(\w+)(=~|!=|=)"([^"]*)"', selectors):
                found = {sample.labels.get(label, "") for sample in reading.samples if sample.name == name}
                pattern = value if operator == "=~" else re.escape(value)
                matches = [re.fullmatch(pattern, one) is not None for one in found]
                assert (operator != "!=") in matches, (expression, label, value)
        for group in re.findall(r"by \(([^)]*)\)", expression):
            assert set(re.split(r",\s*", group)) <= known | OF_PROMETHEUS, expression


def test_the_dashboard_can_be_imported() -> None:
    (source,) = DASHBOARD["__inputs"]
    assert (source["name"], source["type"], source["pluginId"]) == (
        "DS_PROMETHEUS",
        "datasource",
        "prometheus",
    )
    assert {one["id"] for one in DASHBOARD["__requires"] if one["type"] == "panel"} == {
        panel["type"] for panel in DASHBOARD["panels"]
    }
    assert DASHBOARD["id"] is None
    assert DASHBOARD["title"]
    assert DASHBOARD["uid"]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in DASHBOARD["panels"]:
        for asked in (panel, *panel["targets"]):
            assert asked["datasource"] == {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
