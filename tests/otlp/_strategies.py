"""Spans of every shape that the SDK, an instrumentation or a careless hand can make."""

from __future__ import annotations

import enum
from collections import OrderedDict, UserDict
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState


class Text(str):
    """A text that says it equals every other of its length, and is written as what it is."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and len(other) == len(self)

    def __hash__(self) -> int:
        return len(self)


class Number(int):
    """An integer of another type."""


class Port(enum.IntEnum):
    HTTPS = 443


class UserAttributes(UserDict[str, Any]):
    """A mapping that is no dict."""


class Method(str, enum.Enum):  # noqa: UP042 (its str() is another than that of a StrEnum)
    GET = "GET"


plain_texts = st.text(max_size=12) | st.sampled_from(
    ["", "GET", "exception", "x" * 127, "x" * 128, "é" * 5000]
)
texts = plain_texts | st.text(st.characters(exclude_categories=()), max_size=4) | st.just("\ud800")

_POWERS = [1 << bits for bits in (7, 14, 31, 32, 63, 64, 200)]
_EDGES = [sign * power + more for power in _POWERS for sign in (1, -1) for more in (-1, 0, 1)]
integers = st.integers(-5, 20_000) | st.integers() | st.sampled_from([*_EDGES, 4095, 4096, 9999, 10_000])
floats = st.floats() | st.sampled_from([0.0, -0.0, 1.0, float("nan"), -float("nan"), float("inf"), 5e-324])
alike: st.SearchStrategy[Any] = st.sampled_from(
    [True, 1, 1.0, False, 0, 0.0, -0.0, "1", b"1", (1,), (True,), (1.0,)]
)
odd: st.SearchStrategy[Any] = st.sampled_from(
    [
        Text("abc"),
        Number(7),
        Port.HTTPS,
        Method.GET,
        Decimal("1.5"),
        range(3),
        {1, 2},
        bytearray(b"ab"),
        object(),
        SpanKind.SERVER,
        OrderedDict(a=1),
        MappingProxyType({"a": 1}),
    ]
)
_with_none = ReadableSpan("", SpanContext(1, 1, is_remote=False), attributes={"none": None})
NONE_IS_KEPT = b"none" in encode_spans([_with_none]).SerializeToString()
"""False up to 1.42: the official encoder drops an attribute that is ``None``, or has one in it."""

nones: st.SearchStrategy[Any] = st.none() if NONE_IS_KEPT else st.nothing()
scalars: st.SearchStrategy[Any] = st.booleans() | texts | integers | floats | st.binary(max_size=8) | alike
keys: st.SearchStrategy[Any] = st.sampled_from(["", "a", "http.request.method", "db.statement"]) | texts
odd_keys: st.SearchStrategy[Any] = st.sampled_from([Text("abc"), Method.GET, 1, None, True, ("a",)])


def _deeper(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    few = st.lists(inner, max_size=3)
    return few | few.map(tuple) | st.dictionaries(keys | odd_keys, inner, max_size=3)


def nested(levels: int) -> Any:
    value: Any = "bottom"
    for level in range(levels):
        value = {"down": value} if level % 2 else [value]
    return value


values: st.SearchStrategy[Any] = st.one_of(
    scalars,
    st.recursive(scalars | nones, _deeper, max_leaves=6),
    nones,
    odd,
    st.lists(odd, max_size=2),
    st.sampled_from([7, 8, 9, 10, 20, 37, 120]).map(nested),
)


def _dropping(attributes: dict[Any, Any]) -> BoundedAttributes:
    return BoundedAttributes(maxlen=2, attributes=attributes)


_raw = st.dictionaries(keys, scalars, max_size=5) | st.dictionaries(keys | odd_keys, values, max_size=3)
attributes: st.SearchStrategy[Any] = st.one_of(
    _raw,
    _raw.map(lambda raw: BoundedAttributes(attributes=raw)),
    _raw.map(_dropping),
    _raw.map(OrderedDict),
    _raw.map(MappingProxyType),
    _raw.map(UserAttributes),
    st.none(),
)

_states = st.none() | st.just(TraceState()) | st.just(TraceState([("vendor", "a=b"), ("other", "1")]))
contexts = st.builds(
    SpanContext,
    trace_id=st.integers(0, (1 << 128) - 1),
    span_id=st.integers(0, (1 << 64) - 1),
    is_remote=st.booleans(),
    trace_flags=st.sampled_from([TraceFlags(0), TraceFlags(1), TraceFlags(255)]),
    trace_state=_states,
)
odd_contexts: st.SearchStrategy[Any] = st.none() | st.builds(
    SpanContext,
    trace_id=st.sampled_from([-1, 1, 1 << 128]),
    span_id=st.sampled_from([-1, 1, 1 << 64]),
    is_remote=st.none(),
)

times = st.none() | st.integers(0, (1 << 64) - 1)
# Not True: what is a time of 1 here is none to some versions of protobuf, and to others it is.
odd_times: st.SearchStrategy[Any] = st.sampled_from([-1, 1 << 64, 1.5, Number(7), "now"])
statuses: st.SearchStrategy[Any] = st.builds(Status, st.sampled_from(StatusCode)) | st.builds(
    Status, st.just(StatusCode.ERROR), st.none() | texts
)
odd_statuses: st.SearchStrategy[Any] = st.sampled_from(
    [None, Status(StatusCode.ERROR, Text("abc")), Status(2), 1]  # type: ignore[arg-type]
)
kinds: st.SearchStrategy[Any] = st.sampled_from(SpanKind)
odd_kinds: st.SearchStrategy[Any] = st.sampled_from([None, 0, 2, "SERVER"])
odd_names: st.SearchStrategy[Any] = st.sampled_from(
    [None, 7, b"bytes", Text("abc"), Method.GET, [], "\udfff"]
)


@st.composite
def events(draw: st.DrawFn) -> Event:
    name = draw(st.one_of(*[plain_texts] * 4, odd_names))
    return Event(name, draw(attributes), draw(st.one_of(*[st.integers(1, (1 << 64) - 1)] * 4, odd_times)))


@st.composite
def links(draw: st.DrawFn) -> Link:
    return Link(draw(st.one_of(*[contexts] * 5, odd_contexts)), draw(attributes))


def bounded(items: list[Any], dropped: int) -> BoundedList[Any]:
    made: BoundedList[Any] = BoundedList.from_seq(None, items)
    made.dropped = dropped
    return made


def _lists_of(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    few = st.lists(items, max_size=2)
    return few | st.builds(bounded, few, st.sampled_from([0, 1, 127, 5000, (1 << 32) - 1, 1 << 32, -1]))


_urls = st.sampled_from([None, "", "https://opentelemetry.io/schemas/1.11.0"])
scopes = st.none() | st.builds(
    InstrumentationScope,
    st.sampled_from(["flask", "sqlalchemy"]) | texts,
    st.none() | st.just("1.0"),
    _urls,
    st.none() | st.dictionaries(st.just("a"), alike, max_size=1) | st.dictionaries(keys, values, max_size=2),
)
resources = st.builds(
    Resource,
    st.dictionaries(st.just("a"), alike, max_size=1) | st.dictionaries(keys, values, max_size=2),
    _urls,
)


@st.composite
def spans(draw: st.DrawFn, resource: Any = resources, scope: Any = scopes) -> ReadableSpan:
    """Draw a span; about every second is one that the SDK itself could have made."""
    careless = draw(st.booleans())

    def one_of(usual: st.SearchStrategy[Any], unusual: st.SearchStrategy[Any]) -> Any:
        return draw(st.one_of(usual, usual, usual, unusual) if careless else usual)

    return ReadableSpan(
        name=one_of(plain_texts, odd_names),
        context=one_of(contexts, odd_contexts),
        parent=draw(st.none() | contexts),
        resource=draw(resource),
        attributes=draw(attributes),
        events=draw(_lists_of(events())) if draw(st.booleans()) else (),
        links=draw(_lists_of(links())) if draw(st.booleans()) else (),
        kind=one_of(kinds, odd_kinds),
        status=one_of(statuses, odd_statuses),
        start_time=one_of(times, odd_times),
        end_time=one_of(times, odd_times),
        instrumentation_scope=draw(scope),
    )


@st.composite
def batches(draw: st.DrawFn) -> list[ReadableSpan]:
    """Draw spans that share few resources and scopes."""
    some_resources = st.sampled_from(draw(st.lists(resources, min_size=1, max_size=3)))
    some_scopes = st.sampled_from(draw(st.lists(scopes, min_size=1, max_size=3)))
    return draw(st.lists(spans(some_resources, some_scopes), max_size=6))
