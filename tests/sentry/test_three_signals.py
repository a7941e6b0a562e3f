"""All three signals with Sentry: spans and log records by OTLP, errors as events, and nothing twice."""

from __future__ import annotations

import json
import logging
from collections import Counter
from typing import Any

import pytest
import sentry_sdk
from opentelemetry.sdk.trace import TracerProvider
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.integrations.otlp import OTLPIntegration

from breaker_exporter.sentry import Sentry, SentryMode
from breaker_exporter.sentry._log_exporter import SentryLogRecordExporter
from breaker_exporter.sentry._logs import are_wanted
from breaker_exporter.testing import Fault, FaultyCollector, Signal

from .._signals import log_records
from ..semantics._processes import run_plain
from . import scenarios
from ._sentry import Connected, connect, init_as_the_application, linked, payload, said
from .test_ignored_loggers import crumbs

LINES = {"shelf is nearly empty": 1, "sold out": 1}


class Ran:
    """A service that has run, and what Sentry got of it."""

    def __init__(self, sentry: FaultyCollector, output: str) -> None:
        self.output = output
        said = next(line for line in output.splitlines() if line.startswith('["'))
        self.trace_id, self.exporters = json.loads(said)
        self.items = sentry.latest_sentry_items
        self.spans = Counter(span.name for span in sentry.latest_spans)
        self.records = sentry.latest_log_records
        self.data_points = sentry.counts().data_points

    @property
    def events(self) -> list[str]:
        """What they say; each belongs to the trace."""
        found = [item for item in self.items if item.kind == "event"]
        assert {linked(event).trace_id for event in found} == {self.trace_id}
        return sorted(
            event["logentry"]["message"] if "logentry" in event else event["exception"]["values"][0]["type"]
            for event in map(payload, found)
        )

    @property
    def logs(self) -> list[str]:
        """The logs that sentry-sdk has sent itself."""
        found = [log for item in self.items if item.kind == "log" for log in payload(item)["items"]]
        return [log["body"] for log in found]


@pytest.fixture
def ran(sentry: FaultyCollector, collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the service in a process of its own, with some options of ``sentry_sdk.init``."""

    def run(options: dict[str, Any], **variables: str) -> Ran:
        given = {
            "SENTRY_DSN": sentry.sentry_dsn,
            "SENTRY_RELEASE": "shop@1",
            "OPTIONS": json.dumps(options),
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base,
            "OTEL_LOGS_EXPORTER": "otlp",
            "OTEL_METRICS_EXPORTER": "otlp",
            "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": "true",
            **variables,
        }
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        return Ran(sentry, run_plain(scenarios.all_three_signals))

    return run


def test_log_records_go_to_sentry_once_where_that_is_asked_for(
    ran: Any, collector: FaultyCollector, sentry: FaultyCollector
) -> None:
    found = ran({}, BREAKER_EXPORTER_SENTRY_LOGS="1")

    assert found.exporters == ["collector", "sentry", "collector logs", "sentry logs", "collector metrics"]
    assert found.spans == {"browse": 1, "request": 1, "checkout": 1}
    assert Counter(str(record.body) for record in found.records) == LINES
    assert {record.trace_id for record in found.records} == {found.trace_id}
    assert found.events == ["LookupError", "sold out"]
    assert found.logs == []
    assert found.data_points == 0
    assert {item.kind for item in found.items} == {"event"}
    assert Counter(str(record.body) for record in collector.latest_log_records) == LINES
    assert [(point.metric, point.value) for point in collector.latest_data_points] == [("sold", 3)]


def test_unless_it_is_asked_for_the_collector_alone_gets_them(ran: Any, collector: FaultyCollector) -> None:
    found = ran({})

    assert found.spans == {"browse": 1, "request": 1, "checkout": 1}
    assert (list(found.records), found.logs, found.data_points) == ([], [], 0)
    assert found.events == ["LookupError", "sold out"]
    assert collector.log_bodies == LINES.keys()


def test_where_sentry_sdk_sends_them_itself_they_come_once_too(ran: Any, collector: FaultyCollector) -> None:
    found = ran({"enable_logs": True}, BREAKER_EXPORTER_SENTRY_LOGS="1")

    assert list(found.records) == []
    assert Counter(body for body in found.logs if body in LINES) == LINES
    assert found.events == ["LookupError", "sold out"]
    assert collector.log_bodies == LINES.keys()


def test_a_circuit_that_opens_makes_no_event_and_no_breadcrumb_and_is_a_log_record(ran: Any) -> None:
    """Here Sentry is the only one that gets log records."""
    found = ran(
        {},
        BREAKER_EXPORTER_SENTRY_LOGS="1",
        BREAKER_EXPORTER_FAILURE_THRESHOLD="1",
        OTEL_LOGS_EXPORTER="none",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1",
    )

    assert found.exporters == ["collector", "sentry", "sentry logs", "collector metrics"]
    assert found.events == ["LookupError", "sold out"]
    crumbs_of = [crumbs(payload(item)) for item in found.items]
    assert crumbs_of == [["shelf is nearly empty"], ["shelf is nearly empty", "sold out"]]
    ours = [str(record.body) for record in found.records if record.scope == "breaker_exporter"]
    assert {str(record.body) for record in found.records} - set(ours) == LINES.keys()
    assert len([line for line in ours if "connection refused" in line]) == 1, ours


def test_a_sentry_that_cannot_be_sent_to_costs_the_collector_nothing(
    ran: Any, collector: FaultyCollector
) -> None:
    found = ran({"ca_certs": "/nowhere/ca.pem"}, BREAKER_EXPORTER_SENTRY_LOGS="1")

    assert found.exporters == ["collector", "collector logs", "collector metrics"]
    assert "Sentry gets errors, and no spans: " in found.output
    assert "Sentry gets no log records: " in found.output
    assert collector.log_bodies == LINES.keys()


def test_a_rate_limit_is_final_for_log_records_too(sentry: FaultyCollector) -> None:
    sentry.set_fault(Fault.RESOURCE_EXHAUSTED, retry_after=30)
    exporter = SentryLogRecordExporter(sentry.http_endpoint_of(Signal.LOGS))
    payload = exporter.encode_batch(log_records(2))

    delivery = exporter.send_payload(payload)
    exporter.shutdown()

    assert delivery.left is None
    assert delivery.report.reason.startswith("HTTP 429")


@pytest.mark.parametrize(
    ("mode", "options", "expected"),
    [
        (SentryMode.OTLP, {}, ""),
        (SentryMode.OTLP, {"default_integrations": False}, ""),
        (SentryMode.OTLP, {"enable_logs": True}, "sentry-sdk sends them itself"),
        (SentryMode.OTLP, {"enable_logs": True, "default_integrations": False}, ""),
        (SentryMode.SPAN_PROCESSOR, {}, "the mode span_processor"),
    ],
)
def test_they_go_by_otlp_where_nobody_else_brings_them_there(
    sentry: FaultyCollector,
    caplog: pytest.LogCaptureFixture,
    mode: SentryMode,
    options: dict[str, Any],
    expected: str,
) -> None:
    caplog.set_level(logging.INFO, "breaker_exporter")
    init_as_the_application(sentry.sentry_dsn, **options)

    assert are_wanted(sentry_sdk.get_client(), mode) is not bool(expected)
    assert [expected in line for line in said(caplog, logging.INFO)] == [True] * bool(expected)


@pytest.mark.skipif(not hasattr(LoggingIntegration, "capture_sentry_logs"), reason="newer releases have it")
def test_the_integration_says_who_sends_log_records(sentry: FaultyCollector) -> None:
    for asked in (True, False):
        integration = LoggingIntegration(capture_sentry_logs=asked)
        init_as_the_application(sentry.sentry_dsn, integrations=[integration], enable_logs=not asked)

        assert are_wanted(sentry_sdk.get_client(), SentryMode.OTLP) is not asked
    LoggingIntegration()  # the class keeps what the latest object was given


def test_a_collector_that_passes_spans_on_gets_log_records_as_it_gets_spans(sentry: FaultyCollector) -> None:
    integration = OTLPIntegration(setup_otlp_traces_exporter=False, setup_propagator=False)
    integration.collector_url = "http://127.0.0.1:1/v1/traces"
    init_as_the_application(sentry.sentry_dsn, integrations=[integration])

    assert not are_wanted(sentry_sdk.get_client(), SentryMode.OTLP)


def test_an_application_that_connects_its_provider_itself_is_told(
    provider: TracerProvider, connected: Connected, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "breaker_exporter")

    exporter = connected(logs=True)

    assert any("by the Gunicorn hooks or Telemetry alone" in line for line in said(caplog, logging.INFO))
    with pytest.raises(ValueError, match=r"another logs$"):
        connect(provider, logs=False)
    assert connected() is exporter


def test_the_switch_is_a_bool() -> None:
    with pytest.raises(TypeError, match=r"^logs must be True or False, not 1$"):
        Sentry(logs=1)  # type: ignore[arg-type]
    assert repr(Sentry(logs=True)) == "Sentry(logs=True)"
