"""The thread or greenlet that sends to Sentry makes no spans; the caller's own are made as ever."""

from __future__ import annotations

import pytest
from opentelemetry import context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from breaker_exporter.sentry import SentryMode
from breaker_exporter.testing import FaultyCollector

from ..semantics._processes import run_patched, run_plain
from . import scenarios
from ._sentry import Connected, arrived, connect, fail_in_a_span, init_as_the_application


@pytest.fixture
def variables(sentry: FaultyCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTRY_DSN", sentry.sentry_dsn)


def test_on_threads(variables: None, sentry: FaultyCollector) -> None:
    run_plain(scenarios.the_sender_makes_no_spans)

    assert sum(item.kind == "event" for item in sentry.latest_sentry_items) == 4


def test_under_gevent_where_the_sender_is_a_greenlet_begun_in_a_span(
    variables: None, sentry: FaultyCollector
) -> None:
    run_patched(scenarios.the_sender_makes_no_spans)

    assert sum(item.kind == "event" for item in sentry.latest_sentry_items) == 4


def test_a_transport_of_the_applications_own_is_left_alone(
    sentry: FaultyCollector, provider: TracerProvider
) -> None:
    sent: list[str] = []

    class Own(Transport):
        def capture_envelope(self, envelope: Envelope) -> None:
            sent.append(envelope.items[0].type or "")

    init_as_the_application(sentry.sentry_dsn, transport=Own)
    connect(provider)
    connect(provider)
    fail_in_a_span(provider)

    assert sent == ["event"]


@pytest.mark.parametrize("mode", [SentryMode.OTLP, SentryMode.SPAN_PROCESSOR])
@pytest.mark.parametrize("attached", [False, True])
def test_an_instrumented_http_client_has_no_spans_of_sentrys_requests(
    sentry: FaultyCollector,
    provider: TracerProvider,
    connected: Connected,
    mode: SentryMode,
    attached: bool,
) -> None:
    urllib3 = pytest.importorskip("opentelemetry.instrumentation.urllib3")
    finished = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(finished))
    instrumentor = urllib3.URLLib3Instrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        if attached:
            options = {"instrumenter": "otel", "traces_sample_rate": 1.0, "integrations": []}
            init_as_the_application(
                sentry.sentry_dsn, **(options if mode is SentryMode.SPAN_PROCESSOR else {})
            )
            connect(provider, mode=mode)
        else:
            connected(mode=mode)
        fail_in_a_span(provider)
        provider.force_flush()
        fail_in_a_span(provider)
        provider.force_flush()
        assert len(arrived(sentry)) == 2
    finally:
        instrumentor.uninstrument()

    assert [span.name for span in finished.get_finished_spans()] == ["checkout", "checkout"]
    assert context.get_value("suppress_instrumentation") is None
