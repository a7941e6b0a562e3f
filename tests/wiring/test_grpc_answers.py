"""The gRPC exporter of the hooks: a request is sent once, and the reason is what the backend said."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter import ExportReport, Verdict
from breaker_exporter.otlp._send.grpc import SlicingOTLPSpanExporter
from breaker_exporter.testing import Connections, Fault, FaultyCollector

from ..otlp._peer import peer
from ..semantics._spans import spans

pytestmark = pytest.mark.usefixtures("no_variables_from_outside")

DELIVERED = ExportReport(Verdict.DELIVERED)
Answer = Callable[[grpc.ServicerContext], ExportTraceServiceResponse]
_PATH = "opentelemetry.proto.collector.trace.v1.TraceService"


@contextlib.contextmanager
def exporting(endpoint: str, timeout: float = 20, **more: Any) -> Iterator[SlicingOTLPSpanExporter]:
    made = SlicingOTLPSpanExporter(endpoint, insecure=True, timeout=timeout, spare=60, **more)
    try:
        yield made
    finally:
        made.shutdown()


@contextlib.contextmanager
def answering(*script: Answer) -> Iterator[str]:
    """A server that answers so, one call after the other: its endpoint."""
    left = list(script)

    def export(_: bytes, context: Any) -> ExportTraceServiceResponse:
        return left.pop(0)(context)

    server = grpc.server(ThreadPoolExecutor(1))
    handler: Any = grpc.unary_unary_rpc_method_handler(
        export, response_serializer=ExportTraceServiceResponse.SerializeToString
    )
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(_PATH, {"Export": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def abort(code: grpc.StatusCode, details: str, metadata: tuple[tuple[str, bytes], ...] = ()) -> Answer:
    def act(context: grpc.ServicerContext) -> ExportTraceServiceResponse:
        context.set_trailing_metadata(metadata)
        context.abort(code, details)
        raise AssertionError

    return act


def partial(rejected: int, message: str) -> Answer:
    told = ExportTracePartialSuccess(rejected_spans=rejected, error_message=message)
    return lambda _: ExportTraceServiceResponse(partial_success=told)


@pytest.mark.parametrize("kept_alive", [False, True])
def test_what_a_peer_has_read_before_it_resets_the_connection_is_not_sent_again(
    collector: FaultyCollector, kept_alive: bool
) -> None:
    """O5. By a private door of the official exporter: where this fails, another version has another one."""
    with exporting(collector.grpc_endpoint) as exporter:
        for _ in range(kept_alive):
            assert exporter.export_and_report(spans(1)) == DELIVERED
        collector.set_fault(Fault.TAKEN_THEN_RESET, connections=Connections.KEEP)

        report = exporter.export_and_report(spans(3))

        counts = collector.counts()
        assert (counts.requests, counts.duplicates) == (1 + kept_alive, 0)
        assert len(collector.span_ids) == 3 + kept_alive
        assert report.verdict is Verdict.FAILED
        assert report.reason.startswith("UNAVAILABLE: ")

        collector.fault = Fault.NONE
        assert exporter.export_and_report(spans(1)) == DELIVERED, "it has connected again at once"


def test_what_a_server_refuses_is_not_sent_again(collector: FaultyCollector) -> None:
    """The circuit breaker is the retry policy, as with HTTP."""
    collector.fault = Fault.UNAVAILABLE
    with exporting(collector.grpc_endpoint) as exporter:
        report = exporter.export_and_report(spans(1))

    assert collector.counts().requests == 1
    assert report == ExportReport(Verdict.FAILED, 0, "UNAVAILABLE: the fault of this collector")


def test_a_port_that_is_closed_is_told_as_the_system_does(collector: FaultyCollector) -> None:
    collector.fault = Fault.REFUSE
    with exporting(collector.grpc_endpoint) as exporter:
        reason = exporter.export_and_report(spans(1)).reason
    assert reason.startswith("UNAVAILABLE: ")
    assert "Connection refused" in reason


@pytest.mark.parametrize(
    ("details", "said"),
    [
        (
            "failed to connect to all addresses; last error: UNKNOWN: ipv4:10.0.0.1:4317: Tls handshake "
            "failed (TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL: error:1000007d:SSL routines:OPENSSL_internal:"
            "CERTIFICATE_VERIFY_FAILED: certificate has expired",
            "ipv4:10.0.0.1:4317: Tls handshake failed (TSI_PROTOCOL_FAILURE): CERTIFICATE_VERIFY_FAILED: "
            "certificate has expired",
        ),
        (
            "failed to connect to all addresses; last error: UNAVAILABLE: ipv6:%5B::1%5D:4317: no route",
            "ipv6:%5B::1%5D:4317: no route",
        ),
    ],
)
def test_the_cause_of_a_connection_that_failed_is_not_cut_off(details: str, said: str) -> None:
    """G4: gRPC puts so much before it that it would lie beyond the end of the line."""
    with answering(abort(grpc.StatusCode.UNAVAILABLE, details)) as endpoint, exporting(endpoint) as exporter:
        assert exporter.export_and_report(spans(1)).reason == f"UNAVAILABLE: {said}"


def test_the_time_that_was_waited_for_an_answer_is_said(collector: FaultyCollector) -> None:
    collector.fault = Fault.BLACKHOLE
    with exporting(collector.grpc_endpoint, timeout=0.25) as exporter:
        assert exporter.export_and_report(spans(1)).reason == "DEADLINE_EXCEEDED: no answer in 0.25 s"
    collector.fault = Fault.DEADLINE
    with exporting(collector.grpc_endpoint) as exporter:
        reason = exporter.export_and_report(spans(1)).reason
    assert reason == "DEADLINE_EXCEEDED: the fault of this collector"


CREDENTIALS = "check the credentials in the headers"
RECEIVER = "check that the endpoint takes OTLP over gRPC"


@pytest.mark.parametrize(
    ("code", "verdict", "advice"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, Verdict.REJECTED, ""),
        (grpc.StatusCode.OUT_OF_RANGE, Verdict.REJECTED, ""),
        (grpc.StatusCode.UNAUTHENTICATED, Verdict.MISCONFIGURED, CREDENTIALS),
        (grpc.StatusCode.PERMISSION_DENIED, Verdict.MISCONFIGURED, f"{CREDENTIALS} and what they may do"),
        (grpc.StatusCode.UNIMPLEMENTED, Verdict.MISCONFIGURED, RECEIVER),
        (grpc.StatusCode.NOT_FOUND, Verdict.MISCONFIGURED, RECEIVER),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Verdict.FAILED, ""),
        (grpc.StatusCode.INTERNAL, Verdict.FAILED, ""),
        (grpc.StatusCode.UNKNOWN, Verdict.FAILED, ""),
    ],
)
def test_a_status_says_what_became_of_the_batch_and_what_to_do(
    code: grpc.StatusCode, verdict: Verdict, advice: str
) -> None:
    """G4."""
    script = abort(code, "ingest token\nexpired"), abort(code, "")
    with answering(*script) as endpoint, exporting(endpoint) as exporter:
        reports = [exporter.export_and_report(spans(1)) for _ in range(2)]

    told, bare = f"{code.name}: ingest token expired", code.name
    assert reports[0] == ExportReport(verdict, 0, f"{told}; {advice}" if advice else told)
    assert reports[1] == ExportReport(verdict, 0, f"{bare}: {advice}" if advice else bare)


def test_a_failure_is_not_said_a_second_time_by_the_official_exporter(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its line has no place in Gunicorn's log, and the words of the backend as they are, secrets and all."""
    script = abort(grpc.StatusCode.UNKNOWN, "hunter2-header\x1b[31m")
    with answering(script) as endpoint, exporting(endpoint, headers={"x-key": "hunter2-header"}) as exporter:
        assert exporter.export_and_report(spans(1)).reason == "UNKNOWN: ***"
        assert caplog.text == ""
        logging.getLogger("opentelemetry.exporter.otlp.proto.grpc.exporter").warning("said between calls")
    assert caplog.messages == ["said between calls"]


def _frames(connection: socket.socket) -> Iterator[tuple[int, int, bytes]]:
    """Type, flags and number of the stream of each frame that comes (RFC 9113, 4.1)."""
    with connection.makefile("rb") as incoming:
        incoming.read(24)
        while head := incoming.read(9):
            incoming.read(int.from_bytes(head[:3], "big"))
            yield head[3], head[4], head[5:]


def test_a_server_that_says_ok_and_no_more_has_taken_all() -> None:
    """As to OpenTelemetry's exporter: headers that are trailers too, without a message between."""
    fields = {b":status": b"200", b"content-type": b"application/grpc", b"grpc-status": b"0"}
    said = b"".join(
        b"\0" + bytes([len(name)]) + name + bytes([len(text)]) + text for name, text in fields.items()
    )

    def play(connection: socket.socket) -> None:
        connection.sendall(bytes(3) + b"\x04" + bytes(5))
        for kind, flags, stream in _frames(connection):
            if kind == 0 and flags & 1:
                connection.sendall(len(said).to_bytes(3, "big") + b"\x01\x05" + stream + said)

    with peer(play) as port, exporting(f"http://127.0.0.1:{port}") as exporter:
        assert exporter.export_and_report(spans(2)) == DELIVERED


def retry(seconds: float) -> RetryInfo:
    asked = RetryInfo()
    asked.retry_delay.FromNanoseconds(round(seconds * 1e9))
    return asked


def details(*messages: Any) -> bytes:
    packed = [AnyMessage() for _ in messages]
    for one, told in zip(packed, messages, strict=True):
        one.Pack(told)
    return bytes(Status(code=14, details=packed).SerializeToString())


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ((("grpc-status-details-bin", details(Status(), retry(7.5))),), 7.5),
        ((("google.rpc.retryinfo-bin", retry(7.5).SerializeToString()),), 7.5),
        ((("grpc-status-details-bin", details(retry(1e12))),), 86_400.0),
        ((("grpc-status-details-bin", details(Status())),), None),
        ((("grpc-status-details-bin", b"\xff"),), None),
        ((("google.rpc.retryinfo-bin", b"\xff"),), None),
        ((("google.rpc.retryinfo-bin", retry(0).SerializeToString()),), None),
        ((), None),
    ],
)
def test_a_server_that_asks_for_a_pause_is_heard(
    metadata: tuple[tuple[str, bytes], ...], expected: float | None
) -> None:
    script = abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "later", metadata)
    with answering(script) as endpoint, exporting(endpoint) as exporter:
        assert exporter.export_and_report(spans(1)).retry_after == expected


def test_the_message_of_a_partial_success_goes_along() -> None:
    """G4."""
    with answering(partial(2, "monthly quota\nis used up")) as endpoint, exporting(endpoint) as exporter:
        report = exporter.export_and_report(spans(5))
    assert report == ExportReport(
        Verdict.DELIVERED, 3, "the collector rejected 2 spans: monthly quota is used up"
    )


def test_a_warning_of_a_collector_that_takes_all_is_said_when_it_begins(
    caplog: pytest.LogCaptureFixture,
) -> None:
    script = [partial(0, "deprecated"), partial(0, "deprecated"), partial(0, "")]
    with answering(*script) as endpoint, exporting(endpoint) as exporter:
        assert [exporter.export_and_report(spans(1)) for _ in script] == [DELIVERED] * 3
    place = endpoint.removeprefix("http://")
    assert caplog.messages == [f"grpc://{place}: the collector warns: deprecated"]


@pytest.mark.parametrize(
    "answer",
    [
        abort(grpc.StatusCode.UNAUTHENTICATED, "you sent hunter2-header"),
        partial(1, "you sent hunter2-header"),
    ],
)
def test_no_secret_comes_back_in_the_words_of_a_backend(answer: Answer) -> None:
    """G4."""
    with answering(answer) as endpoint, exporting(endpoint, headers={"x-key": "hunter2-header"}) as exporter:
        reason = exporter.export_and_report(spans(2)).reason
    assert "you sent ***" in reason
    assert "hunter2" not in reason


def test_a_failure_that_was_not_seen_is_the_exporters_word(
    collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failure that was: the reason is not an older one's."""
    collector.fault = Fault.UNAVAILABLE
    with exporting(collector.grpc_endpoint) as exporter:
        assert exporter.export_and_report(spans(1)).reason.startswith("UNAVAILABLE")
        exporter.shutdown()
        assert exporter.export_and_report(spans(1)).reason == "returned FAILURE"
        assert exporter.export(spans(1)) is SpanExportResult.FAILURE
