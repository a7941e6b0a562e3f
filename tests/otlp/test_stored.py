"""An encoded batch as the bytes of a file (K7): what was written is read, and nothing in it is trusted."""

from __future__ import annotations

import random
import zlib

import pytest
from google.protobuf.message import DecodeError
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from breaker_exporter.otlp import _stored
from breaker_exporter.otlp._encode.request import BY_SCOPE, Request, count_items
from breaker_exporter.otlp._encode.wire import sized, varint
from breaker_exporter.otlp._payload import EncodedPayload, PackedRequest, unpacked
from breaker_exporter.otlp._stored import dumped, loaded

from ..semantics._spans import spans
from ._compare import encoded
from .test_request import spans as some_spans

BODY = b"".join([request.body for request in encoded(spans(3)).requests])


def no_rest() -> None:
    pass


def payload_of(batch: list[ReadableSpan], limit: int, is_packed: bool) -> EncodedPayload:
    payload = EncodedPayload(encoded(batch, limit).requests)
    return payload.packed(no_rest) if is_packed else payload


payloads = st.builds(
    payload_of, st.lists(some_spans, max_size=6), st.sampled_from([0, 200, 2000]), st.booleans()
)


def file_of(
    body: bytes = BODY, *, items: int = 3, form: int = 0, levels: int = 1, version: bytes = b"\x01"
) -> bytes:
    """Return a file as others may write it."""
    return version + bytes((form, levels)) + varint(items) + sized(body)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(payloads)
def test_what_was_written_is_read(payload: EncodedPayload) -> None:
    read = loaded(dumped(payload), 0, no_rest)

    assert read.requests == tuple(unpacked(request, no_rest) for request in payload.requests)
    assert (read.items, read.is_in_flight) == (payload.items, False)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(payloads, st.integers(1, 500))
def test_what_a_peer_does_not_take_is_split(payload: EncodedPayload, limit: int) -> None:
    """K7, O3: a file of an exporter by HTTP may be sent by one by gRPC, which takes less."""
    read = loaded(dumped(payload), limit, no_rest)

    assert read.items == payload.items
    assert all(
        isinstance(request, Request) and (len(request.body) <= limit or request.items == 1)
        for request in read.requests
    )


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda data: b"\x01" + data))
def test_any_bytes_are_a_payload_or_a_value_error(data: bytes) -> None:
    try:
        assert loaded(data, 0, no_rest).items >= 0
    except ValueError:
        pass


@settings(max_examples=150, deadline=None, derandomize=True)
@given(payloads, st.data())
def test_a_changed_file_is_a_payload_or_a_value_error(payload: EncodedPayload, data: st.DataObject) -> None:
    """One that is read has as many items as it says, whatever was changed."""
    file = dumped(payload)
    begin = data.draw(st.integers(0, len(file)))
    end = data.draw(st.integers(begin, min(begin + 8, len(file))))
    changed = file[:begin] + data.draw(st.binary(max_size=8)) + file[end:]

    try:
        read = loaded(changed, 0, no_rest)
    except ValueError:
        return
    for request in read.requests:
        try:
            parsed = ExportTraceServiceRequest.FromString(request.body)
        except DecodeError:
            continue  # an item is the collector's to read
        found = sum(len(scoped.spans) for of in parsed.resource_spans for scoped in of.scope_spans)
        assert found == request.items


@given(payloads, st.integers(1, 5000))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_a_file_that_is_cut_off_is_none_or_holds_whole_requests(payload: EncodedPayload, lost: int) -> None:
    file = dumped(payload)
    assume(lost < len(file))
    try:
        read = loaded(file[:-lost], 0, no_rest)
    except ValueError:
        return
    assert read.requests == loaded(file, 0, no_rest).requests[: len(read.requests)]


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (b"", "version"),
        (file_of(version=b"\x02"), "version"),
        (b"\x01\x00", "without an end"),
        (b"\x01\x00\x01\x03", "without an end"),
        (file_of()[:-1], "cut off"),
        (b"\x01\x00\x01\x03" + varint(1 << 60) + BODY, "cut off"),
        (file_of(form=2), "unknown form"),
        (file_of(levels=9), "unknown kind"),
        (file_of(items=2), "another number"),
        (file_of(items=4), "another number"),
        (file_of(b"", items=0), "no items"),
        (file_of(items=1 << 60), "no items, or more"),
        (file_of(BODY[:-1]), "cut off"),
        (file_of(BODY + b"\x0b"), "wire type"),
        (file_of(form=1), "incorrect header"),
        (file_of(zlib.compress(BODY)[:-1], form=1), "cut off"),
        (file_of(zlib.compress(BODY) + b"more", form=1), "behind its end"),
        (file_of(zlib.compress(BODY)[:-4] + b"sum!", form=1), "incorrect data check"),
        (file_of(b"", form=1), "cut off"),
    ],
)
def test_what_is_no_payload_is_told(file: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        loaded(file, 0, no_rest)


def test_a_few_bytes_that_unpack_to_many_are_not_unpacked() -> None:
    bomb = file_of(zlib.compress(bytes(_stored._MOST_BYTES + 1), 1), form=1)
    assert len(bomb) < 400_000
    pieces: list[None] = []
    with pytest.raises(ValueError, match="more than 67108864 bytes"):
        loaded(bomb, 0, lambda: pieces.append(None))


def test_all_requests_of_a_file_share_one_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    file = file_of() + file_of()[1:]
    monkeypatch.setattr(_stored, "_MOST_BYTES", 2 * len(BODY))
    assert loaded(file, 0, no_rest).items == 6
    monkeypatch.setattr(_stored, "_MOST_BYTES", 2 * len(BODY) - 1)
    with pytest.raises(ValueError, match="bytes"):
        loaded(file, 0, no_rest)


def test_more_items_than_any_file_has_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_stored, "_MOST_ITEMS", 5)
    with pytest.raises(ValueError, match="more than 5"):
        loaded(file_of() + file_of()[1:], 0, no_rest)


def test_groups_without_items_are_not_counted_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_stored, "_MOST_FIELDS", 1000)
    with pytest.raises(ValueError, match="1000 fields"):
        loaded(file_of(BODY + bytes.fromhex("0a00") * 2000), 0, no_rest)


def test_the_most_fields_are_enough_for_items_that_share_nothing() -> None:
    (alone,) = EncodedPayload(encoded(spans(1)).requests).requests
    fields: list[None] = []
    count_items(alone.body, BY_SCOPE, lambda: fields.append(None))
    assert len(fields) * _stored._MOST_ITEMS <= _stored._MOST_FIELDS


def test_a_request_that_grows_when_it_is_split_does_so_only_up_to_a_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each part has the whole resource: a thousand items beside a large one are many times as much."""
    resource = Resource({"large": "x" * 5000})
    one = ReadableSpan("", SpanContext(1, 1, is_remote=False), resource=resource)
    file = dumped(payload_of([one] * 100, 0, False))
    assert loaded(file, 1000, no_rest).items == 100
    monkeypatch.setattr(_stored, "_MOST_SPLIT", 99 * 5000)

    with pytest.raises(ValueError, match="when it is split"):
        loaded(file, 1000, no_rest)


@pytest.mark.parametrize("pack", [False, True])
def test_what_could_not_be_read_is_not_written(pack: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_stored, "_MOST_BYTES", 1 << 20)

    def dump(size: int, body: bytes = bytes(100)) -> bytes:
        payload = EncodedPayload((Request(body, 1), Request(bytes(size - len(body)), 1)))
        return dumped(payload.packed(no_rest) if pack else payload)

    assert dump(1 << 20)
    assert dump(1 << 20, random.Random(1).randbytes(2000))
    for body in (bytes(100), random.Random(1).randbytes(2000)):
        with pytest.raises(ValueError, match="more than 1048576 bytes"):
            dump((1 << 20) + 1, body)


def test_more_items_than_can_be_read_are_not_written() -> None:
    with pytest.raises(ValueError, match="more than 131072 items"):
        dumped(EncodedPayload((Request(b"", 1 << 17), Request(b"", 1))))


def test_a_packed_request_stays_packed() -> None:
    (packed,) = EncodedPayload((Request(BODY * 50, 150),)).packed(no_rest).requests
    assert isinstance(packed, PackedRequest)
    assert packed.body in dumped(EncodedPayload((packed,)))


def test_others_run_while_many_items_are_counted() -> None:
    """K13: on the disk thread, beside a hub."""
    rests: list[None] = []

    assert loaded(file_of(BODY * 1000, items=3000), 0, lambda: rests.append(None)).items == 3000

    assert len(rests) > 3000 / 64


def test_others_run_while_a_long_one_is_unpacked() -> None:
    """K13."""
    resource = Resource({"large": "x" * (1 << 20)})
    one = ReadableSpan("", SpanContext(1, 1, is_remote=False), resource=resource)
    rests: list[None] = []

    loaded(dumped(payload_of([one], 0, True)), 0, lambda: rests.append(None))

    assert len(rests) > 16
