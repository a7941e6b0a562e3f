"""The answers of a collector, read by hand, against protobuf's own reading."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status
from hypothesis import assume, given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from breaker_exporter.otlp._send import protobuf
from breaker_exporter.otlp._send.protobuf import Malformed

_INT64 = st.integers(-(1 << 63), (1 << 63) - 1)


def read(body: bytes) -> tuple[int, str]:
    partial = protobuf.inner(body, 1)
    return protobuf.number(partial, 1), protobuf.text(partial, 2)


@given(_INT64, st.text(), _INT64, st.text())
def test_a_message_is_read_as_protobuf_reads_it(rejected: int, words: str, later: int, more: str) -> None:
    """Also where a field comes twice: the later number counts, and messages are merged."""
    first = ExportTracePartialSuccess(rejected_spans=rejected, error_message=words)
    second = ExportTracePartialSuccess(rejected_spans=later, error_message=more)
    body = b"".join(
        ExportTraceServiceResponse(partial_success=one).SerializeToString() for one in (first, second)
    )
    expected = ExportTraceServiceResponse.FromString(body).partial_success
    assert read(body) == (expected.rejected_spans, expected.error_message)


@given(st.binary(max_size=40))
def test_any_bytes_are_read_as_protobuf_reads_them_or_not_at_all(body: bytes) -> None:
    """Nothing but groups, which nobody sends, is read by protobuf and not here."""
    try:
        expected = ExportTraceServiceResponse.FromString(body).partial_success
        seen = read(body)
    except DecodeError:
        return
    except Malformed as error:
        assume("wire type" not in str(error))
        raise
    assert seen == (expected.rejected_spans, expected.error_message)


@pytest.mark.parametrize(
    "body",
    [
        b"\x0a",  # no length
        b"\x0a\x05ab",  # cut off
        b"\x08" + b"\xff" * 11,  # a number without an end
        b"\x02\x01a",  # field 0
        b"\x0b",  # a group
        b"\x0d\x00",  # four bytes, of which there is one
        b"\x09\x00",  # eight bytes
    ],
)
def test_what_is_no_message_is_told(body: bytes) -> None:
    with pytest.raises(Malformed):
        protobuf.number(body, 1)


def test_fields_of_other_types_are_passed_over() -> None:
    body = b"\x0d1234" + b"\x0912345678" + b"\x10\x07" + Status(code=3, message="told").SerializeToString()
    assert (protobuf.number(body, 1), protobuf.text(body, 2), protobuf.parts(body, 3)) == (3, "told", [])


def test_a_string_that_is_none_is_told() -> None:
    with pytest.raises(Malformed):
        protobuf.text(b"\x12\x01\xff", 2)
