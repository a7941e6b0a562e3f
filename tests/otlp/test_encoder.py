"""The direct encoder against the official one, by decoding what both have written."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceState

from breaker_exporter.otlp._encode import attributes, items
from breaker_exporter.otlp._encode.batch import Encoded
from breaker_exporter.otlp._encode.spans import encode_spans
from breaker_exporter.otlp._encode.wire import Texts, sized

from ..semantics._processes import run_code
from . import _strategies as some
from ._compare import assert_like_the_official, body_of, encodable, encoded, official, read

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTEXT = SpanContext(0x1234, 0x5678, is_remote=False)
RESOURCE = Resource({"service.name": "shop"})
SCOPE = InstrumentationScope("tests", "1.0")

# The same examples each time: coverage is asked to be whole, and a rare shape must not decide that.
many = settings(max_examples=75, deadline=None, derandomize=True)
some_examples = settings(max_examples=50, deadline=None, derandomize=True)


def span(attributes: Any = None, **fields: Any) -> ReadableSpan:
    usual: dict[str, Any] = {
        "context": CONTEXT,
        "resource": RESOURCE,
        "instrumentation_scope": SCOPE,
        "start_time": 1,
        "end_time": 2,
    }
    return ReadableSpan("GET /", attributes=attributes, **(usual | fields))


@many
@given(some.spans())
def test_a_span_of_any_shape_is_read_as_the_official_one(drawn: ReadableSpan) -> None:
    assert_like_the_official([drawn])


NULLS = [None] if some.NONE_IS_KEPT else []


@pytest.mark.parametrize(
    "fields",
    [
        {"status": None},
        {"start_time": None, "end_time": None},
        {"parent": SpanContext(1, 2, is_remote=True)},
        {"instrumentation_scope": None},
        {"attributes": {"k": [1, *NULLS, {"a": b"b"}], "n": -1, "big": 1 << 62, "long": "x" * 5000}},
        {"attributes": {None: 1, "k": "v"}},
    ],
)
def test_a_span_that_lacks_or_has_something_is_read_as_the_official_one(fields: dict[str, Any]) -> None:
    assert_like_the_official([span(**fields)])


@pytest.mark.long
@many
@given(some.batches())
def test_a_batch_of_any_shape_is_read_as_the_official_one(batch: list[ReadableSpan]) -> None:
    assert_like_the_official(batch)


@many
@given(some.attributes)
def test_attributes_of_any_type_are_read_as_the_official_ones_wherever_they_stand(attributes: Any) -> None:
    everywhere = span(attributes, events=[Event("e", attributes, 1)], links=[Link(CONTEXT, attributes)])
    assert_like_the_official([everywhere])


def test_others_are_let_run_between_any_few_spans() -> None:
    batch, rests = [span({"n": number}) for number in range(50)], []

    paused = encode_spans(batch, 0, lambda: rests.append(len(rests)))

    assert paused == encoded(batch)
    assert len(rests) >= 5


def test_nothing_makes_no_request() -> None:
    assert encoded([]) == Encoded((), 0)


def full_span() -> ReadableSpan:
    remote = SpanContext(1 << 127, 1 << 63, is_remote=True, trace_state=TraceState([("vendor", "x")]))
    return ReadableSpan(
        "GET /orders/é",
        context=SpanContext(
            0xABCDEF, 0xFEDCBA, is_remote=False, trace_state=TraceState([("a", "1"), ("b", "2")])
        ),
        parent=remote,
        resource=Resource({"service.name": "shop", "n": 1}, "https://schema/resource"),
        instrumentation_scope=InstrumentationScope("flask", "1.0", "https://schema/scope", {"k": True}),
        attributes=BoundedAttributes(
            3, {"zero": 0, "s": "text", "i": -7, "b": False, "f": -0.0, "l": ["a", "b"]}
        ),
        events=some.bounded([Event("exception", BoundedAttributes(1, {"a": "x", "b": "y"}), 5)], 3),
        links=some.bounded([Link(remote, BoundedAttributes(1, {"a": 1, "b": 2})), Link(CONTEXT)], 200),
        kind=SpanKind.CONSUMER,
        status=Status(StatusCode.ERROR, "refused"),
        start_time=(1 << 64) - 1,
        end_time=1,
    )


def test_a_span_with_every_field_is_read_as_the_official_one() -> None:
    assert_like_the_official([full_span()])


@pytest.mark.parametrize(
    "attributes",
    [
        {"text": "x"},
        {"long": "x" * 100_000},
        {"integer": 1 << 62, "negative": -(1 << 63), "truth": True},
        {"float": float("nan")},
        {"bytes": b"\x00\xff"},
        {"sequence": ("a", "b"), "list": [1, 2], "empty": ()},
        {"mapping": {"a": {"b": [1, "mixed", 2.0, True, b""]}}, "empty": {}},
    ],
)
def test_plain_types_are_read_as_the_official_ones(attributes: dict[str, Any]) -> None:
    assert_like_the_official([span(attributes), span(BoundedAttributes(attributes=attributes))])


@pytest.mark.parametrize("name", ["start_time", "end_time"])
def test_a_span_without_a_time_is_read_as_the_official_one(name: str) -> None:
    assert_like_the_official([span(**{name: None})])


@pytest.mark.parametrize(
    "fields",
    [
        {"attributes": {"a": some.Text("abc")}},
        {"attributes": {some.Text("abc"): 1}},
        {"attributes": {"a": {some.Text("abc"): 1}}},
        {"attributes": {"a": some.Port.HTTPS}},
        {"attributes": {"a": 1 << 63}},
        {"attributes": {"a": -(1 << 63) - 1}},
        {"attributes": {"a": "\ud800"}},
        {"attributes": {"a": some.nested(20)}},
        {"attributes": {"a": object()}},
        {"status": Status(StatusCode.ERROR, some.Text("abc"))},
        {"events": [Event(some.Text("abc"), None, 1)]},
        {"links": [Link(CONTEXT, some.UserAttributes(a=1))]},
    ],
)
def test_odd_fields_are_read_as_the_official_ones(fields: dict[str, Any]) -> None:
    assert_like_the_official([span(), span(**fields), span()])
    assert encoded([span(**fields)]).left_out == 0


def test_attributes_that_contain_themselves_are_dropped_as_the_official_encoder_drops_them() -> None:
    circle: list[object] = []
    circle.append(circle)

    assert_like_the_official([span({"circle": circle, "after": 1})])


def test_a_none_is_an_empty_value_as_it_is_officially_from_1_43_on() -> None:
    """Up to 1.42 the official encoder drops the attribute, and logs an error."""
    nones = span({"a": None, "b": [None, 1], "c": {"d": None}, "e": 1})

    found = attributes_of(nones)

    assert [key for key, _ in found] == ["a", "b", "c", "e"]
    assert found[0][1].WhichOneof("value") is None
    assert [one.WhichOneof("value") for one in found[1][1].array_value.values] == [None, "int_value"]
    if some.NONE_IS_KEPT:
        assert_like_the_official([nones])


def attributes_of(one: ReadableSpan) -> list[tuple[str, Any]]:
    request = ExportTraceServiceRequest.FromString(body_of([one]))
    return [(pair.key, pair.value) for pair in request.resource_spans[0].scope_spans[0].spans[0].attributes]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(items, "_said", {})
    monkeypatch.setattr(attributes, "_said", [])
    caplog.set_level(logging.DEBUG, logger="breaker_exporter")
    return caplog


@pytest.mark.parametrize(
    "fields",
    [
        {"context": None},
        {"kind": None},
        {"context": SpanContext(1 << 128, 1, is_remote=False)},
        {"start_time": -1},
        {"status": Status(StatusCode.ERROR, "\ud800")},
        {"resource": Resource({}, "\ud800")},
        {"instrumentation_scope": InstrumentationScope("\ud800")},
        {"instrumentation_scope": InstrumentationScope([])},  # type: ignore[arg-type]
    ],
)
def test_a_span_that_nobody_can_encode_costs_only_itself(fields: dict[str, Any]) -> None:
    batch = [span(), span(**fields), span({"a": 1})]
    both = encoded(batch)

    assert (both.items, both.left_out) == (2, 1)
    assert read(body_of(batch)) == read(official([span(), span({"a": 1})]))


def test_a_batch_of_none_but_such_spans_is_empty(said: pytest.LogCaptureFixture) -> None:
    assert encoded([span(context=None), object()]) == Encoded((), 2)  # type: ignore[list-item]


def test_a_span_left_out_is_said_once_and_nothing_of_it_quoted(said: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        encoded([span(status=Status(StatusCode.ERROR, "secret \ud800"))])

    (record,) = [record for record in said.records if record.name == "breaker_exporter"]
    assert record.levelno == logging.WARNING
    assert "UnicodeEncodeError" in record.getMessage()
    assert "secret" not in record.getMessage()
    assert record.exc_info is None


def test_equals_of_other_types_are_never_taken_for_each_other() -> None:
    """``True == 1 == 1.0``, with one hash: remembered pairs keep them apart, in every order."""
    alike: list[Any] = [
        True,
        1,
        1.0,
        False,
        0,
        0.0,
        -0.0,
        "1",
        b"1",
        (1,),
        (True,),
        (1.0,),
        [1],
        {"a": 1},
        {"a": True},
    ]
    for value in [*alike, *reversed(alike)]:
        assert_like_the_official(
            [span({"k": value}, events=[Event("e", {"k": value}, 1)], links=[Link(CONTEXT, {"k": value})])]
        )


def test_equal_resources_and_scopes_are_grouped_as_the_official_encoder_groups_them() -> None:
    """Scopes of equal names and equal attributes are one to it, the first, though ``True`` is no ``1``."""
    scopes = [InstrumentationScope("s", attributes={"a": value}) for value in (True, 1, 2)]
    resources = [Resource({"a": value}) for value in (True, 1, 1)]
    batch = [
        span(resource=resource, instrumentation_scope=scope) for scope in scopes for resource in resources
    ]

    assert_like_the_official(batch)
    assert_like_the_official(batch[::-1])
    assert_like_the_official([span(instrumentation_scope=None), *batch, span(instrumentation_scope=None)])


def test_a_resource_that_may_change_is_encoded_anew_in_each_batch() -> None:
    class Changing(Resource):
        seen = 0

        @property
        def schema_url(self) -> str:
            return f"https://schema/{self.seen}"

    changing = Changing({})
    for changing.seen in range(3):
        assert_like_the_official([span(resource=changing)])


class _ShortLived(list[ReadableSpan]):
    """Spans whose resource and scope are gone, and their ids free again, when the next comes."""

    def __getitem__(self, index: Any) -> Any:
        numbers = range(len(self))[index]
        return (numbered(number) for number in numbers)


def numbered(number: int) -> ReadableSpan:
    return span(resource=Resource({"n": number}), instrumentation_scope=InstrumentationScope(f"s{number}"))


def test_an_id_used_again_brings_no_stranger_s_resource() -> None:
    batch = [numbered(number) for number in range(40)]
    in_one_batch = body_of(_ShortLived([span()] * 40))
    in_batches_of_one = b"".join(body_of([numbered(number)]) for number in range(40))

    assert read(in_one_batch) == read(official(batch))
    assert read(in_batches_of_one) == read(official(batch))


def _new_to_everyone(start: int, count: int) -> Iterator[ReadableSpan]:
    for number in range(start, start + count):
        text = f"{number:090}"
        pairs: dict[str, Any] = {text: "x", "k": text, f"i{number}": number % 9999, f"t{number}": True}
        yield ReadableSpan(
            text,
            context=CONTEXT,
            resource=RESOURCE if number % 50 else Resource({"n": text}),
            instrumentation_scope=SCOPE if number % 50 else InstrumentationScope(text),
            attributes=pairs,
            events=[Event(text, pairs, 1)],
            links=[Link(CONTEXT, pairs)],
        )


@pytest.mark.long
def test_memory_does_not_grow_with_ever_new_names_keys_values_and_resources() -> None:
    """Peaks of the traced memory, the second of twice as much: half a MB more where a cache has no bound."""
    run_code(
        "import tracemalloc\n"
        "from breaker_exporter.otlp._encode.spans import encode_spans\n"
        "from tests.otlp.test_encoder import _new_to_everyone\n"
        "def peak(start, count):\n"
        "    for part in range(start, start + count, 100):\n"
        "        batch = encode_spans(list(_new_to_everyone(part, 100)), 0, lambda: None)\n"
        "        assert batch.items == 100\n"
        "    return tracemalloc.get_traced_memory()[1]\n"
        "tracemalloc.start()\n"
        "first = peak(0, 800)\n"
        "second = peak(800, 1600)\n"
        "assert second - first < 200_000, (first, second)\n"
        "assert first < 20_000_000, first\n",
        patience=100,
    )


def test_names_are_forgotten_when_there_are_too_many() -> None:
    names = Texts()
    ever_new = [f"{number}" for number in range(2000)]

    assert [names[name] for name in ever_new] == [sized(name.encode()) for name in ever_new]
    assert 0 < len(names) < len(ever_new)


def test_a_lone_thread_and_many_make_the_same_bodies() -> None:
    batches = [list(_new_to_everyone(start, 60)) for start in range(0, 480, 60)]
    alone = [body_of(batch) for batch in batches]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(body_of, batches * 3))

    assert together == alone * 3


def test_neither_protobuf_nor_the_official_encoder_is_loaded() -> None:
    """O4: the official encoder is optional; what is odd needs it no more than the rest."""
    run_code(
        "import sys\n"
        "sys.modules['opentelemetry.exporter.otlp.proto'] = sys.modules['google.protobuf'] = None\n"
        "from breaker_exporter.otlp._encode.log_records import encode_log_records\n"
        "from breaker_exporter.otlp._encode.spans import encode_spans\n"
        "from tests.otlp._odd import odd_log_records, odd_spans\n"
        "for encode, odd in ((encode_spans, odd_spans()), (encode_log_records, odd_log_records())):\n"
        "    batch = encode(odd, 0, lambda: None)\n"
        "    assert (batch.items, batch.left_out) == (len(odd), 0)\n"
        "    assert b'shop' in batch.requests[0].body\n"
    )


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (object(), "object"),
        (1 << 64, "an integer of more than 64 bits"),
        ("secret \ud800", "UnicodeEncodeError"),
        (some.nested(60), "values nested too deep"),
        ({"fine": 1, "odd": [1, {2, 3}]}, "set"),
    ],
)
def test_an_attribute_that_nobody_can_encode_is_left_out_with_one_warning_and_its_span_travels(
    value: object, why: str, said: pytest.LogCaptureFixture
) -> None:
    """O3."""
    some_are_odd: Any = {"before": 1, "odd": value, "after": "x", "odd too": value}
    batch = [
        span(some_are_odd, events=[Event("e", some_are_odd, 1)], links=[Link(CONTEXT, some_are_odd)]),
        span({"a": 1}, resource=RESOURCE, instrumentation_scope=SCOPE),
    ]

    assert (encoded(batch).items, encoded(batch).left_out) == (2, 0)

    assert [key for key, _ in attributes_of(batch[0])] == ["before", "after"]
    (record,) = [record for record in said.records if record.name == "breaker_exporter"]
    assert record.levelno == logging.WARNING
    assert f"the attribute 'odd' cannot be encoded ({why})" in record.getMessage()
    assert "secret" not in record.getMessage()


def test_so_is_one_of_a_resource_or_a_scope() -> None:
    resource, scope = Resource({"before": 1}), InstrumentationScope("s", attributes={"before": 1})
    for owner in (resource, scope):
        owner._attributes = {"before": 1, "odd": object(), "after": 2}  # type: ignore[assignment]
    good = {"before": 1, "after": 2}

    found = body_of([span(resource=resource, instrumentation_scope=scope)])

    plain = InstrumentationScope("s", attributes=good)
    expected = span(resource=Resource(good), instrumentation_scope=plain)
    assert read(found) == read(official([expected]))


@pytest.mark.parametrize("levels", [38, 39, 40, 44, 49])
def test_what_is_nested_deeper_than_readers_go_costs_the_attribute_where_officially_it_costs_the_batch(
    levels: int,
) -> None:
    """Readers refuse more than 100 messages inside of each other, and the whole request with them."""
    deep = {"a": 1, "deep": some.nested(levels), "b": 2}
    everywhere = span(
        deep, events=[Event("e", deep, 1)], links=[Link(CONTEXT, deep)], resource=Resource(deep)
    )

    read(body_of([everywhere]))

    assert [key for key, _ in attributes_of(everywhere)] in (["a", "deep", "b"], ["a", "b"])
    is_kept = any(b"deep" in official([one]) for one in encodable([span(deep)]))
    assert (len(attributes_of(span(deep))) == 3) is is_kept


def test_resources_without_a_hash_travel_each_as_its_own() -> None:
    """Up to 1.42 bytes among the attributes are enough: JSON, by which a resource is hashed, has none."""

    class Unhashable(Resource):
        __hash__ = None  # type: ignore[assignment]

    batch = [span(resource=Unhashable({"n": number})) for number in range(3)]

    plain = [span(resource=Resource({"n": number})) for number in range(3)]
    assert read(body_of(batch)) == read(official(plain))


@pytest.mark.parametrize("text", [b"bytes", "\udfff", None, 7, b"\xff"])
def test_a_name_that_is_no_text_is_read_as_the_official_one(text: Any) -> None:
    odd = ReadableSpan(text, context=CONTEXT, resource=RESOURCE, instrumentation_scope=SCOPE)

    assert_like_the_official([odd])


@pytest.mark.parametrize("dropped", [-1, 1 << 32, (1 << 32) - 1])
def test_a_count_that_has_no_place_costs_its_span_as_it_does_officially(dropped: int) -> None:
    assert_like_the_official([span(), span(events=some.bounded([], dropped))])


def test_texts_of_all_sizes_and_numbers_are_read_as_the_official_ones_twice_over() -> None:
    """The batch is large enough for the encoder to empty its caches in between."""
    batch = [
        span({"text": "x" * size, "number": size, "large": size << 40, "few": "y" * (size % 3)})
        for size in range(1200)
    ]

    assert_like_the_official(batch)
    assert_like_the_official(batch[::-1])
