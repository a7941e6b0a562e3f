"""A batch of log records as a web service writes them: requests, one warning in ten, one error in fifty."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from .spans import BEGAN, RESOURCE

_REQUESTS, _STOCK = InstrumentationScope("shop.requests"), InstrumentationScope("shop.stock")
_ONE_WARNING_IN, _ONE_ERROR_IN = 10, 50
_STACK_TRACE = "".join(
    f'  File "/srv/shop/{module}.py", line {line}, in {function}\n    {source}\n'
    for module, line, function, source in (
        ("views", 118, "sell", "order = orders.place(cart, customer)"),
        ("orders", 64, "place", "reserved = stock.reserve(line.goods, line.count)"),
        ("stock", 203, "reserve", "row = connection.execute(QUERY, (goods, count)).fetchone()"),
        ("database", 87, "execute", "return self._cursor.execute(query, arguments)"),
    )
)


def web_log_records(count: int) -> Sequence[ReadableLogRecord]:
    """Return `count` log records with the attributes that OpenTelemetry's handler gives them.

    The same at each run.
    """
    chance = random.Random(1)
    return [
        ReadableLogRecord(record, resource=RESOURCE, instrumentation_scope=scope)
        for record, scope in _records(chance, count)
    ]


def _records(chance: random.Random, count: int) -> Iterator[tuple[LogRecord, InstrumentationScope]]:
    at = BEGAN
    for number in range(1, count + 1):
        at += chance.randrange(100_000, 2_000_000)
        if number % _ONE_ERROR_IN == 0:
            yield _error(chance, at), _STOCK
        elif number % _ONE_WARNING_IN == 0:
            yield _warning(chance, at), _STOCK
        else:
            yield _request(chance, at), _REQUESTS


def _request(chance: random.Random, at: int) -> LogRecord:
    goods, took = chance.randrange(100_000), chance.randrange(2_000, 90_000) / 1000
    body = f"GET /goods/{goods} answered 200 in {took:.1f} ms"
    return _record(chance, at, SeverityNumber.INFO, body, _code("requests", "log_answer", 41))


def _warning(chance: random.Random, at: int) -> LogRecord:
    body = f"only {chance.randrange(1, 5)} of goods {chance.randrange(100_000)} left in stock"
    return _record(chance, at, SeverityNumber.WARN, body, _code("stock", "reserve", 211))


def _error(chance: random.Random, at: int) -> LogRecord:
    message = f"goods {chance.randrange(100_000)} cannot be reserved: the database gave no answer"
    attributes = {
        **_code("stock", "reserve", 207),
        "exception.type": "shop.database.TimeoutError",
        "exception.message": message,
        "exception.stacktrace": f"Traceback (most recent call last):\n{_STACK_TRACE}TimeoutError: {message}",
    }
    return _record(chance, at, SeverityNumber.ERROR, message, attributes)


def _code(module: str, function: str, line: int) -> dict[str, str | int]:
    return {
        "code.file.path": f"/srv/shop/{module}.py",
        "code.function.name": function,
        "code.line.number": line,
    }


def _record(
    chance: random.Random,
    at: int,
    severity: SeverityNumber,
    body: str,
    attributes: Mapping[str, str | int],
) -> LogRecord:
    span = SpanContext(
        chance.getrandbits(128), chance.getrandbits(64), is_remote=False, trace_flags=TraceFlags(1)
    )
    return LogRecord(
        timestamp=at,
        observed_timestamp=at + chance.randrange(20_000, 200_000),
        context=set_span_in_context(NonRecordingSpan(span)),
        severity_text=severity.name,
        severity_number=severity,
        body=body,
        attributes=attributes,
    )
