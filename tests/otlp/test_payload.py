"""An encoded batch as it is kept (K5): packed and unpacked in slices, and measured."""

from __future__ import annotations

import gc
import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan

from breaker_exporter.otlp._encode.request import BY_SCOPE, Request
from breaker_exporter.otlp._payload import EncodedPayload, PackedRequest, unpacked

from ..semantics._spans import spans
from ._compare import encoded

KIB = 1 << 10


def no_rest() -> None:
    pass


def texts(size: int) -> bytes:
    """Bytes that are about as easy to pack as spans are."""
    numbers = random.Random(size)
    return b"".join(b"%06d" % numbers.randrange(10**6) + b"x" * 44 for _ in range(size // 50))


@given(
    st.lists(
        st.builds(
            Request,
            st.binary(max_size=300)
            | st.builds(
                lambda part, times: part * times, st.binary(min_size=1, max_size=40), st.integers(0, 9999)
            ),
            st.integers(1, 9),
        )
    )
)
def test_what_is_packed_is_unpacked_as_it_was(requests: list[Request]) -> None:
    whole = EncodedPayload(tuple(requests))

    packed = whole.packed(no_rest)

    assert packed.items == whole.items == sum(request.items for request in requests)
    assert packed.size <= whole.size
    assert [unpacked(request, no_rest) for request in packed.requests] == requests
    assert packed.packed(no_rest) == packed


def test_spans_take_a_fraction_of_their_bytes() -> None:
    attributes = {"http.request.method": "GET", "http.route": "/users/{id}", "server.address": "shop.test"}
    batch = [ReadableSpan(span.name, span.get_span_context(), attributes=attributes) for span in spans(100)]
    whole = EncodedPayload(encoded(batch).requests)
    assert whole.packed(no_rest).size < whole.size / 3


def test_what_cannot_be_packed_stays_as_it_is() -> None:
    whole = EncodedPayload(
        (Request(b"", 1), Request(b"short", 1), Request(random.Random(1).randbytes(999), 1))
    )
    assert whole.packed(no_rest) == whole


def test_the_levels_of_a_request_survive() -> None:
    levels = (frozenset({0x0A}),)
    (packed,) = EncodedPayload((Request(bytes(100), 1, levels),)).packed(no_rest).requests
    assert isinstance(packed, PackedRequest)
    assert unpacked(packed, no_rest).levels == levels != BY_SCOPE


@pytest.mark.parametrize(
    "body", [texts(2000 * KIB), bytes(2000 * KIB), random.Random(2).randbytes(1000 * KIB) + bytes(1000 * KIB)]
)
def test_long_work_is_done_in_pieces(body: bytes) -> None:
    """P7: also where a few bytes unpack to many."""
    whole = EncodedPayload((Request(body, 1),))
    rests: list[None] = []

    def rest() -> None:
        rests.append(None)

    packed = whole.packed(rest)
    in_pieces = len(rests)
    rests.clear()

    assert unpacked(packed.requests[0], rest).body == body
    assert in_pieces == -(-len(body) // (64 * KIB)) - 1
    assert len(rests) >= in_pieces


def test_a_short_one_is_done_at_once() -> None:
    def rest() -> None:
        raise AssertionError

    packed = EncodedPayload((Request(bytes(64 * KIB), 1),)).packed(rest)
    assert unpacked(packed.requests[0], rest).body == bytes(64 * KIB)


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("count", [1, 5])
def test_its_size_is_what_it_takes_in_memory(count: int, is_packed: bool) -> None:
    """K6: a service that sends a span now and then fills the budget with small batches."""

    def make(number: int) -> EncodedPayload:
        payload = EncodedPayload(tuple(Request(b"%0200d" % number, 1) for _ in range(count)))
        return payload.packed(no_rest) if is_packed else payload

    make(0)
    gc.collect()
    tracemalloc.start()
    try:
        made = [make(number) for number in range(200)]
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.9 < sum(payload.size for payload in made) / taken < 1.2
