"""Log records of every shape that the SDK, a logging handler or a careless hand can make."""

from __future__ import annotations

import enum
from typing import Any

from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.trace import SpanKind, TraceFlags

from . import _strategies as some


class Level(enum.Enum):
    """Severities of another package."""

    LOUD = 30
    BELOW = -(1 << 31)
    TOO_HIGH = 1 << 31
    NONE = None
    TEXT = "no name of a severity"


_severities: st.SearchStrategy[Any] = st.none() | st.sampled_from(SeverityNumber)
_odd_severities: st.SearchStrategy[Any] = st.sampled_from([*Level, SpanKind.SERVER, 20, "INFO"])
_texts: st.SearchStrategy[Any] = st.none() | some.plain_texts
_flags: st.SearchStrategy[Any] = st.sampled_from([TraceFlags(0), TraceFlags(1), TraceFlags(255)])
_odd_flags: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 1, "1", "x", 1.9, -1, (1 << 32) - 1, 1 << 32]
)
_odd_ids: st.SearchStrategy[Any] = st.sampled_from([None, -1, 1 << 64, 1 << 128, 0.0, 1.0, "1"])


def _ids(bits: int) -> st.SearchStrategy[Any]:
    return st.just(0) | st.integers(0, (1 << bits) - 1)


@st.composite
def _attributes(draw: st.DrawFn) -> Any:
    drawn = draw(some.attributes)
    if isinstance(drawn, BoundedAttributes):
        drawn.dropped = draw(st.sampled_from([0, 1, 127, 5000, (1 << 32) - 1, 1 << 32, -1]))
    return drawn


@st.composite
def log_records(
    draw: st.DrawFn, resource: Any = some.resources, scope: Any = some.scopes
) -> ReadableLogRecord:
    """Draw a log record; about every second is one that the SDK itself could have made."""
    careless = draw(st.booleans())

    def one_of(usual: st.SearchStrategy[Any], unusual: st.SearchStrategy[Any]) -> Any:
        return draw(st.one_of(usual, usual, usual, unusual) if careless else usual)

    record: Any = LogRecord(
        timestamp=one_of(some.times, some.odd_times),
        severity_text=one_of(_texts, some.odd_names),
        severity_number=one_of(_severities, _odd_severities),
        body=one_of(some.texts, some.values),
        attributes=draw(_attributes()),
        event_name=one_of(_texts, some.odd_names),
    )
    # What is missing here, the record takes from the clock and the current context when it is made.
    record.observed_timestamp = one_of(some.times, some.odd_times)
    record.trace_id = one_of(_ids(128), _odd_ids)
    record.span_id = one_of(_ids(64), _odd_ids)
    record.trace_flags = one_of(_flags, _odd_flags)
    return ReadableLogRecord(record, draw(resource), draw(scope))


@st.composite
def batches(draw: st.DrawFn) -> list[ReadableLogRecord]:
    """Draw log records that share few resources and scopes."""
    resources = st.sampled_from(draw(st.lists(some.resources, min_size=1, max_size=3)))
    scopes = st.sampled_from(draw(st.lists(some.scopes, min_size=1, max_size=3)))
    return draw(st.lists(log_records(resources, scopes), max_size=6))
