"""How spans get to Sentry: an exporter behind a circuit of its own, or Sentry's span processor."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

from .._base.address import place
from .._base.environment import Environment
from .._base.log import say
from .._wiring.pipeline import Pipeline, guarded
from ._advice import collector_of
from ._package import SentryUnavailable
from ._settings import SentryMode

if TYPE_CHECKING:
    import requests
    from opentelemetry.context import Context
    from opentelemetry.propagators.textmap import TextMapPropagator
    from opentelemetry.sdk.trace import ReadableSpan, Span, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from sentry_sdk.client import BaseClient

    from .._wiring.settings import Settings
    from ._settings import SentrySettings


def pipeline(
    client: BaseClient,
    sentry: SentrySettings,
    settings: Settings,
    environment: Environment,
    provider: TracerProvider,
) -> Pipeline | None:
    """What `provider` is to feed; ``None`` where it feeds a collector that passes its spans on to Sentry.

    Raises:
        SentryUnavailable: The collector's URL is none.
    """
    if sentry.mode is SentryMode.SPAN_PROCESSOR:
        from sentry_sdk.integrations.opentelemetry import SentrySpanProcessor

        return Pipeline(_Guarded(SentrySpanProcessor()), None)
    if url := collector_of(client):
        return _by_collector(url, settings, environment, provider)
    whole = guarded("sentry", _to_sentry(client, settings), settings)
    if sentry.traces_sample_rate == 1.0:
        return whole
    return Pipeline(_Sampled(whole.processor, sentry.traces_sample_rate), whole.exporter)


def _to_sentry(client: BaseClient, settings: Settings) -> SpanExporter:
    from sentry_sdk.consts import VERSION, EndpointType
    from sentry_sdk.utils import Dsn

    from ..otlp import CooperativeOTLPSpanExporter

    auth = Dsn(client.dsn or "").to_auth(f"sentry.python/{VERSION}")
    options = client.options
    return CooperativeOTLPSpanExporter(
        auth.get_api_url(EndpointType.OTLP_TRACES),
        certificate_file=options["ca_certs"],
        client_key_file=options["key_file"],
        client_certificate_file=options["cert_file"],
        headers={"X-Sentry-Auth": auth.to_header()},
        timeout=settings.timeout,
        session=_session(options, auth.scheme),
        _environment=Environment({}),  # the collector's headers are for it alone
    )


def _by_collector(
    url: str, settings: Settings, environment: Environment, provider: TracerProvider
) -> Pipeline | None:
    """To the application's collector, as its OTLPIntegration would, with the variables of the collector's."""
    from ..otlp import CooperativeOTLPSpanExporter
    from ._collector import sends_already

    known = sends_already(provider, url)
    say(
        logging.INFO,
        "Sentry gets spans from the collector at %s (collector_url), and none from here; %s",
        place(url),
        "an exporter sends them there already" if known else "an exporter with a circuit sends them there",
    )
    if known:
        return None
    try:
        exporter = CooperativeOTLPSpanExporter(url, timeout=settings.timeout, _environment=environment)
    except ValueError as error:
        raise SentryUnavailable(f"collector_url of sentry-sdk's OTLPIntegration: {error}") from None
    return guarded("sentry", exporter, settings)


def propagator(mode: SentryMode) -> TextMapPropagator:
    """Sentry's own, for its headers alone."""
    if mode is SentryMode.SPAN_PROCESSOR:
        from sentry_sdk.integrations.opentelemetry import SentryPropagator

        return SentryPropagator()
    from sentry_sdk.integrations.otlp import SentryOTLPPropagator

    return SentryOTLPPropagator()


class _Around(SpanProcessor):
    """Passes everything on to another one."""

    def __init__(self, inner: SpanProcessor) -> None:
        self._inner = inner

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self._inner.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        self._inner.on_end(span)

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)


class _Sampled(_Around):
    """Passes on a share of the traces: whole ones, chosen by their id as OpenTelemetry's sampler does."""

    def __init__(self, inner: SpanProcessor, rate: float) -> None:
        super().__init__(inner)
        self._sampler = TraceIdRatioBased(rate)

    def on_end(self, span: ReadableSpan) -> None:
        sampled = self._sampler.should_sample(None, span.context.trace_id, span.name)
        if sampled.decision is Decision.RECORD_AND_SAMPLE:
            super().on_end(span)


class _Guarded(_Around):
    """What the other one raises stays out of the application: Sentry's prunes dicts that threads share."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        with contextlib.suppress(Exception):
            super().on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        with contextlib.suppress(Exception):
            super().on_end(span)


def _session(options: Mapping[str, Any], scheme: str) -> requests.Session | None:
    """One with the proxy that Sentry was told to use, or to do without; ``None``: the environment says it."""
    proxy = (options["https_proxy"] if scheme == "https" else None) or options["http_proxy"]
    if proxy is None:
        return None
    from ..otlp._send.connections import OwnSession

    return OwnSession({scheme: proxy} if proxy else {})
