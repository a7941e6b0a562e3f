"""The gRPC exporter on real servers: what it sends, what it makes of answers, in what time."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState, ExportReport, Verdict, otlp
from breaker_exporter._core.report import Cause
from breaker_exporter.otlp import OTLPGrpcSpanExporter
from breaker_exporter.testing import Fault, FaultyCollector

from ..semantics._spans import spans
from ..semantics._waiting import until
from ._grpc_server import Act, MakeGrpc, abort, answering, details, partial, retry, waiting
from ._peer import peer
from .test_exporter import ids

pytestmark = pytest.mark.usefixtures("no_variables_from_outside")

SUCCESS, FAILURE = SpanExportResult.SUCCESS, SpanExportResult.FAILURE
DELIVERED = ExportReport(Verdict.DELIVERED)
MIB = 1 << 20


def large(count: int, size: int = 300_000) -> Sequence[ReadableSpan]:
    """Spans with an attribute of so many bytes."""
    return [
        ReadableSpan(span.name, span.get_span_context(), attributes={"large": "x" * size})
        for span in spans(count)
    ]


def names(body: bytes) -> list[str]:
    request = ExportTraceServiceRequest.FromString(body)
    return [span.name for of in request.resource_spans for scoped in of.scope_spans for span in scoped.spans]


@pytest.mark.parametrize("compression", ["none", "gzip", *grpc.Compression])
def test_all_spans_of_a_batch_arrive_once(
    collector: FaultyCollector, make_grpc: MakeGrpc, compression: object
) -> None:
    exporter = make_grpc(collector.grpc_endpoint, compression=compression)
    batch = spans(700)

    assert exporter.export_and_report(batch) == DELIVERED

    assert collector.span_ids == ids(batch)
    assert (collector.duplicates, collector.counts().requests) == (0, 1)


def test_a_healthy_collector_with_a_limit_keeps_the_circuit_closed(make_grpc: MakeGrpc) -> None:
    """O3: three batches of 6 MB at a server that takes 4 MiB, then small ones."""
    with answering() as server:
        guarded = CircuitBreakerSpanExporter(make_grpc(server.url))
        for _ in range(3):
            assert guarded.export(large(20)) is SUCCESS
        assert guarded.export(spans(10)) is SUCCESS
        guarded.shutdown()

    health = guarded.health()
    assert (health.state, health.exported, health.failed) == (CircuitState.CLOSED, 70, 0)
    assert sum(len(names(body)) for body in server.requests) == 70
    assert max(map(len, server.requests)) <= 4 * MIB


@pytest.mark.parametrize("limit", [0, 64 * MIB])
def test_a_batch_that_the_server_finds_too_large_is_split_as_often_as_needed(
    make_grpc: MakeGrpc, limit: int
) -> None:
    with answering(options=(("grpc.max_receive_message_length", MIB),)) as server:
        exporter = make_grpc(server.url, max_request_size=limit)
        assert exporter.export_and_report(large(20)) == DELIVERED

    assert sorted(name for body in server.requests for name in names(body)) == sorted(
        span.name for span in spans(20)
    )


def test_a_span_that_is_too_large_alone_is_lost_alone(make_grpc: MakeGrpc) -> None:
    """O3."""
    with answering() as server:
        batch = [*spans(3), *large(1, 5 * MIB)]
        report = make_grpc(server.url).export_and_report(batch)
        assert (report.verdict, report.delivered) == (Verdict.DELIVERED, 3)
        assert sum(len(names(body)) for body in server.requests) == 3
        assert make_grpc(server.url, max_request_size=0).export_and_report(batch).delivered == 3


@pytest.mark.parametrize(
    ("rejected", "message", "expected"),
    [
        (0, "", DELIVERED),
        (
            *(2, "monthly quota\nis used up"),
            ExportReport(Verdict.DELIVERED, 3, "the collector rejected 2 spans: monthly quota is used up"),
        ),
        (9, "", ExportReport(Verdict.DELIVERED, 0, "the collector rejected 5 spans")),
        (-3, "", DELIVERED),
    ],
)
def test_partial_success_counts_what_the_collector_rejected_as_failed(
    make_grpc: MakeGrpc, rejected: int, message: str, expected: ExportReport
) -> None:
    """P3, G4."""
    with answering(partial(rejected, message)) as server:
        assert make_grpc(server.url).export_and_report(spans(5)) == expected


def test_a_warning_of_a_collector_that_takes_all_is_said_when_it_begins(
    make_grpc: MakeGrpc, caplog: pytest.LogCaptureFixture
) -> None:
    script = [partial(0, "deprecated"), partial(0, "deprecated"), partial(0)]
    with answering(*script) as server:
        exporter = make_grpc(server.url)
        assert [exporter.export_and_report(spans(1)) for _ in script] == [DELIVERED] * 3
    assert caplog.messages == [f"grpc://{server.target}: the collector warns: deprecated"]


def test_an_answer_in_other_words_is_a_success_and_said_once(
    make_grpc: MakeGrpc, caplog: pytest.LogCaptureFixture
) -> None:
    """O4: OpenTelemetry's exporter takes it so too, where it can read it at all."""
    with answering(*[lambda _: b"\xff"] * 2) as server:
        exporter = make_grpc(server.url)
        assert [exporter.export_and_report(spans(1)) for _ in range(2)] == [DELIVERED] * 2
    assert caplog.messages == [
        f"grpc://{server.target}: OK, but the answer is no OTLP: what was sent counts as exported; "
        "look at the endpoint if it does not arrive"
    ]


def _frames(connection: socket.socket) -> Iterator[tuple[int, int, bytes]]:
    """Type, flags and number of the stream of each frame that comes (RFC 9113, 4.1)."""
    with connection.makefile("rb") as incoming:
        incoming.read(24)
        while head := incoming.read(9):
            incoming.read(int.from_bytes(head[:3], "big"))
            yield head[3], head[4], head[5:]


def test_a_server_that_says_ok_and_no_more_has_taken_all(make_grpc: MakeGrpc) -> None:
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

    with peer(play) as port:
        assert make_grpc(f"http://127.0.0.1:{port}").export_and_report(spans(2)) == DELIVERED


@pytest.mark.parametrize(
    ("code", "verdict", "hint", "cause"),
    [
        ("INVALID_ARGUMENT", Verdict.REJECTED, "", Cause.ANSWERED),
        (
            *("UNAUTHENTICATED", Verdict.MISCONFIGURED),
            *("; check the credentials in the headers", Cause.ANSWERED),
        ),
        ("RESOURCE_EXHAUSTED", Verdict.FAILED, "", Cause.BUSY),
        ("INTERNAL", Verdict.FAILED, "", Cause.ANSWERED),
    ],
)
def test_status_words_and_pause_go_into_the_report(
    make_grpc: MakeGrpc, code: str, verdict: Verdict, hint: str, cause: Cause
) -> None:
    """G4; the table of all of them is the sender's (test_grpc_sender.py)."""
    act = abort(grpc.StatusCode[code], "token  expired", (("grpc-status-details-bin", details(retry(7))),))
    with answering(act) as server:
        report = make_grpc(server.url).export_and_report(spans(1))
    assert report == ExportReport(verdict, None, f"{code}: token expired{hint}", 7.0, cause)


@pytest.mark.parametrize(
    ("code", "state", "failures"),
    [
        ("INVALID_ARGUMENT", CircuitState.CLOSED, 0),
        ("UNAVAILABLE", CircuitState.CLOSED, 1),
        ("PERMISSION_DENIED", CircuitState.OPEN, 1),
    ],
)
def test_a_status_reaches_the_circuit(
    collector: FaultyCollector, make_grpc: MakeGrpc, code: str, state: CircuitState, failures: int
) -> None:
    """O2."""
    collector.set_fault(Fault.STATUS, code=code)
    guarded = CircuitBreakerSpanExporter(make_grpc(collector.grpc_endpoint))

    assert guarded.export(spans(1)) is FAILURE

    health = guarded.health()
    assert (health.state, health.consecutive_failures, health.failed) == (state, failures, 1)
    guarded.shutdown()


@pytest.mark.parametrize(
    "act", [abort(grpc.StatusCode.UNKNOWN, "you sent hunter2-header\x1b[31m"), partial(1, "hunter2-header")]
)
def test_no_secret_comes_back_in_the_words_of_a_backend(
    make_grpc: MakeGrpc, act: Act, caplog: pytest.LogCaptureFixture
) -> None:
    """G4. And nothing but us says anything of a failure."""
    with answering(act) as server:
        reason = make_grpc(server.url, headers={"x-key": "hunter2-header"}).export_and_report(spans(2)).reason
    assert "***" in reason
    assert "hunter2" not in reason
    assert caplog.text == ""


NOT_ANSWERED = [
    (Fault.REFUSE, "UNAVAILABLE: .*Connection refused"),
    (Fault.RESET, "UNAVAILABLE: "),
    (Fault.TAKEN_THEN_RESET, "UNAVAILABLE: "),
    (Fault.TAKEN_THEN_CLOSED, "UNAVAILABLE: "),
    (Fault.GARBAGE, "(UNAVAILABLE|INTERNAL|UNKNOWN): "),
    (Fault.TRUNCATED, "(UNAVAILABLE|INTERNAL|UNKNOWN): "),
]


@pytest.mark.parametrize(("fault", "says"), NOT_ANSWERED)
def test_no_good_answer_is_a_failure_and_nothing_is_sent_again(
    collector: FaultyCollector, make_grpc: MakeGrpc, fault: Fault, says: str
) -> None:
    """O5."""
    collector.fault = fault
    exporter = make_grpc(collector.grpc_endpoint)

    report = exporter.export_and_report(spans(3))

    assert (report.verdict, report.accepted_of(3)) == (Verdict.FAILED, 0)
    with pytest.raises(ValueError, match=says):
        raise ValueError(report.reason)
    counts = collector.counts()
    assert (counts.requests <= 1, counts.duplicates) == (True, 0)
    collector.fault = Fault.NONE
    assert exporter.export_and_report(spans(1)) == DELIVERED, "it connects again at once"


@pytest.mark.parametrize("fault", [Fault.BLACKHOLE, Fault.DRIP, Fault.GOAWAY])
def test_one_deadline_holds_for_the_whole_call(
    collector: FaultyCollector, make_grpc: MakeGrpc, fault: Fault
) -> None:
    collector.fault = fault
    exporter = make_grpc(collector.grpc_endpoint, timeout=0.3)
    began = time.monotonic()

    report = exporter.export_and_report(spans(300))

    assert (report.verdict, report.accepted_of(300)) == (Verdict.FAILED, 0)
    assert time.monotonic() - began < 5
    collector.fault = Fault.NONE
    assert make_grpc(collector.grpc_endpoint).export_and_report(spans(1)) == DELIVERED


def processor_time(endpoint: str, kind: Callable[..., Any]) -> float:
    """Seconds that two exports to a server which sends away take of the processor."""
    exporter = kind(endpoint, timeout=1, insecure=True)
    began = time.process_time()
    assert [exporter.export(spans(1)) for _ in range(2)] == [FAILURE, FAILURE]
    took = time.process_time() - began
    exporter.shutdown()
    return took


def test_a_server_that_sends_away_is_not_stormed(collector: FaultyCollector) -> None:
    """gRPC by itself connects again as fast as it can, and the garbage of that holds the hub later."""
    collector.fault = Fault.GOAWAY
    official = processor_time(collector.grpc_endpoint, OTLPSpanExporter)
    ours = processor_time(collector.grpc_endpoint, OTLPGrpcSpanExporter)

    assert ours < official / 2


def test_shutdown_ends_a_call_that_is_under_way(make_grpc: MakeGrpc) -> None:
    stop = threading.Event()
    with answering(waiting(stop)) as server:
        exporter = make_grpc(server.url, timeout=30)
        reports: list[ExportReport] = []
        thread = threading.Thread(target=lambda: reports.append(exporter.export_and_report(spans(1))))
        thread.start()
        until(lambda: bool(server.requests))
        exporter.shutdown()
        thread.join(10)
        stop.set()
    assert reports == [ExportReport(Verdict.FAILED, reason="the exporter was shut down meanwhile")]
    assert exporter.export_and_report(spans(1)).reason == "exporter is shut down"
    assert exporter.export(spans(1)) is FAILURE
    assert exporter.force_flush()


def test_alone_it_says_once_that_it_fails(
    collector: FaultyCollector, make_grpc: MakeGrpc, caplog: pytest.LogCaptureFixture
) -> None:
    collector.fault = Fault.UNAVAILABLE
    exporter = make_grpc(collector.grpc_endpoint)

    assert [exporter.export(spans(2)) for _ in range(3)] == [FAILURE] * 3

    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    place = collector.grpc_endpoint.removeprefix("http://")
    assert line == f"grpc://{place}: 2 spans not exported: UNAVAILABLE: the fault of this collector"


def test_the_module_has_all_names() -> None:
    assert set(otlp.__all__) <= set(dir(otlp))


@pytest.mark.parametrize("way", ["files", "variables", "credentials"])
def test_certificates_come_from_the_environment_or_the_code(
    make_grpc: MakeGrpc, authority: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Those of the client too, in both directions."""
    issued, client = authority.issue_cert("localhost"), authority.issue_cert("client")
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    roots = authority.cert_pem.bytes()
    tls = grpc.ssl_server_credentials(
        [(issued.private_key_pem.bytes(), chain)], roots, require_client_auth=True
    )
    contents = {
        "certificate": roots,
        "client_key": client.private_key_pem.bytes(),
        "client_certificate": b"".join(blob.bytes() for blob in client.cert_chain_pems),
    }
    files = {}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        files[name] = str(tmp_path / name)
    arguments: dict[str, Any] = {}
    if way == "files":
        arguments = {f"{name}_file": path for name, path in files.items()}
    elif way == "credentials":
        arguments = {"credentials": grpc.ssl_channel_credentials(*contents.values())}
    else:
        for name, path in files.items():
            monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name.upper()}", path)
    with answering(credentials=tls) as server:
        endpoint = f"https://localhost:{server.target.rpartition(':')[2]}"
        assert make_grpc(endpoint, **arguments).export_and_report(spans(1)) == DELIVERED
        assert make_grpc(endpoint, insecure=True, **arguments).export_and_report(spans(1)) == DELIVERED
        monkeypatch.undo()
        assert make_grpc(endpoint, timeout=2).export_and_report(spans(1)).verdict is Verdict.FAILED


def test_a_certificate_that_is_replaced_on_disk_is_used_by_the_next_connection(
    make_grpc: MakeGrpc, authority: Any, tmp_path: Path
) -> None:
    issued = authority.issue_cert("localhost")
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    tls = grpc.ssl_server_credentials([(issued.private_key_pem.bytes(), chain)])
    file = tmp_path / "ca.pem"
    file.write_bytes(b"-----BEGIN CERTIFICATE----- of yesterday")
    with answering(credentials=tls) as server:
        endpoint = f"https://localhost:{server.target.rpartition(':')[2]}"
        exporter = make_grpc(endpoint, certificate_file=str(file), timeout=5)
        assert exporter.export_and_report(spans(1)).verdict is Verdict.FAILED
        file.write_bytes(authority.cert_pem.bytes())
        assert exporter.export_and_report(spans(1)) == DELIVERED
