"""The batches that single steps are measured with: spans of a web service, in two kinds."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

SPANS = 512
_QUERIES = 7
"""Queries of each request."""


def repeating(spans: int = SPANS) -> Sequence[ReadableSpan]:
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


def varied(spans: int = SPANS) -> Sequence[ReadableSpan]:
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
