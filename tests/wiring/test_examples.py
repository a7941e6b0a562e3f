"""The example services under real Gunicorn: what they say arrives at the collector and at Sentry, linked."""

from __future__ import annotations

import http.client
from pathlib import Path
from typing import Any

import pytest

from breaker_exporter.testing import Fault, FaultyCollector

from .._gunicorn import GunicornService
from ..semantics._waiting import until

pytest.importorskip("opentelemetry.instrumentation.flask", reason="needs the group services")

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(name: str, target: str, collector: FaultyCollector, **variables: str) -> GunicornService:
    sources = {path.name: path.read_text() for path in (EXAMPLES / name).glob("*.py")}
    return GunicornService(
        "",
        more=sources,
        target=target,
        env={
            "OTEL_SERVICE_NAME": "shop",
            "OTEL_RESOURCE_ATTRIBUTES": "service.version=1.4.2",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            **variables,
        },
    )


def fail(service: GunicornService) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=15)
    connection.request("GET", "/broken", headers={"Connection": "close"})
    assert connection.getresponse().status == 500
    connection.close()


def error(sentry: FaultyCollector) -> dict[str, Any]:
    (event,) = [item.payload for item in sentry.latest_sentry_items if item.kind == "event"]
    assert event is not None
    return dict(event)


@pytest.mark.parametrize(
    ("name", "target"), [("flask_sentry", "app:app"), ("django_sentry", "wsgi:application")]
)
def test_an_error_and_its_span_share_ids_at_sentry_and_at_the_collector(
    collector: FaultyCollector, sentry: FaultyCollector, name: str, target: str
) -> None:
    with example(name, target, collector, SENTRY_DSN=sentry.sentry_dsn) as service:
        assert service.get() == "sold\n"
        fail(service)
        assert collector.wait_for_spans(2)
        assert sentry.wait_for_spans(2)
        assert sentry.wait_for_sentry_items(1, kind="event")
        ended = service.terminate()

    trace = error(sentry)["contexts"]["trace"]
    ids = {(span.trace_id, span.span_id) for span in collector.latest_spans}
    assert (trace["trace_id"], trace["span_id"]) in ids
    assert ids == {(span.trace_id, span.span_id) for span in sentry.latest_spans}
    assert len(ids) == 2  # nor are there spans of what was sent
    assert [item for item in sentry.latest_sentry_items if item.kind == "transaction"] == []
    assert ended.returncode == 0
    assert "Warning" not in service.output
    assert "WARNING:breaker_exporter" not in service.output


def test_spans_logs_and_metrics_of_the_example_outlast_an_outage(collector: FaultyCollector) -> None:
    pytest.importorskip("opentelemetry.instrumentation.logging.handler", reason="comes with 0.61b0")
    variables = {
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_BLRP_SCHEDULE_DELAY": "100",
        "OTEL_METRIC_EXPORT_INTERVAL": "100",
        "BREAKER_EXPORTER_FAILURE_THRESHOLD": "1",
        "BREAKER_EXPORTER_COOLDOWN": "0.2",
        "BREAKER_EXPORTER_MAX_COOLDOWN": "0.2",
    }

    def sold() -> int:
        return [each.body for each in collector.latest_log_records].count("sold one")

    with example("flask_three_signals", "app:app", collector, **variables) as service:
        assert service.get() == "sold\n"
        assert collector.wait_for_log_records(1)
        assert collector.wait_for_spans(1)
        (record,), (span,) = collector.latest_log_records, collector.latest_spans
        collector.fault = Fault.STATUS
        assert service.get() == "sold\n"
        for item in ("span", "log record", "data point"):
            service.wait_for_line(rf"circuit opened.* {item}s? kept, 0 lost")
        collector.fault = Fault.NONE
        until(lambda: (collector.spans_received, sold(), collector.counter_total("sold")) == (2, 2, 2))
        ended = service.terminate()

    assert (record.trace_id, record.span_id) == (span.trace_id, span.span_id)
    assert (collector.spans_received, sold(), collector.counter_total("sold")) == (2, 2, 2)
    assert ended.returncode == 0
