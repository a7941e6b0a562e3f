"""Encoded batches that are kept as one (K7): the same items in the same order, in fewer requests."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan

from breaker_exporter.otlp._encode.request import Request
from breaker_exporter.otlp._joining import joined
from breaker_exporter.otlp._payload import EncodedPayload, PackedRequest, unpacked

from ..semantics._spans import spans
from ._compare import encoded
from .test_request import Placed, placed
from .test_request import spans as some_spans


def no_rest() -> None:
    pass


def payload_of(batch: list[ReadableSpan]) -> EncodedPayload:
    return EncodedPayload(encoded(batch).requests)


def placed_in(payload: EncodedPayload) -> list[Placed]:
    bodies = [unpacked(request, no_rest).body for request in payload.requests]
    return [one for body in bodies for one in placed(body)]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.lists(some_spans, max_size=4).map(payload_of), st.booleans()), max_size=5),
    st.integers(0, 3000),
)
def test_all_items_are_there_in_order_and_no_request_gets_too_large(
    given: list[tuple[EncodedPayload, bool]], limit: int
) -> None:
    payloads = [payload.packed(no_rest) if pack else payload for payload, pack in given]

    whole = joined(payloads, limit, no_rest)

    assert placed_in(whole) == [one for payload in payloads for one in placed_in(payload)]
    assert whole.items == sum(payload.items for payload in payloads)
    largest = max((len(request.body) for payload, _ in given for request in payload.requests), default=0)
    for request in whole.requests:
        plain = unpacked(request, no_rest)
        assert len(plain.body) <= max(limit or 1 << 30, largest)
        assert len(placed(plain.body)) == plain.items
    assert whole.is_in_flight


def test_spans_that_were_exported_one_by_one_are_one_packed_request() -> None:
    payloads = [payload_of([span]).packed(no_rest) for span in spans(100)]

    whole = joined(payloads, 0, no_rest)

    (request,) = whole.requests
    assert isinstance(request, PackedRequest)
    assert whole.items == 100
    assert whole.size < sum(payload.size for payload in payloads) / 5


def test_requests_are_filled() -> None:
    payload = payload_of(list(spans(1)))
    size = len(payload.requests[0].body)

    whole = joined([payload] * 100, 11 * size - 1, no_rest)

    assert [request.items for request in whole.requests] == [10] * 10


def test_requests_of_different_kinds_stay_apart() -> None:
    levels = (frozenset({0x0A}),)
    one, other = Request(b"\x0a\x00", 1), Request(b"\x0a\x00", 1, levels)

    whole = joined([EncodedPayload((one, other)), EncodedPayload((other,))], 0, no_rest)

    assert whole.requests == (one, Request(b"\x0a\x00" * 2, 2, levels))


def test_others_run_meanwhile() -> None:
    rests: list[None] = []
    joined([payload_of([span]) for span in spans(20)], 0, lambda: rests.append(None))
    assert len(rests) == 20
