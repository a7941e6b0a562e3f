"""The mode SPAN_PROCESSOR: Sentry's SDK makes transactions of the spans, and errors belong to them."""

from __future__ import annotations

import pytest
import sentry_sdk
import urllib3
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from sentry_sdk.integrations.opentelemetry import SentrySpanProcessor

from breaker_exporter.sentry import SentryMode
from breaker_exporter.testing import FaultyCollector

from ._sentry import Connected, arrived, fail_in_a_span, ids_of, linked, payload
from ._server import Server

CLASSIC = SentryMode.SPAN_PROCESSOR


def test_a_transaction_and_its_error_share_their_ids(
    sentry: FaultyCollector, provider: TracerProvider, connected: Connected
) -> None:
    assert connected(mode=CLASSIC) is None

    span = fail_in_a_span(provider)

    (event,) = arrived(sentry)
    (transaction,) = arrived(sentry, "transaction")
    assert linked(event) == linked(transaction) == span
    assert payload(transaction)["transaction"] == "checkout"


def test_an_error_belongs_to_the_innermost_span_of_its_transaction(
    sentry: FaultyCollector, provider: TracerProvider, connected: Connected
) -> None:
    connected(mode=CLASSIC)

    with provider.get_tracer("shop").start_as_current_span("request") as request:
        inner = fail_in_a_span(provider)

    (event,) = arrived(sentry)
    (transaction,) = arrived(sentry, "transaction")
    assert (linked(event), linked(transaction)) == (inner, ids_of(request))
    (child,) = payload(transaction)["spans"]
    assert (child["trace_id"], child["span_id"]) == (inner.trace_id, inner.span_id)


@pytest.mark.parametrize(("rate", "used", "transactions"), [(None, 1.0, 3), (0, 0.0, 0), (0.25, 0.25, None)])
def test_the_rate_reaches_the_client(
    sentry: FaultyCollector,
    provider: TracerProvider,
    connected: Connected,
    rate: float | None,
    used: float,
    transactions: int | None,
) -> None:
    connected(mode=CLASSIC, traces_sample_rate=rate)

    spans = [fail_in_a_span(provider) for _ in range(3)]

    options = sentry_sdk.get_client().options
    assert (options["instrumenter"], options["traces_sample_rate"]) == ("otel", used)
    assert [linked(event) for event in arrived(sentry)] == spans
    if transactions is not None:
        assert len(arrived(sentry, "transaction")) == transactions


def test_no_span_goes_by_otlp(
    sentry: FaultyCollector, provider: TracerProvider, connected: Connected
) -> None:
    connected(mode=CLASSIC)

    fail_in_a_span(provider)
    provider.force_flush()

    assert len(arrived(sentry, "transaction")) == 1
    assert sentry.spans_received == 0


def test_an_error_in_a_span_that_is_not_sampled_has_its_ids_too(
    sentry: FaultyCollector,
) -> None:
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    Connected(provider, sentry.sentry_dsn)(mode=CLASSIC)

    span = fail_in_a_span(provider)

    (event,) = arrived(sentry)
    assert linked(event) == span
    assert arrived(sentry, "transaction") == []


def test_what_sentrys_processor_raises_stays_out_of_the_application(
    sentry: FaultyCollector,
    provider: TracerProvider,
    connected: Connected,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Threads share its dicts, and one of them may prune what another is at."""
    connected(mode=CLASSIC)
    with monkeypatch.context() as broken:
        broken.setattr(SentrySpanProcessor, "open_spans", None)
        fail_in_a_span(provider)

    assert len(arrived(sentry)) == 1


def test_requests_to_others_have_each_trace_header_once(
    server: Server, provider: TracerProvider, connected: Connected
) -> None:
    """Sentry's own instrumentation of http.client sent those of another trace beside them."""
    instrumentation = pytest.importorskip("opentelemetry.instrumentation.urllib3")
    connected(mode=CLASSIC)
    instrumentor = instrumentation.URLLib3Instrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        with (
            provider.get_tracer("shop").start_as_current_span("request") as span,
            urllib3.PoolManager() as pool,
        ):
            pool.request("POST", server.url, body=b"")
    finally:
        instrumentor.uninstrument()

    (request,) = server.requests
    for header in ("sentry-trace", "traceparent", "baggage"):
        (value,) = [value for name, value in request.pairs if name == header]
        assert ids_of(span).trace_id in value
