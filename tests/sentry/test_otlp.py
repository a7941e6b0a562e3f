"""The mode OTLP: errors belong to OpenTelemetry's spans, and Sentry gets a share of whole traces."""

from __future__ import annotations

from typing import Any

import pytest
import sentry_sdk
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import format_trace_id
from sentry_sdk.integrations.otlp import OTLPIntegration

from breaker_exporter.sentry import SentryMode
from breaker_exporter.testing import FaultyCollector

from ._sentry import (
    FEW,
    Connected,
    Ids,
    arrived,
    connect,
    fail_in_a_span,
    ids_of,
    linked,
    payload,
    spans_at,
    warnings,
)
from ._server import Server

RATES: list[dict[str, Any]] = [
    {},
    {"traces_sample_rate": 0},
    {"traces_sample_rate": 0.1},
    {"traces_sample_rate": 1},
]


class EvenIds(RandomIdGenerator):
    """Trace ids of which any share is known: twenty of them, spread evenly."""

    def __init__(self) -> None:
        self._next = 0

    def generate_trace_id(self) -> int:
        self._next += 1
        return (0xFEED << 64) + (2 * self._next - 1) * 2**64 // 40


def test_an_error_and_its_span_share_their_ids_at_sentry(
    sentry: FaultyCollector, provider: TracerProvider, connected: Connected
) -> None:
    exporter = connected()

    span = fail_in_a_span(provider)
    provider.force_flush()

    (event,) = arrived(sentry)
    assert linked(event) == span
    assert spans_at(sentry) == [span]
    assert exporter is not None
    assert (exporter.health().name, exporter.health().exported) == ("sentry", 1)


def test_it_is_the_default_mode(
    sentry: FaultyCollector, provider: TracerProvider, connected: Connected
) -> None:
    first = connected()

    assert connected(mode=SentryMode.OTLP) is first
    assert sentry_sdk.get_client().options["instrumenter"] == "sentry"


def test_an_error_belongs_to_the_innermost_span(
    sentry: FaultyCollector, provider: TracerProvider, connected: Connected
) -> None:
    connected()

    with provider.get_tracer("shop").start_as_current_span("request") as request:
        inner = fail_in_a_span(provider)
    provider.force_flush()

    (event,) = arrived(sentry)
    assert linked(event) == inner
    assert inner.trace_id == ids_of(request).trace_id
    assert sorted(span.name for span in sentry.latest_spans) == ["checkout", "request"]


def test_an_error_outside_of_any_span_is_reported_too(sentry: FaultyCollector, connected: Connected) -> None:
    connected()

    sentry_sdk.capture_message("no span here")

    assert [payload(event)["message"] for event in arrived(sentry)] == ["no span here"]


@pytest.mark.parametrize("rate", RATES)
def test_at_any_rate_errors_are_linked_and_nothing_is_a_transaction(
    sentry: FaultyCollector, provider: TracerProvider, connected: Connected, rate: dict[str, Any]
) -> None:
    connected(**rate)

    spans = [fail_in_a_span(provider) for _ in range(5)]
    provider.force_flush()

    assert [linked(event) for event in arrived(sentry)] == spans
    assert {item.kind for item in sentry.latest_sentry_items} == {"event"}
    options = sentry_sdk.get_client().options
    assert (options["traces_sample_rate"], options["traces_sampler"]) == (None, None)


@pytest.mark.parametrize(("rate", "expected"), [({}, 20), *zip(RATES[1:], (0, 2, 20), strict=True)])
def test_the_rate_chooses_whole_traces_by_their_ids_and_for_sentry_alone(
    sentry: FaultyCollector, rate: dict[str, Any], expected: int
) -> None:
    others = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({}), shutdown_on_exit=False, id_generator=EvenIds())
    provider.add_span_processor(SimpleSpanProcessor(others))
    connect(provider, dsn=sentry.sentry_dsn, **rate, **FEW)

    tracer = provider.get_tracer("shop")
    for _ in range(20):
        with tracer.start_as_current_span("request"), tracer.start_as_current_span("query"):
            pass
    provider.shutdown()

    ids = EvenIds()
    chosen = {format_trace_id(ids.generate_trace_id()) for _ in range(expected)}
    arrived_spans = spans_at(sentry)
    assert {span.trace_id for span in arrived_spans} == chosen
    assert len(set(arrived_spans)) == len(arrived_spans) == 2 * expected
    assert len(others.get_finished_spans()) == 40


def test_a_trace_that_was_left_out_has_its_errors_linked_all_the_same(
    sentry: FaultyCollector, provider: TracerProvider, connected: Connected
) -> None:
    connected(traces_sample_rate=0)

    span = fail_in_a_span(provider)
    provider.force_flush()

    assert [linked(event) for event in arrived(sentry)] == [span]
    assert sentry.spans_received == 0


def test_spans_go_to_the_otlp_endpoint_of_the_dsn_with_its_key(
    server: Server, provider: TracerProvider
) -> None:
    connect(provider, dsn=server.dsn.replace("/1", "/sub/42").replace("127.0.0.1", "localhost"), **FEW)

    fail_in_a_span(provider)
    provider.force_flush()
    sentry_sdk.flush(timeout=10)

    (spans,) = server.of("/v1/traces")
    (events,) = server.of("/envelope")
    assert (spans.method, spans.target.rstrip("/")) == ("POST", "/sub/api/42/integration/otlp/v1/traces")
    assert spans.headers["x-sentry-auth"].startswith("Sentry ")
    assert "sentry_key=key" in spans.headers["x-sentry-auth"]
    assert spans.headers["x-sentry-auth"] == events.headers["x-sentry-auth"]


def test_more_integrations_of_the_users_are_kept_beside(
    sentry: FaultyCollector, provider: TracerProvider, connected: Connected
) -> None:
    from sentry_sdk.integrations.logging import LoggingIntegration

    connected(integrations=[LoggingIntegration(event_level=None)])

    span = fail_in_a_span(provider)
    client = sentry_sdk.get_client()
    integration = client.get_integration(LoggingIntegration)
    assert integration is not None
    assert integration._handler is None
    assert [linked(event) for event in arrived(sentry)] == [span]


def test_options_reach_sentry_sdk(
    sentry: FaultyCollector, provider: TracerProvider, connected: Connected
) -> None:
    connected(environment="staging", release="shop@7", server_name="till")

    span: Ids = fail_in_a_span(provider)

    (event,) = arrived(sentry)
    assert linked(event) == span
    found = payload(event)
    assert (found["environment"], found["release"], found["server_name"]) == ("staging", "shop@7", "till")


def test_a_sampler_of_sentrys_which_unlinks_errors_is_one_warning(
    connected: Connected, caplog: pytest.LogCaptureFixture
) -> None:
    connected(traces_sampler=lambda context: 1.0)

    (line,) = warnings(caplog)
    assert "take traces_sample_rate and traces_sampler away" in line


def test_an_integration_that_is_given_is_used_as_it_is(
    sentry: FaultyCollector,
    provider: TracerProvider,
    connected: Connected,
    caplog: pytest.LogCaptureFixture,
) -> None:
    given = OTLPIntegration(setup_otlp_traces_exporter=False, setup_propagator=False, capture_exceptions=True)
    connected(integrations=[given])

    span = fail_in_a_span(provider)

    assert sentry_sdk.get_client().get_integration(OTLPIntegration) is given
    assert [linked(event) for event in arrived(sentry)] == [span]
    assert warnings(caplog) == []
