"""The gRPC port: status codes, and what is broken below HTTP/2."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import cast

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from breaker_exporter.testing import Connections, Fault, FaultyCollector
from breaker_exporter.testing._fault_settings import STATUS_OF_CODE
from breaker_exporter.testing._http2 import DATA, HEADERS, Frame, Frames

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@pytest.fixture
def channel(collector: FaultyCollector) -> Iterator[grpc.Channel]:
    with channel_to(collector) as channel:
        yield channel


def channel_to(collector: FaultyCollector) -> grpc.Channel:
    # A subchannel pool of its own: none of another test's backoff.
    return grpc.insecure_channel(
        collector.grpc_endpoint.removeprefix("http://"),
        options=[("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)],
    )


def request_of(spans: int) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    scope_spans = request.resource_spans.add().scope_spans.add()
    for number in range(spans):
        scope_spans.spans.add(trace_id=b"t" * 16, span_id=bytes([number + 1]) * 8)
    return request


def export(channel: grpc.Channel, timeout: float = 5.0, spans: int = 1) -> ExportTraceServiceResponse:
    request = request_of(spans)
    response = TraceServiceStub(channel).Export(request, timeout=timeout)  # type: ignore[no-untyped-call]
    assert isinstance(response, ExportTraceServiceResponse)
    return response


def refused(channel: grpc.Channel, timeout: float = 5.0) -> grpc.Call:
    with pytest.raises(grpc.RpcError) as caught:
        export(channel, timeout)
    return cast("grpc.Call", caught.value)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "INVALID_ARGUMENT"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "UNIMPLEMENTED"),
        (413, "RESOURCE_EXHAUSTED"),
        (429, "RESOURCE_EXHAUSTED"),
        (500, "INTERNAL"),
        (502, "UNAVAILABLE"),
        (503, "UNAVAILABLE"),
        (504, "UNAVAILABLE"),
        (418, "UNKNOWN"),
        (100, "UNKNOWN"),
    ],
)
def test_a_status_becomes_its_code(
    collector: FaultyCollector, channel: grpc.Channel, status: int, code: str
) -> None:
    collector.set_fault(Fault.STATUS, status=status)

    assert refused(channel).code().name == code


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
@pytest.mark.parametrize("retry_after", [None, 7.5])
def test_any_status_can_be_named_with_a_pause_or_without(
    collector: FaultyCollector, channel: grpc.Channel, code: grpc.StatusCode, retry_after: float | None
) -> None:
    collector.set_fault(Fault.STATUS, code=code.name, retry_after=retry_after)

    call = refused(channel)

    assert call.code() is code
    details = {str(key): value for key, value in call.trailing_metadata() or ()}
    assert ("grpc-status-details-bin" in details) is (retry_after is not None)


def test_each_status_is_known_by_its_name() -> None:
    assert set(STATUS_OF_CODE) == {code.name for code in grpc.StatusCode}


def test_a_message_above_the_limit_is_refused_as_grpcs_own_server_does(
    collector: FaultyCollector, channel: grpc.Channel
) -> None:
    size = len(request_of(1).SerializeToString())
    collector.set_fault(Fault.TOO_LARGE, limit=size)
    export(channel)
    collector.set_fault(Fault.TOO_LARGE, limit=size - 1)

    with channel_to(collector) as another:  # the change has closed the connection of the first
        call = refused(another)

    assert call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert call.details() == f"SERVER: Received message larger than max ({size} vs. {size - 1})"
    assert collector.spans_received == 1


def test_a_server_that_sends_away_takes_nothing(collector: FaultyCollector, channel: grpc.Channel) -> None:
    collector.fault = Fault.GOAWAY

    assert refused(channel, timeout=0.5).code() in (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    )

    assert collector.spans_received == 0


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.UNAVAILABLE, "UNAVAILABLE"),
        (Fault.DEADLINE, "DEADLINE_EXCEEDED"),
        (Fault.RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED"),
    ],
)
def test_a_grpc_fault_answers_at_once(
    collector: FaultyCollector, channel: grpc.Channel, fault: Fault, code: str
) -> None:
    collector.fault = fault
    began = time.monotonic()

    call = refused(channel, timeout=30.0)

    assert call.code().name == code
    assert time.monotonic() - began < 15.0
    assert not any("retryinfo" in key or "details-bin" in key for key, _ in call.trailing_metadata() or ())


@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [
        (2, 2.0, 2.0),
        (0.25, 0.25, 0.25),
        ("3", 3.0, 3.0),
        ("date", 1000.0, 3600.0),
        ("Thu, 01 Jan 1970 00:00:00 -0000", 0, 0),
    ],
)
def test_retry_info_says_when_to_come_back(
    collector: FaultyCollector, channel: grpc.Channel, retry_after: float | str, least: float, most: float
) -> None:
    if retry_after == "date":
        retry_after = formatdate(time.time() + 3600, usegmt=True)
    collector.set_fault(Fault.RESOURCE_EXHAUSTED, retry_after=retry_after)

    call = refused(channel)

    metadata = {str(key): value for key, value in call.trailing_metadata() or ()}
    status = Status.FromString(metadata["grpc-status-details-bin"])
    detail = RetryInfo()
    assert status.details[0].Unpack(detail)
    assert status.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    assert detail == RetryInfo.FromString(metadata["google.rpc.retryinfo-bin"])
    assert least <= detail.retry_delay.ToNanoseconds() / 1e9 <= most


def test_a_partial_success_says_how_many_were_rejected(
    collector: FaultyCollector, channel: grpc.Channel
) -> None:
    collector.set_fault(Fault.PARTIAL_SUCCESS, rejected=2)

    assert export(channel, spans=3).partial_success.rejected_spans == 2
    assert collector.spans_received == 1


def test_bytes_that_are_no_request_are_an_invalid_argument(
    collector: FaultyCollector, channel: grpc.Channel
) -> None:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(EXPORT)

    with pytest.raises(grpc.RpcError) as caught:
        call(b"\xff\xff no protobuf", timeout=5.0)

    assert cast("grpc.Call", caught.value).code() is grpc.StatusCode.INVALID_ARGUMENT
    assert collector.spans_received == 0


def test_a_handshake_that_drips_lets_no_request_through(
    collector: FaultyCollector, channel: grpc.Channel
) -> None:
    collector.fault = Fault.DRIP

    assert refused(channel, timeout=0.3).code() is grpc.StatusCode.DEADLINE_EXCEEDED

    assert collector.wait_for_connections(1)
    counts = collector.counts()
    assert (counts.connections, counts.requests, counts.spans) == (1, 0, 0)


def test_a_drip_on_an_open_connection_takes_the_spans(
    collector: FaultyCollector, channel: grpc.Channel
) -> None:
    export(channel)
    collector.set_fault(Fault.DRIP, connections=Connections.KEEP)

    assert refused(channel, timeout=1.0).code() is grpc.StatusCode.DEADLINE_EXCEEDED

    assert collector.wait_for_requests(2)
    assert (collector.spans_received, collector.counts().connections) == (2, 1)


TAKEN = [Fault.TRUNCATED, Fault.TAKEN_THEN_RESET, Fault.TAKEN_THEN_CLOSED]


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.GARBAGE, *TAKEN])
def test_a_broken_connection_is_unavailable(
    collector: FaultyCollector, channel: grpc.Channel, fault: Fault
) -> None:
    export(channel)
    collector.set_fault(fault, connections=Connections.KEEP)

    call = refused(channel)

    assert call.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
    assert collector.spans_received == (2 if fault in TAKEN else 1)


def test_a_kept_connection_stays_under_the_fault_it_met(
    collector: FaultyCollector, channel: grpc.Channel
) -> None:
    collector.set_fault(Fault.STATUS, status=404)
    assert refused(channel).code() is grpc.StatusCode.UNIMPLEMENTED

    collector.set_fault(Fault.NONE, connections=Connections.KEEP)

    assert refused(channel).code() is grpc.StatusCode.UNIMPLEMENTED
    assert collector.counts().connections == 1


def test_an_answer_that_is_being_sent_falls_into_the_blackhole(
    collector: FaultyCollector, channel: grpc.Channel
) -> None:
    collector.set_fault(Fault.SLOW, seconds=1.0)
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(EXPORT)
    slow = call.future(ExportTraceServiceRequest().SerializeToString(), timeout=2.0)
    assert collector.wait_for_requests(1)

    collector.fault = Fault.BLACKHOLE

    assert cast("grpc.Call", slow.exception()).code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_frames_are_found_in_chunks_of_any_size() -> None:
    stream = b"P" * 5
    for kind, payload in ((HEADERS, b"h" * 3), (DATA, b""), (DATA, b"d" * 300)):
        stream += len(payload).to_bytes(3, "big") + bytes([kind, 0]) + b"\x00\x00\x00\x01" + payload

    assert Frames(5).feed(stream) == [Frame(HEADERS, 14), Frame(DATA, 26), Frame(DATA, 35)]
    byte_by_byte = Frames(5)
    found = [(at, frame) for at in range(len(stream)) for frame in byte_by_byte.feed(stream[at : at + 1])]
    assert found == [(13, Frame(HEADERS, 1)), (25, Frame(DATA, 1)), (34, Frame(DATA, 1))]
