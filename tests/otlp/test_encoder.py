"""The direct encoder against the official one, by decoding what both have written."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceState

from breaker_exporter.otlp._encode import spans
from breaker_exporter.otlp._encode.official import official_span_bytes
from breaker_exporter.otlp._encode.span import span_bytes
from breaker_exporter.otlp._encode.spans import BatchEncoder, warm

from ..semantics._processes import run_code
from . import _strategies as some
from ._compare import assert_like_the_official, encoded, official, read

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTEXT = SpanContext(0x1234, 0x5678, is_remote=False)
RESOURCE = Resource({"service.name": "shop"})
SCOPE = InstrumentationScope("tests", "1.0")

# The same examples each time: coverage is asked to be whole, and a rare shape must not decide that.
many = settings(max_examples=150, deadline=None, derandomize=True)
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


@pytest.mark.parametrize(
    "fields",
    [
        {"status": None},
        {"start_time": None, "end_time": None},
        {"parent": SpanContext(1, 2, is_remote=True)},
        {"instrumentation_scope": None},
        {"attributes": {"k": [1, None, {"a": b"b"}], "n": -1, "big": 1 << 62, "long": "x" * 5000}},
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


@pytest.mark.long
@some_examples
@given(some.batches(), st.data())
def test_a_batch_cut_anywhere_makes_the_same_body(batch: list[ReadableSpan], data: st.DataObject) -> None:
    whole = encoded(batch)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(batch)), max_size=4)))
    sliced = BatchEncoder()
    for start, end in pairwise([0, *cuts, len(batch)]):
        sliced.add(batch[start:end])
        sliced.body()

    assert sliced.body() == whole.body()
    assert (sliced.count, sliced.left_out) == (whole.count, whole.left_out)


def test_nothing_makes_an_empty_body() -> None:
    assert encoded([]).body() == b""


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


def test_a_span_with_every_field_needs_no_official_encoder() -> None:
    span_bytes(full_span())
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
def test_plain_types_need_no_official_encoder(attributes: dict[str, Any]) -> None:
    span_bytes(span(BoundedAttributes(attributes=attributes)))
    assert_like_the_official([span(attributes)])


@pytest.mark.parametrize("name", ["start_time", "end_time"])
def test_a_span_without_a_time_needs_no_official_encoder(name: str) -> None:
    span_bytes(span(**{name: None}))
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
def test_what_the_direct_encoder_does_not_know_goes_to_the_official_one(fields: dict[str, Any]) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011
        span_bytes(span(**fields))
    assert_like_the_official([span(), span(**fields), span()])
    assert encoded([span(**fields)]).left_out == 0


def test_attributes_that_contain_themselves_are_dropped_as_the_official_encoder_drops_them() -> None:
    circle: list[object] = []
    circle.append(circle)

    assert_like_the_official([span({"circle": circle, "after": 1})])


def test_a_none_is_learned_from_the_official_encoder_which_changed_its_mind_in_1_43() -> None:
    nones = span({"a": None, "b": [None, 1], "c": {"d": None}, "e": 1})
    assert_like_the_official([nones])
    kept = len(official([span({"a": None})])) > len(official([span({})]))

    if kept:
        span_bytes(nones)
    else:
        with pytest.raises(Exception):  # noqa: B017, PT011
            span_bytes(nones)
    assert_like_the_official([nones])


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(spans, "_said", [])
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
        {"attributes": {"a": some.nested(40)}},
        {"resource": Resource({}, "\ud800")},
        {"instrumentation_scope": InstrumentationScope("\ud800")},
        {"instrumentation_scope": InstrumentationScope([])},  # type: ignore[arg-type]
    ],
)
def test_a_span_that_nobody_can_encode_costs_only_itself(fields: dict[str, Any]) -> None:
    encoder = encoded([span(), span(**fields), span({"a": 1})])

    assert (encoder.count, encoder.left_out) == (2, 1)
    assert read(encoder.body()) == read(official([span(), span({"a": 1})]))


def test_a_batch_of_none_but_such_spans_is_empty(said: pytest.LogCaptureFixture) -> None:
    encoder = encoded([span(context=None), object()])  # type: ignore[list-item]

    assert (encoder.count, encoder.left_out, encoder.body()) == (0, 2, b"")


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


def _short_lived(count: int) -> Iterator[ReadableSpan]:
    """Yield spans whose resource and scope are gone, and their ids free again, when the next comes."""
    for number in range(count):
        yield span(resource=Resource({"n": number}), instrumentation_scope=InstrumentationScope(f"s{number}"))


def test_an_id_used_again_brings_no_stranger_s_resource() -> None:
    batch = list(_short_lived(40))
    in_one_batch = encoded(_short_lived(40)).body()
    in_batches_of_one = b"".join(encoded([one]).body() for one in _short_lived(40))

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
    """Peaks of the traced memory, the second of twice as much input: 9 MB more where nothing is forgotten."""
    run_code(
        "import tracemalloc\n"
        "from breaker_exporter.otlp._encode.spans import BatchEncoder\n"
        "from tests.otlp.test_encoder import _new_to_everyone\n"
        "def peak(start, count):\n"
        "    for part in range(start, start + count, 100):\n"
        "        encoder = BatchEncoder()\n"
        "        encoder.add(_new_to_everyone(part, 100))\n"
        "        assert encoder.count == 100\n"
        "    return tracemalloc.get_traced_memory()[1]\n"
        "tracemalloc.start()\n"
        "first = peak(0, 3000)\n"
        "second = peak(3000, 6000)\n"
        "assert second - first < 200_000, (first, second)\n"
        "assert first < 20_000_000, first\n",
        patience=100,
    )


def test_a_lone_thread_and_many_make_the_same_bodies() -> None:
    batches = [list(_new_to_everyone(start, 60)) for start in range(0, 480, 60)]
    alone = [encoded(batch).body() for batch in batches]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda batch: encoded(batch).body(), batches * 3))

    assert together == alone * 3


def test_protobuf_is_loaded_when_asked_for_and_not_before() -> None:
    run_code(
        "import sys\n"
        "from breaker_exporter.otlp._encode.spans import warm\n"
        "assert 'google.protobuf' not in sys.modules\n"
        "warm()\n"
        "assert 'opentelemetry.exporter.otlp.proto.common.trace_encoder' in sys.modules\n"
    )
    warm()


def test_an_odd_span_comes_from_the_official_encoder_byte_by_byte() -> None:
    odd = span({"a": some.Port.HTTPS})

    assert official_span_bytes(odd) in official([odd])
    assert official_span_bytes(odd) in encoded([odd]).body()
