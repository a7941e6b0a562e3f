"""The contenders: what exports in a cell."""

from __future__ import annotations

CONTENDERS = {
    "api-only": "no SDK: OpenTelemetry's API without a provider",
    "none": "no exporter: the SDK's `TracerProvider` without a span processor",
    "sdk-only": "the SDK's `BatchSpanProcessor` with an exporter that drops everything at once",
    "bare-http": "OTLP over HTTP as OpenTelemetry's documentation shows it",
    "bare-http-1s": "the same with `timeout=1`",
    "bare-http-agent": "the same, to a collector on this host whose own upstream is dead: it answers 503",
    "bare-grpc": "OTLP over gRPC as OpenTelemetry's documentation shows it",
    "bare-grpc-1s": "the same with `timeout=1`",
    "bare-grpc-init-gevent": "the same with `grpc.experimental.gevent.init_gevent()`",
    "logfire": "logfire's exporter chain alone, as it ships: gzip, retries from disk",
    "sentry-otlp": "sentry-sdk's own `OTLPIntegration`",
    "wrapped-http": "`CircuitBreakerSpanExporter` around the official HTTP exporter",
    "wrapped-grpc": "`CircuitBreakerSpanExporter` around the official gRPC exporter",
    "wrapped-cooperative": "`CircuitBreakerSpanExporter` around `CooperativeOTLPSpanExporter`",
    "hooks": "`breaker_exporter.gunicorn`, OTLP over HTTP",
    "hooks-grpc": "`breaker_exporter.gunicorn`, OTLP over gRPC",
}
TUNED = {
    "wrapped-http-5ms": "`wrapped-http` with `switch_interval=None`",
    "hooks-no-freeze": "`hooks` with `BREAKER_EXPORTER_GC_FREEZE=0`",
    "hooks-batch-64": "`hooks` with `OTEL_BSP_MAX_EXPORT_BATCH_SIZE=64`",
    "hooks-directory": "`hooks` with `BREAKER_EXPORTER_RETAIN_DIRECTORY`",
    "hooks-no-retention": "`hooks` with `BREAKER_EXPORTER_RETAIN_MEMORY=0`",
}
"""Contenders with one setting changed: the difference is what that setting is worth."""
LOSING_UPSTREAM = {
    "bare-http-rotel": "`bare-http` to a `rotel` on this host, as it ships; its upstream has the fault",
}
"""Contenders of the suite ``retention`` alone."""
ALL_SIGNALS = {
    "hooks-signals": "`hooks` with `OTEL_LOGS_EXPORTER=otlp` and `OTEL_METRICS_EXPORTER=otlp`",
    "bare-http-signals": "the three official exporters over HTTP as OpenTelemetry's documentation shows them",
}
"""Contenders of the suite ``signals``; `none` and `hooks`, with traces alone, are in it too."""
ALL = {**CONTENDERS, **LOSING_UPSTREAM, **TUNED, **ALL_SIGNALS}
