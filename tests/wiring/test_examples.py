"""The example services under real Gunicorn: traces at collector and Sentry, errors at Sentry, linked."""

from __future__ import annotations

import http.client
from pathlib import Path
from typing import Any

import pytest

from breaker_exporter.testing import FaultyCollector

from .._gunicorn import GunicornService

pytest.importorskip("opentelemetry.instrumentation.flask", reason="needs the group services")

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(name: str, target: str, collector: FaultyCollector, sentry: FaultyCollector) -> GunicornService:
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
            "SENTRY_DSN": sentry.sentry_dsn,
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
    with example(name, target, collector, sentry) as service:
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
