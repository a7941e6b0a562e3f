"""The batches that single steps are measured with: two kinds of spans, log records, and metrics."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

ITEMS = 512
_QUERIES = 7
"""Queries of each request."""
_LINES = 8
"""Log records of each request."""
_THREADS = 16


def repeating(spans: int = ITEMS) -> Sequence[ReadableSpan]:
    """Return server spans and their queries, some with an exception or a link; most values repeat."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(memory))
    web, database = provider.get_tracer("flask", "1.0"), provider.get_tracer("sqlalchemy", "1.0")
    for number in range(spans // (_QUERIES + 1)):
        with web.start_as_current_span("GET /goods/{id}", kind=trace.SpanKind.SERVER) as request:
            request.set_attributes(
                {
                    "http.request.method": "GET",
                    "url.path": f"/goods/{number}",
                    "http.route": "/goods/{id}",
                    "http.response.status_code": 200,
                    "client.address": f"10.0.0.{number}",
                    "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64)",
                }
            )
            for step in range(_QUERIES):
                links = [trace.Link(request.get_span_context())] if step == 3 else None
                with database.start_as_current_span("SELECT", links=links) as query:
                    query.set_attributes(
                        {
                            "db.system.name": "postgresql",
                            "db.query.text": f"SELECT name FROM goods WHERE shelf = {number * 7 + step}",
                            "db.namespace": "shop",
                            "server.address": "database",
                            "server.port": 5432,
                        }
                    )
                    if step == 5:
                        query.record_exception(ValueError("no such shelf"))
    return memory.get_finished_spans()


def varied(spans: int = ITEMS) -> Sequence[ReadableSpan]:
    """Return spans of ten attributes whose values hardly ever repeat: URLs, ids, user agents."""
    chance = random.Random(7)
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(memory))
    web = provider.get_tracer("flask", "1.0")

    def unique() -> str:
        return str(uuid.UUID(int=chance.getrandbits(128)))

    for number in range(spans):
        with web.start_as_current_span("GET /orders/{id}", kind=trace.SpanKind.SERVER) as request:
            request.set_attributes(
                {
                    "http.request.method": "GET",
                    "url.full": f"https://shop.example/orders/{unique()}?session={unique()}&page={number}",
                    "http.route": "/orders/{id}",
                    "http.response.status_code": 200,
                    "http.response.body.size": chance.randrange(100_000),
                    "client.address": ".".join(str(chance.randrange(256)) for _ in range(4)),
                    "user_agent.original": f"Mozilla/5.0 (X11; rv:{chance.randrange(1_000_000)}) Gecko",
                    "enduser.id": unique(),
                    "session.id": unique(),
                    "order.total": chance.random() * 1000,
                }
            )
    return memory.get_finished_spans()


def log_records(records: int = ITEMS) -> Sequence[ReadableLogRecord]:
    """Return log records of seven attributes: of three loggers, in requests; every text is another one."""
    chance = random.Random(7)
    memory: Any = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider(resource=Resource.create({"service.name": "shop"}))
    provider.add_log_record_processor(SimpleLogRecordProcessor(memory))
    loggers = [provider.get_logger(f"shop.{name}") for name in ("orders", "goods", "baskets")]
    web = TracerProvider().get_tracer("flask", "1.0")
    for number in range(records // _LINES):
        thread = number % _THREADS
        with web.start_as_current_span("GET /orders/{id}", kind=trace.SpanKind.SERVER):
            for line in range(_LINES):
                order = uuid.UUID(int=chance.getrandbits(128))
                loggers[line % len(loggers)].emit(
                    LogRecord(
                        timestamp=1_750_000_000_000_000_000 + number,
                        severity_number=SeverityNumber.INFO if line else SeverityNumber.WARN,
                        severity_text="INFO" if line else "WARN",
                        body=f"order {order} was taken in {chance.randrange(1000)} ms",
                        attributes={
                            "code.file.path": f"/app/shop/orders_{line}.py",
                            "code.function.name": f"take_{line}",
                            "code.line.number": 20 + 17 * line,
                            "thread.id": 140_234_000_000_000 + 4096 * thread,
                            "thread.name": f"worker-{thread}",
                            "enduser.id": str(uuid.UUID(int=chance.getrandbits(128))),
                            "shop.order.items": chance.randrange(100),
                        },
                    )
                )
    provider.shutdown()
    found: Sequence[ReadableLogRecord] = memory.get_finished_logs()
    return found


def series(count: int) -> MetricsData:
    """Return the metrics of so many series: half of them of a counter, half of a histogram."""
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader], resource=Resource.create({"service.name": "shop"})).get_meter("shop")
    counter, histogram = meter.create_counter("shop.requests"), meter.create_histogram("shop.duration", "s")
    for number in range(count // 2):
        attributes: dict[str, str | int] = {
            "http.route": f"/goods/{number}",
            "http.response.status_code": 200,
        }
        counter.add(number, attributes)
        histogram.record(number / 1000, attributes)
    data = reader.get_metrics_data()
    assert data is not None
    return data
