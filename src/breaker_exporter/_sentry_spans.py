"""How spans get to Sentry: an exporter behind a circuit of its own, or Sentry's span processor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

from ._pipeline import Pipeline, guarded
from ._sentry_settings import SentryMode

if TYPE_CHECKING:
    import requests
    from opentelemetry.context import Context
    from opentelemetry.propagators.textmap import TextMapPropagator
    from opentelemetry.sdk.trace import ReadableSpan, Span
    from sentry_sdk.client import BaseClient

    from ._env import Environment
    from ._sentry_settings import SentrySettings
    from ._settings import Settings


def pipeline(
    client: BaseClient, sentry: SentrySettings, settings: Settings, environment: Environment
) -> Pipeline:
    """What a provider is to feed."""
    if sentry.mode is SentryMode.SPAN_PROCESSOR:
        from sentry_sdk.integrations.opentelemetry import SentrySpanProcessor

        return Pipeline(SentrySpanProcessor(), None)
    from sentry_sdk.consts import VERSION, EndpointType
    from sentry_sdk.utils import Dsn

    from .otlp import CooperativeOTLPSpanExporter

    auth = Dsn(client.dsn or "").to_auth(f"sentry.python/{VERSION}")
    options = client.options
    with environment.without_otlp():
        exporter = CooperativeOTLPSpanExporter(
            auth.get_api_url(EndpointType.OTLP_TRACES),
            certificate_file=options["ca_certs"],
            client_key_file=options["key_file"],
            client_certificate_file=options["cert_file"],
            headers={"X-Sentry-Auth": auth.to_header()},
            timeout=settings.timeout,
            session=_session(options),
        )
    whole = guarded("sentry", exporter, settings)
    if sentry.traces_sample_rate == 1.0:
        return whole
    return Pipeline(_Sampled(whole.processor, sentry.traces_sample_rate), whole.exporter)


def propagator(mode: SentryMode) -> TextMapPropagator:
    """Sentry's own, for its headers alone."""
    if mode is SentryMode.SPAN_PROCESSOR:
        from sentry_sdk.integrations.opentelemetry import SentryPropagator

        return SentryPropagator()
    from sentry_sdk.integrations.otlp import SentryOTLPPropagator

    return SentryOTLPPropagator()


class _Sampled(SpanProcessor):
    """Passes on a share of the traces: whole ones, chosen by their id as OpenTelemetry's sampler does."""

    def __init__(self, inner: SpanProcessor, rate: float) -> None:
        self._inner = inner
        self._sampler = TraceIdRatioBased(rate)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self._inner.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        sampled = self._sampler.should_sample(None, span.context.trace_id, span.name)
        if sampled.decision is Decision.RECORD_AND_SAMPLE:
            self._inner.on_end(span)

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)


def _session(options: Mapping[str, Any]) -> requests.Session | None:
    """One with the proxies that Sentry was given; those of the environment need none."""
    proxies = {scheme: options[f"{scheme}_proxy"] for scheme in ("http", "https")}
    if not any(proxies.values()):
        return None
    import requests

    session = requests.Session()
    session.proxies.update({scheme: proxy for scheme, proxy in proxies.items() if proxy})
    return session
