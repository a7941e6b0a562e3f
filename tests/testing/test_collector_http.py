"""The HTTP port byte by byte, and what becomes of its connections when the fault changes."""

from __future__ import annotations

import gzip
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from email.utils import formatdate
from urllib.parse import urlsplit

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from breaker_exporter.testing import Connections, Fault, FaultyCollector

Post = Callable[..., socket.socket]
PROTOBUF = "Content-Type: application/x-protobuf"


def answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the next answer on ``connection``."""
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65_536)
        assert chunk, f"the connection ended after {received!r}"
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    while len(body) < int(headers.get("Content-Length", "0")):
        chunk = connection.recv(65_536)
        assert chunk, f"the connection ended {int(headers['Content-Length']) - len(body)} bytes early"
        body += chunk
    return int(first.split(" ")[1]), headers, body


def is_silent(connection: socket.socket, seconds: float = 0.1) -> bool:
    """Return whether nothing arrives for so many seconds, not even an end."""
    connection.settimeout(seconds)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(5.0)
    return False


def is_closed(connection: socket.socket) -> bool:
    """Return whether the connection ends in any way within its deadline."""
    try:
        while connection.recv(65_536):
            pass
    except ConnectionError:
        pass
    return True


def request_of(spans: int) -> bytes:
    request = ExportTraceServiceRequest()
    for resource in range(2):
        resource_spans = request.resource_spans.add()
        for scope in range(2):
            scope_spans = resource_spans.scope_spans.add()
            for number in range(spans):
                span = scope_spans.spans.add()
                span.trace_id = bytes([resource + 1]) * 16
                span.span_id = bytes([resource + 1, scope + 1, number + 1]) * 2 + b"\x01\x01"
    return request.SerializeToString()


@pytest.mark.parametrize(
    ("pack", "encoding"),
    [(bytes, "identity"), (gzip.compress, "gzip"), (zlib.compress, "deflate")],
)
def test_every_resource_and_scope_is_read_in_each_encoding(
    collector: FaultyCollector, post: Post, pack: Callable[[bytes], bytes], encoding: str
) -> None:
    connection = post(None, pack(request_of(3)), PROTOBUF, f"Content-Encoding: {encoding}")

    status, headers, body = answer(connection)

    assert (status, headers["Content-Type"]) == (200, "application/x-protobuf")
    assert ExportTraceServiceResponse.FromString(body) == ExportTraceServiceResponse()
    assert (collector.spans_received, collector.duplicates) == (12, 0)


def test_the_same_span_id_in_two_traces_is_no_duplicate(collector: FaultyCollector, post: Post) -> None:
    request = ExportTraceServiceRequest()
    scope_spans = request.resource_spans.add().scope_spans.add()
    for trace in (1, 2, 2):
        scope_spans.spans.add(trace_id=bytes([trace]) * 16, span_id=b"12345678")
    answer(post(None, request.SerializeToString()))

    counts = collector.counts()

    assert (counts.spans, counts.duplicates, len(collector.span_ids)) == (3, 1, 1)


def test_every_kind_of_attribute_is_decoded(collector: FaultyCollector, post: Post) -> None:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.add(key="none")
    span = resource_spans.scope_spans.add().spans.add(
        trace_id=b"t" * 16, span_id=b"s" * 8, parent_span_id=b"p" * 8
    )
    span.kind = 77  # type: ignore[assignment]  # a number that only a newer protocol knows
    span.status.code = span.status.STATUS_CODE_ERROR
    span.attributes.add(key="bytes").value.bytes_value = b"\x00\xff"
    span.attributes.add(key="double").value.double_value = 0.5
    span.attributes.add(key="bool").value.bool_value = True
    span.attributes.add(key="int").value.int_value = 2**63 - 1
    span.attributes.add(key="map").value.kvlist_value.values.add(key="k").value.string_value = "v"
    answer(post(None, request.SerializeToString()))

    (received,) = collector.latest_spans

    assert received.resource == {"none": None}
    assert received.attributes == {
        "bytes": "00ff",
        "double": 0.5,
        "bool": True,
        "int": 2**63 - 1,
        "map": {"k": "v"},
    }
    assert (received.kind, received.status, received.parent_span_id) == ("77", "error", "70" * 8)


def test_chunked_bodies_and_the_expect_header_are_supported(collector: FaultyCollector, post: Post) -> None:
    body = request_of(1)
    half = len(body) // 2
    chunks = (
        b"".join(b"%x;x=y\r\n%b\r\n" % (len(part), part) for part in (body[:half], body[half:]))
        + b"0\r\nTrailer: x\r\n\r\n"
    )
    connection = post(None, b"", PROTOBUF, "Transfer-Encoding: chunked", "Expect: 100-continue")
    assert connection.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.sendall(chunks)

    assert answer(connection)[0] == 200
    assert collector.spans_received == 4


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ((PROTOBUF,), b"\xff\xff no protobuf", 400),
        (("Content-Type: application/json",), b"{}", 415),
        ((PROTOBUF, "Content-Encoding: zstd"), b"", 415),
        ((PROTOBUF, "Content-Encoding: gzip"), b"not gzip", 400),
        ((PROTOBUF, "Content-Encoding: gzip"), gzip.compress(b"", mtime=0)[:-4], 400),
        ((PROTOBUF, "Transfer-Encoding: chunked"), b"nonsense\r\n", 400),
        ((PROTOBUF, "Transfer-Encoding: chunked"), b"fffffff\r\n", 413),
    ],
)
def test_a_request_that_is_not_otlp_is_refused_and_not_counted(
    collector: FaultyCollector, post: Post, headers: tuple[str, ...], body: bytes, status: int
) -> None:
    got, _, message = answer(post(None, body, *headers))

    assert got == status
    assert Status.FromString(message).message
    assert collector.counts().spans == 0


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /v1/traces HTTP/1.1\r\n\r\n", 405),
        (b"POST /v1/profiles HTTP/1.1\r\n\r\n", 404),
        (b"POST /v1/traces HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /v1/traces HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n", 413),
        (b"POST /v1/traces HTTP/3\r\n\r\n", 505),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 431),
    ],
)
def test_a_bad_request_gets_its_status(collector: FaultyCollector, request_bytes: bytes, status: int) -> None:
    address = urlsplit(collector.http_base)
    with socket.create_connection(("127.0.0.1", address.port or 0), timeout=5.0) as connection:
        connection.sendall(request_bytes)
        assert answer(connection)[0] == status


@pytest.mark.parametrize("fault", [Fault.NONE, Fault.DRIP])
def test_a_client_may_leave_at_any_time(collector: FaultyCollector, post: Post, fault: Fault) -> None:
    collector.set_fault(fault, interval=0.001 if fault is Fault.DRIP else None)
    post(None, b"half of it", PROTOBUF, "Content-Length: 20").close()
    post().close()

    deadline = time.monotonic() + 10.0
    while collector.counts().open_connections:
        assert time.monotonic() < deadline
    assert answer(post())[0] == 200


def test_a_client_may_ask_to_close_the_connection(post: Post) -> None:
    connection = post(None, request_of(1), PROTOBUF, "Connection: close")

    assert answer(connection)[0] == 200
    assert is_closed(connection)


@pytest.mark.parametrize(
    ("retry_after", "header"),
    [
        (None, None),
        (2, "2"),
        (0.5, "0.5"),
        ("30", "30"),
        (formatdate(0, usegmt=True), formatdate(0, usegmt=True)),
    ],
)
@pytest.mark.parametrize(
    ("fault", "status"), [(Fault.STATUS, 503), (Fault.UNAVAILABLE, 503), (Fault.RESOURCE_EXHAUSTED, 429)]
)
def test_retry_after_is_sent_when_it_is_set(
    collector: FaultyCollector,
    post: Post,
    fault: Fault,
    status: int,
    retry_after: float | str | None,
    header: str | None,
) -> None:
    collector.set_fault(fault, retry_after=retry_after)

    got, headers, _ = answer(post())

    assert (got, headers.get("Retry-After")) == (status, header)


@pytest.mark.parametrize("status", [204, 302, 304, 404, 429, 499, 599])
def test_any_status_can_be_answered(collector: FaultyCollector, post: Post, status: int) -> None:
    collector.set_fault(Fault.STATUS, status=status)
    connection = post()

    assert answer(connection)[0] == status

    assert answer(post(connection))[0] == status, "the connection is good for another request"
    assert collector.spans_received == (2 if status == 204 else 0)


def test_an_informational_status_is_the_only_answer(collector: FaultyCollector, post: Post) -> None:
    collector.set_fault(Fault.STATUS, status=103)

    connection = post()
    assert (
        connection.recv(65_536) == b"HTTP/1.1 103 Early Hints\r\nContent-Type: application/x-protobuf\r\n\r\n"
    )
    assert is_closed(connection)


def test_a_partial_success_says_how_many_were_rejected(collector: FaultyCollector, post: Post) -> None:
    collector.set_fault(Fault.PARTIAL_SUCCESS, rejected=3)

    _, _, body = answer(post(None, request_of(1)))

    response = ExportTraceServiceResponse.FromString(body)
    assert response.partial_success.rejected_spans == 3
    assert response.partial_success.error_message
    assert collector.spans_received == 1


def test_a_drip_arrives_byte_by_byte(collector: FaultyCollector, post: Post) -> None:
    collector.set_fault(Fault.DRIP, interval=0.02)
    began = time.monotonic()
    connection = post()
    first = connection.recv(65_536)
    assert len(first) < 40, "not all at once"
    total = len(first)
    while total < 60:
        total += len(connection.recv(65_536))

    assert time.monotonic() - began >= 59 * 0.02
    assert collector.spans_received == 1


def test_a_truncated_answer_promises_more_than_it_has(collector: FaultyCollector, post: Post) -> None:
    collector.fault = Fault.TRUNCATED

    with pytest.raises(AssertionError, match="the connection ended 64 bytes early"):
        answer(post())


def test_a_reset_comes_in_the_middle_of_the_body(collector: FaultyCollector, post: Post) -> None:
    collector.fault = Fault.RESET

    with pytest.raises(ConnectionResetError):
        post(None, b"x" * 50, PROTOBUF, "Content-Length: 100").recv(1)


def test_a_reset_is_a_tcp_reset(collector: FaultyCollector, post: Post) -> None:
    collector.fault = Fault.RESET
    with pytest.raises(ConnectionResetError):
        post().recv(1)
    with pytest.raises(ConnectionResetError):
        post(None, b"1\r\n", PROTOBUF, "Transfer-Encoding: chunked").recv(1)
    with pytest.raises(ConnectionResetError):
        post(None, b"").recv(1)


def test_garbage_is_not_http(collector: FaultyCollector, post: Post) -> None:
    collector.fault = Fault.GARBAGE
    connection = post()

    garbage = connection.recv(65_536)
    assert garbage
    assert not garbage.startswith(b"HTTP")
    assert is_closed(connection)


class TestConnectionsWhenTheFaultChanges:
    """``Connections``: dropped, or kept as they are."""

    def test_dropped_connections_are_closed_when_the_call_returns(
        self, collector: FaultyCollector, post: Post
    ) -> None:
        idle, silent = post(), post(None, b"x" * 10, PROTOBUF, "Content-Length: 1000")
        answer(idle)
        assert collector.wait_for_requests(2)
        assert collector.counts().open_connections == 2

        collector.set_fault(Fault.SLOW, connections=Connections.DROP)

        assert collector.counts().open_connections == 0
        assert is_closed(idle)
        assert is_closed(silent)

    @pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.NONE])
    def test_by_default_a_blackhole_keeps_connections_and_other_faults_drop_them(
        self, collector: FaultyCollector, post: Post, fault: Fault
    ) -> None:
        connection = post()
        answer(connection)

        collector.fault = fault

        assert collector.counts().open_connections == (1 if fault is Fault.BLACKHOLE else 0)
        collector.fault = Fault.NONE
        assert collector.counts().open_connections == 0
        assert is_closed(connection)

    def test_a_kept_connection_that_met_no_fault_meets_the_new_one(
        self, collector: FaultyCollector, post: Post
    ) -> None:
        connection = post()
        assert answer(connection)[0] == 200

        collector.set_fault(Fault.STATUS, status=500, connections=Connections.KEEP)

        assert answer(post(connection))[0] == 500

    def test_a_kept_connection_stays_under_the_fault_it_met(
        self, collector: FaultyCollector, post: Post
    ) -> None:
        collector.set_fault(Fault.STATUS, status=500)
        connection = post()
        assert answer(connection)[0] == 500

        collector.set_fault(Fault.NONE, connections=Connections.KEEP)

        assert answer(post(connection))[0] == 500
        assert answer(post())[0] == 200

    def test_a_request_in_a_blackhole_is_never_answered(self, collector: FaultyCollector, post: Post) -> None:
        connection = post()
        answer(connection)
        collector.fault = Fault.BLACKHOLE
        post(connection)
        assert collector.wait_for_requests(2)

        collector.set_fault(Fault.NONE, connections=Connections.KEEP)

        assert answer(post())[0] == 200
        post(connection)
        assert is_silent(connection)
        collector.set_fault(Fault.NONE, connections=Connections.DROP)
        assert is_closed(connection)

    def test_an_answer_that_is_being_sent_falls_into_the_blackhole(
        self, collector: FaultyCollector, post: Post
    ) -> None:
        collector.set_fault(Fault.SLOW, seconds=1.0)
        connections = post(), post(None, request_of(1), PROTOBUF, "Connection: close")
        assert collector.wait_for_spans(5)

        collector.fault = Fault.BLACKHOLE

        assert all(is_silent(connection, seconds=1.2) for connection in connections)

    def test_a_blackhole_that_ends_before_any_request_has_no_effect(
        self, collector: FaultyCollector, post: Post
    ) -> None:
        connection = post()
        answer(connection)
        collector.fault = Fault.BLACKHOLE
        collector.set_fault(Fault.NONE, connections=Connections.KEEP)

        assert answer(post(connection))[0] == 200

    def test_refusing_leaves_open_connections_alone(self, collector: FaultyCollector, post: Post) -> None:
        connection = post()
        answer(connection)

        collector.set_fault(Fault.REFUSE, connections=Connections.KEEP)

        assert answer(post(connection))[0] == 200
        with pytest.raises(ConnectionRefusedError):
            post()


@pytest.fixture(autouse=True)
def _no_connection_left(collector: FaultyCollector) -> Iterator[None]:
    yield
    collector.set_fault(Fault.NONE, connections=Connections.DROP)
    assert collector.counts().open_connections == 0
