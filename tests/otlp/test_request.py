"""Encoded requests, cut by their bytes: same items, same groups, no more than so many bytes (O1, O3)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext

from breaker_exporter.otlp._encode.request import Request
from breaker_exporter.otlp._protobuf import Malformed

from ._compare import body_of, encoded

RESOURCES = [Resource({"n": number}, "https://schema") for number in range(3)]
SCOPES = [InstrumentationScope(f"s{number}", "1", "https://schema", {"k": number}) for number in range(3)]

Placed = tuple[str, str, str]


def placed(body: bytes) -> list[Placed]:
    """Each span's name, with all that is said of its scope and its resource."""
    request = ExportTraceServiceRequest.FromString(body)
    return [
        (span.name, f"{scoped.scope}{scoped.schema_url}", f"{of.resource}{of.schema_url}")
        for of in request.resource_spans
        for scoped in of.scope_spans
        for span in scoped.spans
    ]


spans = st.builds(
    lambda name, resource, scope: ReadableSpan(
        name, SpanContext(1, 1, is_remote=False), resource=resource, instrumentation_scope=scope
    ),
    st.text("abc", max_size=5) | st.integers(100, 5000).map(lambda size: "x" * size),
    st.sampled_from(RESOURCES),
    st.sampled_from([*SCOPES, None]),
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(spans, min_size=1, max_size=12), st.integers(1, 6000))
def test_parts_hold_the_same_items_in_the_same_order_and_keep_the_limit(
    batch: list[ReadableSpan], limit: int
) -> None:
    (whole,) = encoded(batch).requests

    parts = whole.split(limit)

    assert [one for part in parts for one in placed(part.body)] == placed(whole.body)
    assert [part.items for part in parts] == [len(placed(part.body)) for part in parts]
    assert all(len(part.body) <= limit or part.items == 1 for part in parts)
    assert encoded(batch, limit).requests == parts


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(spans, min_size=2, max_size=12))
def test_halves_hold_the_same_items_in_the_same_order(batch: list[ReadableSpan]) -> None:
    (whole,) = encoded(batch).requests

    first, second = whole.halved()

    assert placed(first.body) + placed(second.body) == placed(whole.body)
    assert (first.items, second.items) == (len(placed(first.body)), len(placed(second.body)))
    assert min(first.items, second.items) > 0


def test_parts_are_filled() -> None:
    context = SpanContext(1, 1, is_remote=False)
    (whole,) = encoded([ReadableSpan(f"span {number}", context) for number in range(512)]).requests

    parts = whole.split(4096)

    assert len(parts) <= 1.05 * len(whole.body) / 4096 + 1


@pytest.mark.parametrize("limit", [10_000, 45])
def test_what_fits_and_what_cannot_be_cut_stays_as_it_is(limit: int) -> None:
    request = Request(body_of([ReadableSpan("one", SpanContext(1, 1, is_remote=False))]), 1)

    assert request.split(limit) == (request,)


def test_a_part_can_be_split_again() -> None:
    context = SpanContext(1, 1, is_remote=False)
    (whole,) = encoded([ReadableSpan("x" * 100, context, resource=RESOURCES[0]) for _ in range(16)]).requests

    once = [again for part in whole.split(1200) for again in part.split(300)]

    assert [placed(part.body) for part in once] == [placed(part.body) for part in whole.split(300)]


@pytest.mark.parametrize(
    "body", [b"\x0a", b"\x0a\x05\x12", b"\x0a" + b"\xff" * 11, b"\x0b\x00", b"\x02\x00", b"\x0d\x00"]
)
def test_bytes_that_are_no_request_are_not_split(body: bytes) -> None:
    with pytest.raises(Malformed):
        Request(body, 2).split(0)
