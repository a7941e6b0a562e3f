"""``OTLPIntegration(collector_url=...)``: spans go to that collector, once, and from there to Sentry."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable

import pytest
import sentry_sdk
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OfficialGRPC
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OfficialHTTP
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SimpleSpanProcessor,
    SpanExporter,
)
from sentry_sdk.integrations.otlp import OTLPIntegration

from breaker_exporter import CircuitBreakerSpanExporter
from breaker_exporter._wiring.switchable_processor import SwitchableProcessor
from breaker_exporter.otlp import CooperativeOTLPSpanExporter
from breaker_exporter.sentry import Sentry
from breaker_exporter.sentry._collector import sends_already
from breaker_exporter.telemetry import Telemetry, TelemetryError
from breaker_exporter.testing import FaultyCollector

from ._sentry import (
    FEW,
    Connected,
    arrived,
    connect,
    end_a_span,
    fail_in_a_span,
    init_as_the_application,
    linked,
    said,
    spans_at,
    warnings,
)

pytestmark = pytest.mark.skipif(
    "collector_url" not in inspect.signature(OTLPIntegration).parameters,
    reason="this release of sentry-sdk has no collector_url",
)


def test_spans_go_to_the_collector_and_none_to_sentry(
    sentry: FaultyCollector,
    collector: FaultyCollector,
    provider: TracerProvider,
    connected: Connected,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "breaker_exporter")
    given = OTLPIntegration(collector_url=collector.http_endpoint)
    exporter = connected(integrations=[given])

    span = fail_in_a_span(provider)
    provider.force_flush()

    assert spans_at(collector) == [span]
    assert sentry.spans_received == 0
    assert [linked(event) for event in arrived(sentry)] == [span]
    assert warnings(caplog) == []
    assert "and none from here; an exporter with a circuit sends them there" in caplog.text
    assert exporter is not None
    assert exporter.health().exported == 1
    assert (given.setup_otlp_traces_exporter, given.setup_propagator) == (True, True)


def official_http(collector: FaultyCollector) -> SpanExporter:
    return OfficialHTTP(endpoint=collector.http_endpoint)


def official_grpc(collector: FaultyCollector) -> SpanExporter:
    return OfficialGRPC(endpoint=collector.grpc_endpoint, insecure=True)


def ours(collector: FaultyCollector) -> SpanExporter:
    return CooperativeOTLPSpanExporter(collector.http_endpoint)


def guarded(collector: FaultyCollector) -> SpanExporter:
    return CircuitBreakerSpanExporter(ours(collector))


@pytest.mark.parametrize("make", [official_http, ours, guarded])
def test_an_exporter_to_the_collector_that_exists_already_sends_them_alone(
    sentry: FaultyCollector,
    collector: FaultyCollector,
    provider: TracerProvider,
    connected: Connected,
    caplog: pytest.LogCaptureFixture,
    make: Callable[[FaultyCollector], SpanExporter],
) -> None:
    provider.add_span_processor(BatchSpanProcessor(make(collector)))

    assert connected(integrations=[OTLPIntegration(collector_url=collector.http_endpoint)]) is None
    span = end_a_span(provider)
    provider.force_flush()

    assert spans_at(collector) == [span]
    assert sentry.spans_received == 0
    assert warnings(caplog) == []


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_telemetry_sends_them_once_by_either_protocol(
    sentry: FaultyCollector,
    collector: FaultyCollector,
    provider: TracerProvider,
    caplog: pytest.LogCaptureFixture,
    protocol: str,
) -> None:
    is_grpc = protocol == "grpc"
    url = collector.grpc_endpoint if is_grpc else collector.http_endpoint
    telemetry = Telemetry(
        provider=provider,
        endpoint=collector.grpc_endpoint if is_grpc else collector.http_base,
        protocol=protocol,  # type: ignore[arg-type]
        sentry=Sentry(
            dsn=sentry.sentry_dsn,
            release="shop@1",
            options={**FEW, "integrations": [OTLPIntegration(collector_url=url)]},
        ),
    )
    telemetry.start()
    names = [exporter.health().name for exporter in telemetry.exporters]
    span = fail_in_a_span(provider)
    telemetry.stop()

    assert names == ["collector"]
    assert spans_at(collector) == [span]
    assert sentry.spans_received == 0
    assert [linked(event) for event in arrived(sentry)] == [span]
    assert warnings(caplog) == []


def test_where_the_applications_client_exports_itself_one_warning_has_a_line_that_loses_nothing(
    sentry: FaultyCollector,
    collector: FaultyCollector,
    provider: TracerProvider,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its exporter is on the global provider, which here stands for the given one."""
    monkeypatch.setattr("sentry_sdk.integrations.otlp.get_tracer_provider", lambda: provider)
    url = f"{collector.http_endpoint}?key=canary5ecret"
    init_as_the_application(sentry.sentry_dsn, integrations=[OTLPIntegration(collector_url=url)])

    assert connect(provider) is None
    span = end_a_span(provider)
    provider.force_flush()

    assert spans_at(collector) == [span]
    assert sentry.spans_received == 0
    (line,) = warnings(caplog)
    assert f"sends every span to {collector.http_endpoint.split('/')[2]} by an exporter of its own" in line
    assert "use integrations=[OTLPIntegration(collector_url=..., setup_otlp_traces_exporter=False" in line
    assert "canary5ecret" not in line


def test_with_that_line_each_span_is_once_at_the_collector_and_not_at_sentry(
    sentry: FaultyCollector,
    collector: FaultyCollector,
    provider: TracerProvider,
    caplog: pytest.LogCaptureFixture,
) -> None:
    integration = OTLPIntegration(
        collector_url=collector.http_endpoint, setup_otlp_traces_exporter=False, setup_propagator=False
    )
    init_as_the_application(sentry.sentry_dsn, integrations=[integration])
    telemetry = Telemetry(provider=provider, endpoint=collector.http_base, sentry=Sentry())

    telemetry.start()
    span = end_a_span(provider)
    telemetry.stop()

    assert spans_at(collector) == [span]
    assert sentry.spans_received == 0
    assert warnings(caplog) == []


def test_a_collector_without_a_propagator_keeps_its_url_in_the_advice(
    sentry: FaultyCollector,
    provider: TracerProvider,
    caplog: pytest.LogCaptureFixture,
    collector: FaultyCollector,
) -> None:
    integration = OTLPIntegration(collector_url=collector.http_endpoint, setup_otlp_traces_exporter=False)
    init_as_the_application(sentry.sentry_dsn, integrations=[integration])

    connect(provider)

    (line,) = warnings(caplog)
    assert (
        "OTLPIntegration(collector_url=..., setup_otlp_traces_exporter=False, setup_propagator=False)" in line
    )


def test_a_malformed_url_is_one_warning_and_errors_still_arrive(
    sentry: FaultyCollector,
    provider: TracerProvider,
    connected: Connected,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = OTLPIntegration(collector_url="collector:4318?key=canary5ecret")

    assert connected(integrations=[given]) is None
    fail_in_a_span(provider)

    (line,) = warnings(caplog)
    assert line.startswith(
        "Sentry gets errors, and no spans: collector_url of sentry-sdk's OTLPIntegration: "
    )
    assert "canary5ecret" not in line
    assert len(arrived(sentry)) == 1

    monkeypatch.setenv("BREAKER_EXPORTER_STRICT", "1")
    with pytest.raises(TelemetryError, match="collector_url"):
        connect(TracerProvider(), dsn=sentry.sentry_dsn, **FEW)
    assert said(caplog, logging.WARNING) == [line]


@pytest.mark.parametrize("make", [official_http, official_grpc, ours, guarded])
def test_the_destination_of_a_provider_is_read_from_private_attributes(
    collector: FaultyCollector, provider: TracerProvider, make: Callable[[FaultyCollector], SpanExporter]
) -> None:
    """If this fails with a new release of OpenTelemetry, spans would arrive twice."""
    url = collector.grpc_endpoint if make is official_grpc else collector.http_endpoint
    provider.add_span_processor(SwitchableProcessor())
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
    assert not sends_already(provider, url)

    provider.add_span_processor(SimpleSpanProcessor(make(collector)))

    assert sends_already(provider, url)
    assert not sends_already(provider, "http://elsewhere:4318/v1/traces")
    assert not sends_already(provider, "http://[broken")


def test_both_ports_of_a_collector_are_one_collector(provider: TracerProvider) -> None:
    provider.add_span_processor(SimpleSpanProcessor(OfficialGRPC(endpoint="http://collector:4317")))

    assert sends_already(provider, "http://collector:4318/v1/traces")
    assert not sends_already(provider, "http://collector:4319/v1/traces")


def test_an_integration_that_would_export_by_itself_does_not(
    sentry: FaultyCollector, provider: TracerProvider, connected: Connected
) -> None:
    first = connected(integrations=[OTLPIntegration()])

    assert first is not None
    assert connected(integrations=[OTLPIntegration()]) is first
    integration = sentry_sdk.get_client().get_integration(OTLPIntegration)
    assert integration is not None
    assert not integration.setup_otlp_traces_exporter
