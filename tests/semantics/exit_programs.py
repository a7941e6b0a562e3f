"""Programs that end with a span in a queue; each is run by a fresh process, and reads its variables."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

ENDPOINT, PROTOCOL, NAME, EARLY = "EXIT_ENDPOINT", "EXIT_PROTOCOL", "EXIT_SPAN", "EXIT_EARLY"
_LATE = 600_000
"""Milliseconds: what is queued stays queued until the exit."""


def _wrapped() -> SpanExporter:
    endpoint = os.environ[ENDPOINT]
    if os.environ[PROTOCOL] == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OverGRPC

        return OverGRPC(endpoint, insecure=True)
    if os.environ[PROTOCOL] == "official http":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OverHTTP

        return OverHTTP(endpoint)
    from breaker_exporter.otlp import CooperativeOTLPSpanExporter

    return CooperativeOTLPSpanExporter(endpoint)


def _guarded() -> SpanExporter:
    from breaker_exporter import CircuitBreakerSpanExporter

    return CircuitBreakerSpanExporter(_wrapped(), export_timeout=120)


def _end_spans(provider: trace.TracerProvider) -> None:
    tracer = provider.get_tracer("exit")
    if os.environ[EARLY]:
        tracer.start_span("early").end()
        assert isinstance(provider, TracerProvider)
        assert provider.force_flush()
    tracer.start_span(os.environ[NAME]).end()


def provider_made_before_the_import() -> None:
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(_guarded(), schedule_delay_millis=_LATE))
    _end_spans(provider)


def provider_made_after_the_import() -> None:
    exporter = _guarded()
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=_LATE))
    _end_spans(provider)


def provider_shut_down_by_hand() -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_guarded(), schedule_delay_millis=_LATE))
    _end_spans(provider)
    provider.shutdown()


def simple_processor() -> None:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(_guarded()))
    _end_spans(provider)


def telemetry_without_a_stop() -> None:
    from breaker_exporter.telemetry import Telemetry

    telemetry = Telemetry(export_timeout=120, shutdown_timeout=120)
    telemetry.start()
    assert telemetry.provider is not None
    _end_spans(telemetry.provider)


def telemetry_stopped_by_a_thread_that_nobody_joins() -> None:
    import threading

    from breaker_exporter.telemetry import Telemetry

    from ._waiting import until

    telemetry = Telemetry(export_timeout=120, shutdown_timeout=120)
    telemetry.start()
    assert telemetry.provider is not None
    _end_spans(telemetry.provider)
    threading.Thread(target=telemetry.stop, daemon=True).start()
    until(lambda: not telemetry.exporters)


def telemetry_with_a_given_provider() -> None:
    provider = TracerProvider()
    from breaker_exporter.telemetry import Telemetry

    Telemetry(provider=provider, export_timeout=120, shutdown_timeout=120).start()
    _end_spans(provider)


def zero_code() -> None:
    """Does what ``opentelemetry-instrument`` does, in its order, beginning with its import."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # SDK 1.39 uses what it has deprecated itself
        import opentelemetry.sdk._configuration  # noqa: F401

    from breaker_exporter._zero_code import GRPCSpanExporter, HTTPSpanExporter

    kinds = {"grpc": GRPCSpanExporter, "http": HTTPSpanExporter}
    provider = TracerProvider()
    exporter = kinds[os.environ[PROTOCOL]]()
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=_LATE))
    _end_spans(provider)
