"""OpenTelemetry's own exporters of all signals, as its documentation shows them."""

from __future__ import annotations

import logging
import os
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.resources import Resource

ALL_SIGNALS = {
    "OTEL_LOGS_EXPORTER": "otlp",
    "OTEL_METRICS_EXPORTER": "otlp",
    # Where opentelemetry-instrumentation-logging is missing, records of logging come by the SDK's handler.
    "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": "true",
}
"""Variables by which this package's hooks export all signals."""


def export_all(resource: Resource, *readers: MetricReader) -> None:
    """Set all three providers, with exporters by the protocol that the environment names.

    Args:
        resource: The resource of all three.
        readers: Readers of metrics beside the one that exports.
    """
    from opentelemetry import _logs, metrics, trace
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # First, so that the other exporters and processors are counted.
    reader = PeriodicExportingMetricReader(_exporter("metric_exporter", "OTLPMetricExporter"))
    metrics.set_meter_provider(MeterProvider([reader, *readers], resource=resource))

    tracer_provider = TracerProvider(resource=resource)
    tracer_provider.add_span_processor(BatchSpanProcessor(_exporter("trace_exporter", "OTLPSpanExporter")))
    trace.set_tracer_provider(tracer_provider)

    logger_provider = LoggerProvider(resource=resource)
    log_exporter = _exporter("_log_exporter", "OTLPLogExporter")
    logger_provider.add_log_record_processor(BatchLogRecordProcessor(log_exporter))
    _logs.set_logger_provider(logger_provider)
    attach_handler(logger_provider)


def attach_handler(provider: LoggerProvider) -> None:
    """Let records of ``logging`` go to the provider."""
    try:
        module: Any = import_module("opentelemetry.instrumentation.logging.handler")
    except ImportError:  # not installed, or older than 0.61b0
        module = import_module("opentelemetry.sdk._logs")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        logging.getLogger().addHandler(module.LoggingHandler(logger_provider=provider))


def _exporter(module: str, name: str) -> Any:
    protocol = "grpc" if os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc" else "http"
    return getattr(import_module(f"opentelemetry.exporter.otlp.proto.{protocol}.{module}"), name)()
