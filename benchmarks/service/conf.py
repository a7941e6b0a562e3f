"""``gunicorn.conf.py`` of every contender, which the variable ``BENCH_CONTENDER`` names.

All exporters but those of the hooks are made after the monkey patch, as in an application's own module; the
demo's ``conf_bare`` says why.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from breaker_exporter._harness.official import attach_handler, export_all
from breaker_exporter.gunicorn import hooks
from breaker_exporter.telemetry import Telemetry

from .meter import meter

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

control_socket_disable = True

_contender = os.environ["BENCH_CONTENDER"]
_telemetry = hooks(Telemetry(service_name="shop", listeners=[meter.note]))


def post_fork(server: Any, worker: Any) -> None:
    core = os.environ.get("BENCH_CORE")
    if core:
        os.sched_setaffinity(0, {int(core)})
    if _contender.startswith("hooks"):
        _telemetry.post_fork(server, worker)


def post_worker_init(worker: Any) -> None:
    if _contender.startswith("hooks"):
        _telemetry.post_worker_init(worker)
    elif _contender == "sentry-otlp":
        _sentry()
    elif _contender == "bare-http-signals":
        from opentelemetry.sdk.resources import Resource

        export_all(Resource.create({"service.name": "shop"}))
    elif _contender != "api-only":
        _provide(_EXPORTERS[_contender]())
        if os.environ.get("BENCH_SIGNALS"):
            _provide_others()
    meter.start()


def worker_exit(server: Any, worker: Any) -> None:
    if _contender.startswith("hooks"):
        _telemetry.worker_exit(server, worker)


def _provide(exporter: SpanExporter | None) -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    if exporter is not None:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


def _provide_others() -> None:
    """Provide log records and metrics that nobody exports."""
    from opentelemetry import _logs, metrics
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk.metrics import MeterProvider

    metrics.set_meter_provider(MeterProvider())
    provider = LoggerProvider()
    _logs.set_logger_provider(provider)
    attach_handler(provider)


def _dropping() -> SpanExporter:
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Dropping(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    return Dropping()


def _http(timeout: float | None = None) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(timeout=timeout)


def _grpc(timeout: float | None = None) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(timeout=timeout)


def _grpc_with_gevent() -> SpanExporter:
    from grpc.experimental.gevent import init_gevent

    init_gevent()
    return _grpc()


def _cooperative(timeout: float | None) -> SpanExporter:
    from breaker_exporter.otlp import CooperativeOTLPSpanExporter

    return CooperativeOTLPSpanExporter(timeout=timeout)


def _guarded(
    make: Callable[[float | None], SpanExporter], switch_interval: float | None = 0.0003
) -> Callable[[], SpanExporter]:
    def guarded() -> SpanExporter:
        from breaker_exporter import CircuitBreakerSpanExporter

        short = bool(os.environ["BENCH_SHORT"])
        return CircuitBreakerSpanExporter(
            make(1 if short else None),
            name="otlp",
            cooldown=1 if short else 15,
            listeners=[meter.note],
            switch_interval=switch_interval,
        )

    return guarded


def _logfire() -> SpanExporter:
    """Build it as ``logfire.configure`` does, with compression; logfire has no public name for it."""
    from logfire._internal.exporters import otlp
    from opentelemetry.exporter.otlp.proto.http import Compression

    exporter = otlp.BodySizeCheckingOTLPSpanExporter(
        session=otlp.OTLPExporterHttpSession(), compression=Compression.Gzip
    )
    guarded: SpanExporter = otlp.RetryFewerSpansSpanExporter(otlp.QuietSpanExporter(exporter))
    return guarded


def _sentry() -> None:
    import sentry_sdk
    from sentry_sdk.integrations.otlp import OTLPIntegration

    sentry_sdk.init(dsn=os.environ["BENCH_DSN"], integrations=[OTLPIntegration()])


_EXPORTERS: dict[str, Callable[[], SpanExporter | None]] = {
    "none": lambda: None,
    "sdk-only": _dropping,
    "bare-http": _http,
    "bare-http-1s": lambda: _http(1),
    "bare-http-agent": _http,
    "bare-http-rotel": _http,
    "bare-grpc": _grpc,
    "bare-grpc-1s": lambda: _grpc(1),
    "bare-grpc-init-gevent": _grpc_with_gevent,
    "logfire": _logfire,
    "wrapped-http": _guarded(_http),
    "wrapped-http-5ms": _guarded(_http, switch_interval=None),
    "wrapped-grpc": _guarded(_grpc),
    "wrapped-cooperative": _guarded(_cooperative),
}
