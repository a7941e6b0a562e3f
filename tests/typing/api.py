"""Code as users write it, checked by mypy and pyright, both strict, and never run."""

from __future__ import annotations

import time

import pybreaker
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    ConsoleLogRecordExporter,
    LogRecordExporter,
    LogRecordExportResult,
)
from opentelemetry.sdk.metrics import Counter, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ConsoleMetricExporter,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from breaker_exporter import (
    Cause,
    CircuitBreakerLogRecordExporter,
    CircuitBreakerMetricExporter,
    CircuitBreakerSpanExporter,
    CircuitState,
    CircuitTransition,
    ExporterHealth,
    ExportReport,
    ReportingSpanExporter,
    Retention,
    SharedCircuit,
    Verdict,
    gunicorn,
)
from breaker_exporter.instrumentation import observe
from breaker_exporter.otlp import (
    CooperativeOTLPLogRecordExporter,
    CooperativeOTLPMetricExporter,
    CooperativeOTLPSpanExporter,
    OTLPGrpcLogRecordExporter,
    OTLPGrpcMetricExporter,
    OTLPGrpcSpanExporter,
)
from breaker_exporter.sentry import Sentry, SentryMode, connect_sentry, report_transition
from breaker_exporter.telemetry import Profile, Telemetry, TelemetryError
from breaker_exporter.testing import (
    Call,
    Connections,
    Fault,
    FaultyCollector,
    ManualClock,
    Outcome,
    Playable,
    ReceivedCounts,
    ReceivedDataPoint,
    ReceivedLogRecord,
    ReceivedSentryItem,
    ReceivedSpan,
    ScriptedExporter,
    ScriptedLogRecordExporter,
    ScriptedMetricExporter,
    Signal,
    fail,
    hang,
    hang_then,
    succeed,
    take,
    throw,
)


def page(transition: CircuitTransition) -> None:
    if transition.new is CircuitState.OPEN:
        raise SystemExit(f"{transition.name} {transition.reason} {transition.cooldown}")


exporter = CircuitBreakerSpanExporter(
    OTLPSpanExporter(),
    name="otlp",
    failure_threshold=3,
    cooldown=15.0,
    max_cooldown=60.0,
    jitter=0.2,
    export_timeout=15.0,
    listeners=[page],
    clock=time.monotonic,
)
as_an_exporter: SpanExporter = exporter
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(exporter))
trace.set_tracer_provider(provider)

state: CircuitState = exporter.state
is_closed: bool = exporter.state == "closed"
with_hooks: tuple[
    CircuitBreakerSpanExporter | CircuitBreakerLogRecordExporter | CircuitBreakerMetricExporter, ...
] = gunicorn.telemetry.exporters
health: ExporterHealth = exporter.health()
retry_in: float | None = health.retry_in
result: SpanExportResult = exporter.export([])
flushed: bool = exporter.force_flush(timeout_millis=1000)
exporter.begin_shutdown(5.0)
exporter.shutdown(timeout_millis=1000)

given = CircuitBreakerSpanExporter(OTLPSpanExporter(), breaker=pybreaker.CircuitBreaker(fail_max=5))
both = CircuitBreakerSpanExporter(  # type: ignore[call-overload]
    OTLPSpanExporter(),
    breaker=pybreaker.CircuitBreaker(),
    cooldown=3.0,  # pyright: ignore[reportArgumentType]
)

of_logs = CircuitBreakerLogRecordExporter(ConsoleLogRecordExporter(), name="logs", cooldown=15.0)
as_a_log_exporter: LogRecordExporter = of_logs
log_processor = BatchLogRecordProcessor(of_logs)
log_result: LogRecordExportResult = of_logs.export([])
of_metrics = CircuitBreakerMetricExporter(ConsoleMetricExporter(), breaker=pybreaker.CircuitBreaker())
as_a_metric_exporter: MetricExporter = of_metrics
reader = PeriodicExportingMetricReader(of_metrics, export_interval_millis=10_000)
metric_result: MetricExportResult = of_metrics.export(MetricsData([]), timeout_millis=500.0)
of_metrics.shutdown(timeout=1000)
state = of_logs.state or of_metrics.state
of_another_signal = CircuitBreakerMetricExporter(ConsoleLogRecordExporter())  # type: ignore[call-overload]

cooperative = CooperativeOTLPSpanExporter(
    "http://collector:4318/v1/traces", headers={"x-key": "k"}, timeout=5.0
)
reporting: ReportingSpanExporter = cooperative
report: ExportReport = reporting.export_and_report([])
rejected: bool = report.verdict is Verdict.REJECTED
unreachable: bool = report.cause is Cause.UNREACHABLE
guarded = CircuitBreakerSpanExporter(cooperative, switch_interval=None)
by_grpc = CircuitBreakerSpanExporter(
    OTLPGrpcSpanExporter("http://collector:4317", insecure=True, timeout=5.0)
)

by_default = CircuitBreakerSpanExporter(
    OTLPSpanExporter(),
    name=None,
    failure_threshold=None,
    cooldown=None,
    max_cooldown=None,
    jitter=None,
    export_timeout=None,
    listeners=None,
    breaker=None,
    clock=None,
)
breaker_of_theirs = CircuitBreakerSpanExporter(
    OTLPSpanExporter(),
    breaker=pybreaker.CircuitBreaker(),
    cooldown=None,
    export_timeout=None,
    listeners=None,
    clock=None,
)
shared = SharedCircuit(
    name="collector", failure_threshold=3, cooldown=15.0, max_cooldown=60.0, jitter=0.2, clock=time.monotonic
)
shared_state: CircuitState = shared.state
shared_name: str = shared.name
sharing = CircuitBreakerSpanExporter(OTLPSpanExporter(), circuit=shared, breaker=None, cooldown=None)
sharing_and_both = CircuitBreakerSpanExporter(  # type: ignore[call-overload]
    OTLPSpanExporter(),
    circuit=shared,
    cooldown=3.0,  # pyright: ignore[reportArgumentType]
)
counting = CooperativeOTLPSpanExporter(meter_provider=MeterProvider())
logs_by_http = CircuitBreakerLogRecordExporter(CooperativeOTLPLogRecordExporter(headers={"x-key": "k"}))
logs_by_grpc: LogRecordExporter = OTLPGrpcLogRecordExporter("collector:4317", insecure=True)
metrics_by_http = CooperativeOTLPMetricExporter(
    preferred_temporality={Counter: AggregationTemporality.DELTA}, max_export_batch_size=1000
)
metrics_report: ExportReport = metrics_by_http.export_and_report(MetricsData([]), timeout_millis=500)
metrics_by_grpc = CircuitBreakerMetricExporter(OTLPGrpcMetricExporter(timeout=5.0))
maybe: float | None = None
as_told = Telemetry(listeners=None, cooldown=maybe, profile=None, sentry=None, provider=None)
retention = Retention(memory=32 << 20, max_age=3600.0, replay_rate=2.0, keep="oldest")
retaining = CircuitBreakerSpanExporter(cooperative, retention=retention)
retaining_too = CircuitBreakerSpanExporter(
    OTLPSpanExporter(), breaker=pybreaker.CircuitBreaker(), retention=retention
)
forgetting = Telemetry(retention=Retention(memory=0))
telemetry = Telemetry(service_name="shop", endpoint="http://collector:4318", cooldown=10.0, listeners=[page])
hooks: gunicorn.Hooks = gunicorn.hooks(telemetry)
post_fork, post_worker_init, worker_exit = hooks
gunicorn.post_fork(object(), object())
gunicorn.post_worker_init(object())
gunicorn.worker_exit(object(), object())
telemetry.prepare()
telemetry.start()
telemetry.stop(timeout=5.0)
with Telemetry(profile=Profile.DEVELOPMENT) as started:
    of_this_process: list[ExporterHealth] = [exporter.health() for exporter in started.exporters]
try:
    telemetry.start()
except TelemetryError as error:
    mistake: ValueError = error

with_sentry = Telemetry(
    sentry=Sentry(dsn="https://k@sentry.example/1", mode=SentryMode.OTLP, options={"max_breadcrumbs": 20}),
    listeners=[report_transition],
)
to_sentry: CircuitBreakerSpanExporter | None = connect_sentry(
    provider,
    Sentry(dsn="https://k@sentry.example/1", traces_sample_rate=0.1, options={"send_default_pii": False}),
)
by_environment: CircuitBreakerSpanExporter | None = connect_sentry(provider)

observe(exporter)
observe(exporter, meter_provider=MeterProvider())

clock = ManualClock()
stuck: Outcome = hang_then(fail)
script: list[Playable] = [succeed, fail, hang, stuck, take(0.1, fail), throw(ValueError), ValueError]
scripted = ScriptedExporter(script, default=stuck)
calls: list[Call] = scripted.calls
scripted_logs = ScriptedLogRecordExporter(script, on_flush=fail)
scripted_metrics = ScriptedMetricExporter(script, preferred_temporality=None)
with FaultyCollector() as collector:
    collector.fault = Fault.BLACKHOLE
    collector.set_fault(Fault.STATUS, status=503, connections=Connections.DROP)
    collector.set_fault(Fault.STATUS, status=404, signal=Signal.LOGS)
    to_logs: str = collector.http_endpoint_of(Signal.LOGS)
    records: tuple[ReceivedLogRecord, ...] = collector.latest_log_records
    points: tuple[ReceivedDataPoint, ...] = collector.latest_data_points
    sold: float = collector.counter_total("sold")
    arrived: bool = collector.wait_for_spans(1, timeout=1.0)
    counts: ReceivedCounts = collector.counts()
    received: tuple[ReceivedSpan, ...] = collector.latest_spans
    items: tuple[ReceivedSentryItem, ...] = collector.latest_sentry_items
