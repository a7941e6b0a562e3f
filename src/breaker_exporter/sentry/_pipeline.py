"""The pipeline of spans to Sentry: an exporter behind a circuit of its own, or Sentry's span processor."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .._base.address import place
from .._base.environment import Environment
from .._base.log import say
from .._wiring.pipeline import Pipeline, circuit_name, guarded
from ..otlp._endpoints import with_path
from ..otlp._signals import TRACES
from ._advice import collector_of
from ._package import SentryUnavailable
from ._processors import SamplingProcessor, SilencedProcessor
from ._settings import SentryMode

if TYPE_CHECKING:
    import requests
    from opentelemetry.propagators.textmap import TextMapPropagator
    from opentelemetry.sdk.trace import TracerProvider
    from sentry_sdk.client import BaseClient

    from .._core.shared_circuit import SharedCircuit
    from .._wiring.settings import Settings
    from ._exporter import SentrySpanExporter
    from ._log_exporter import SentryLogRecordExporter
    from ._settings_in_force import SentrySettings


def pipeline(
    client: BaseClient,
    sentry: SentrySettings,
    settings: Settings,
    environment: Environment,
    provider: TracerProvider,
    circuit: SharedCircuit | None = None,
) -> Pipeline | None:
    """The pipeline for the spans of `provider`; ``None`` where a collector passes them on to Sentry already.

    It shares `circuit` with log records, where these go to Sentry too.

    Raises:
        SentryUnavailable: The collector's URL is malformed.
    """
    if sentry.mode is SentryMode.SPAN_PROCESSOR:
        from sentry_sdk.integrations.opentelemetry import SentrySpanProcessor

        return Pipeline(SilencedProcessor(SentrySpanProcessor()), None)
    if url := collector_of(client):
        return _by_collector(url, settings, environment, provider)
    in_memory = replace(settings, retention=settings.retention.in_memory())  # what Sentry refuses is final
    from ._exporter import SentrySpanExporter

    made = exporter(SentrySpanExporter, client, settings)
    every_trace = guarded(circuit_name("sentry", TRACES), made, in_memory, circuit)
    if sentry.traces_sample_rate == 1.0:
        return every_trace
    return Pipeline(SamplingProcessor(every_trace.processor, sentry.traces_sample_rate), every_trace.exporter)


def exporter(
    kind: type[SentrySpanExporter] | type[SentryLogRecordExporter], client: BaseClient, settings: Settings
) -> SentrySpanExporter | SentryLogRecordExporter:
    """An exporter to the OTLP endpoint of the client's Sentry, with the client's TLS files and proxy."""
    from sentry_sdk.consts import VERSION, EndpointType
    from sentry_sdk.utils import Dsn

    auth = Dsn(client.dsn or "").to_auth(f"sentry.python/{VERSION}")
    options = client.options
    traces = auth.get_api_url(EndpointType.OTLP_TRACES)  # of logs, sentry-sdk has none
    return kind(
        traces if settings.signal is TRACES else with_path(traces, settings.signal),
        certificate_file=options["ca_certs"],
        client_key_file=options["key_file"],
        client_certificate_file=options["cert_file"],
        headers={"X-Sentry-Auth": auth.to_header()},
        timeout=settings.timeout,
        session=_session(options, auth.scheme),
        _environment=Environment({}),  # the variables' headers are secrets of the collector
    )


def _by_collector(
    url: str, settings: Settings, environment: Environment, provider: TracerProvider
) -> Pipeline | None:
    """A pipeline to the application's collector, unless `provider` has an exporter to it already."""
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
    """Sentry's propagator, for its headers alone."""
    if mode is SentryMode.SPAN_PROCESSOR:
        from sentry_sdk.integrations.opentelemetry import SentryPropagator

        return SentryPropagator()
    from sentry_sdk.integrations.otlp import SentryOTLPPropagator

    return SentryOTLPPropagator()


def _session(options: Mapping[str, Any], scheme: str) -> requests.Session | None:
    """A session with the proxy of Sentry's client, or without one; ``None``: the environment decides."""
    proxy = (options["https_proxy"] if scheme == "https" else None) or options["http_proxy"]
    if proxy is None:
        return None
    from ..otlp._send.connections import OwnSession

    return OwnSession({scheme: proxy} if proxy else {})
