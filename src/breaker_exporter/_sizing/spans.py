"""A batch of spans as a web service makes them: requests with their queries. The same at each run."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

BEGAN = 1_767_225_600_000_000_000
"""Nanoseconds since 1970: 2026-01-01."""
_QUERIES_EACH = 9
RESOURCE = Resource({"service.name": "shop", "service.version": "4.1.0", "host.name": "web-7c9f"})
_WEB, _DATABASE = InstrumentationScope("web", "1.0"), InstrumentationScope("database", "1.0")
_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1",
    "python-requests/2.32.4",
)
_QUERIES = (
    "SELECT id, name, price FROM goods WHERE shelf = %s ORDER BY price LIMIT 20",
    "SELECT amount FROM stock WHERE goods_id = %s AND warehouse = %s",
    "UPDATE carts SET seen_at = now() WHERE id = %s",
)


def web_spans(count: int) -> Sequence[ReadableSpan]:
    """Return `count` spans: of each ten one is a request, the others are its queries."""
    chance, spans = random.Random(1), list[ReadableSpan]()
    began = BEGAN
    while len(spans) < count:
        spans += _request(chance, began)
        began += chance.randrange(1_000_000, 20_000_000)
    return spans[:count]


def _request(chance: random.Random, began: int) -> Iterator[ReadableSpan]:
    """The spans of one request, in the order in which they end."""
    context = _context(chance, chance.getrandbits(128))
    now = began
    for number in range(_QUERIES_EACH):
        started = now + chance.randrange(50_000, 500_000)
        now = started + chance.randrange(200_000, 9_000_000)
        yield ReadableSpan(
            "UPDATE shop" if number % 3 == 2 else "SELECT shop",
            context=_context(chance, context.trace_id),
            parent=context,
            resource=RESOURCE,
            instrumentation_scope=_DATABASE,
            kind=SpanKind.CLIENT,
            start_time=started,
            end_time=now,
            attributes={
                "db.system.name": "postgresql",
                "db.namespace": "shop",
                "db.query.text": _QUERIES[number % 3],
                "db.response.returned_rows": chance.randrange(20),
                "server.address": "database.internal",
                "server.port": 5432,
            },
        )
    yield ReadableSpan(
        "GET /goods/{id}",
        context=context,
        resource=RESOURCE,
        instrumentation_scope=_WEB,
        kind=SpanKind.SERVER,
        start_time=began,
        end_time=now + chance.randrange(50_000, 500_000),
        attributes={
            "http.request.method": "GET",
            "http.route": "/goods/{id}",
            "http.response.status_code": 200,
            "url.scheme": "https",
            "url.path": f"/goods/{chance.randrange(100_000)}",
            "server.address": "shop.example",
            "client.address": ".".join(str(chance.randrange(256)) for _ in range(4)),
            "user_agent.original": chance.choice(_AGENTS),
            "network.protocol.version": "1.1",
        },
    )


def _context(chance: random.Random, trace_id: int) -> SpanContext:
    return SpanContext(trace_id, chance.getrandbits(64), is_remote=False, trace_flags=TraceFlags(1))
