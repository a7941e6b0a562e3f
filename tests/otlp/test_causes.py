"""The place where an export failed, in its report: it decides what happens to the batch next (K2, K3)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from ssl import SSLContext
from typing import Any

import grpc
import pytest
import requests
from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter import Verdict
from breaker_exporter._core.report import Cause
from breaker_exporter.otlp import CooperativeOTLPSpanExporter, OTLPGrpcSpanExporter
from breaker_exporter.testing import Connections, Fault, FaultyCollector

from ..semantics._spans import spans
from ..semantics._waiting import start, until
from ._grpc_server import Act, MakeGrpc, abort, answering, details, retry, waiting
from ._peer import peer, read_request
from ._server import Make, answer, hang_up, leave_unread, reset, serving

pytestmark = pytest.mark.usefixtures("no_variables_from_outside")

SUCCESS = SpanExportResult.SUCCESS
Exporter = CooperativeOTLPSpanExporter | OTLPGrpcSpanExporter


@pytest.fixture(params=[False, True], ids=["own", "given"])
def session(request: pytest.FixtureRequest) -> Iterator[requests.Session | None]:
    """A session of the user's, or none."""
    if request.param:
        with requests.Session() as given:
            yield given
    else:
        yield None


def cause_of(exporter: Exporter, count: int = 1) -> Cause:
    report = exporter.export_and_report(spans(count))
    assert report.verdict is not Verdict.DELIVERED
    return report.cause


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (400, Cause.ANSWERED),
        (401, Cause.ANSWERED),
        (407, Cause.ANSWERED),
        (408, Cause.GATEWAY),
        (413, Cause.ANSWERED),
        (429, Cause.BUSY),
        (500, Cause.ANSWERED),
        (501, Cause.ANSWERED),
        (502, Cause.GATEWAY),
        (503, Cause.BUSY),
        (504, Cause.GATEWAY),
        (101, Cause.ANSWERED),
    ],
)
def test_by_http_it_is_that_of_the_status(make: Make, status: int, cause: Cause) -> None:
    with serving(answer(status)) as server:
        assert cause_of(make(server.url)) is cause


def test_of_several_answers_it_is_that_of_the_failure(make: Make) -> None:
    with serving(answer(413), answer(400), answer(503)) as server:
        assert cause_of(make(server.url), 2) is Cause.BUSY


def test_no_connection_is_unreachable(make: Make, session: requests.Session | None) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        exporter = make(f"http://127.0.0.1:{free.getsockname()[1]}/", session=session)
        assert cause_of(exporter) is Cause.UNREACHABLE


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(socket.EAI_AGAIN, "later"),
        RuntimeError("can't create new thread at interpreter shutdown"),
    ],
)
def test_no_address_is_unreachable(
    make: Make, session: requests.Session | None, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    exporter = make("http://nowhere.test:4318", session=session)
    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert cause_of(exporter) is Cause.UNREACHABLE


def test_a_connection_that_does_not_come_about_in_time_is_unreachable(
    make: Make, session: requests.Session | None
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]  # nobody accepts: further connections get no answer
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        exporter = make(f"http://127.0.0.1:{port}/", timeout=0.25, session=session)
        assert cause_of(exporter) is Cause.UNREACHABLE
        for filler in fillers:
            filler.close()


def test_a_certificate_that_is_not_trusted_is_unreachable(
    make: Make, session: requests.Session | None, tls: SSLContext
) -> None:
    with peer(lambda _: None, tls=tls) as port:
        assert cause_of(make(f"https://localhost:{port}/", session=session)) is Cause.UNREACHABLE


def test_a_handshake_that_hangs_is_unreachable(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        exporter = make(f"https://127.0.0.1:{silent.getsockname()[1]}/", timeout=0.2)
        assert cause_of(exporter) is Cause.UNREACHABLE


def test_a_proxy_that_refuses_is_unreachable(
    make: Make, session: requests.Session | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def play(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")

    with peer(play) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        assert cause_of(make("https://collector.test/", session=session)) is Cause.UNREACHABLE


def test_files_that_are_missing_are_no_fault_of_the_backend(make: Make, tmp_path: Path) -> None:
    """Nothing is connected to."""
    file = tmp_path / "gone.pem"
    file.write_text("-----BEGIN CERTIFICATE-----")
    exporter = make("https://127.0.0.1:9/", certificate_file=str(file))
    file.unlink()
    assert cause_of(exporter) is Cause.LOCAL


def test_what_http_does_not_allow_is_unreachable(make: Make, session: requests.Session | None) -> None:
    """Also on a connection that is there."""
    with serving() as server:
        exporter = make(server.url, session=session)
        assert exporter.export(spans(1)) is SUCCESS
        poster: Any = exporter._sender
        poster._poster._headers["x"] = "two\r\nlines"
        assert cause_of(exporter) is Cause.UNREACHABLE
        assert len(server.requests) == 1


@pytest.mark.parametrize("kept_alive", [False, True])
@pytest.mark.parametrize("act", [reset, hang_up, leave_unread])
def test_a_connection_that_ends_without_an_answer_leaves_it_unanswered(
    make: Make, session: requests.Session | None, act: Callable[..., None], kept_alive: bool
) -> None:
    with serving(*[answer(200)] * kept_alive, act) as server:
        exporter = make(server.url, session=session)
        for _ in range(kept_alive):
            assert exporter.export(spans(1)) is SUCCESS
        assert cause_of(exporter) is Cause.UNANSWERED


def test_no_answer_in_time_leaves_it_unanswered(make: Make, session: requests.Session | None) -> None:
    go_on = threading.Event()
    with serving(lambda _: go_on.wait(30)) as server:  # type: ignore[arg-type]
        assert cause_of(make(server.url, timeout=0.2, session=session)) is Cause.UNANSWERED
        go_on.set()


def test_an_answer_that_begins_and_does_not_end_leaves_it_unknown(
    make: Make, collector: FaultyCollector
) -> None:
    collector.set_fault(Fault.DRIP, interval=0.02)
    assert cause_of(make(collector.http_endpoint + "/v1/traces", timeout=0.3)) is Cause.UNKNOWN


def test_a_shutdown_meanwhile_leaves_it_unknown(make: Make) -> None:
    go_on = threading.Event()
    with serving(lambda _: go_on.wait(30)) as server:  # type: ignore[arg-type]
        exporter = make(server.url)
        call = start(lambda: cause_of(exporter))
        until(lambda: server.requests)
        exporter.shutdown()
        assert call.result(20) is Cause.UNKNOWN
        assert cause_of(exporter) is Cause.UNREACHABLE
        go_on.set()


def test_a_redirect_to_where_no_answer_comes_leaves_it_unknown(make: Make) -> None:
    with serving(answer(307, Location="/again"), hang_up) as server:
        assert cause_of(make(server.url)) is Cause.UNKNOWN


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (Fault.RESET, Cause.UNKNOWN),
        (Fault.TAKEN_THEN_RESET, Cause.UNKNOWN),
        (Fault.TAKEN_THEN_CLOSED, Cause.UNKNOWN),
        (Fault.GARBAGE, Cause.UNKNOWN),
        (Fault.TRUNCATED, Cause.UNKNOWN),
        (Fault.GOAWAY, Cause.UNKNOWN),
        (Fault.UNAVAILABLE, Cause.UNKNOWN),
        (Fault.RESOURCE_EXHAUSTED, Cause.BUSY),
        (Fault.DEADLINE, Cause.GATEWAY),
    ],
)
def test_by_grpc_it_is_unknown_where_a_byte_may_have_been_read(
    collector: FaultyCollector, make_grpc: MakeGrpc, fault: Fault, cause: Cause
) -> None:
    exporter = make_grpc(collector.grpc_endpoint)
    assert exporter.export(spans(1)) is SUCCESS
    collector.set_fault(fault, connections=Connections.KEEP)
    # To older gRPC a connection that was reset may be one that gives no answer.
    may_be_silent = fault in (Fault.RESET, Fault.TAKEN_THEN_RESET)
    assert cause_of(exporter) in {cause, *([Cause.UNANSWERED] if may_be_silent else [])}


def test_by_grpc_no_connection_is_unreachable(collector: FaultyCollector, make_grpc: MakeGrpc) -> None:
    collector.fault = Fault.REFUSE
    assert cause_of(make_grpc(collector.grpc_endpoint)) is Cause.UNREACHABLE


def test_by_grpc_who_asks_for_a_pause_is_busy(collector: FaultyCollector, make_grpc: MakeGrpc) -> None:
    """As the specification of OTLP has it, and as HTTP 503 is."""
    collector.set_fault(Fault.UNAVAILABLE, retry_after=7)
    assert cause_of(make_grpc(collector.grpc_endpoint)) is Cause.BUSY


def test_by_grpc_no_address_and_no_tls_are_unreachable(
    collector: FaultyCollector, make_grpc: MakeGrpc, capfd: pytest.CaptureFixture[str]
) -> None:
    for endpoint in ("http://nowhere.invalid:4317", collector.grpc_endpoint.replace("http", "https")):
        assert cause_of(make_grpc(endpoint)) is Cause.UNREACHABLE


@pytest.mark.parametrize(
    ("act", "cause"),
    [
        (abort(grpc.StatusCode.INTERNAL, "Received RST_STREAM with error code 2"), Cause.UNKNOWN),
        (abort(grpc.StatusCode.UNKNOWN, "Stream removed"), Cause.UNKNOWN),
        (abort(grpc.StatusCode.UNKNOWN, "no luck"), Cause.ANSWERED),
        (abort(grpc.StatusCode.UNAVAILABLE, "DNS resolution failed for service"), Cause.UNREACHABLE),
        (
            abort(
                *(grpc.StatusCode.UNAVAILABLE, "failed to connect to all of it"),
                (("grpc-status-details-bin", details(retry(1))),),
            ),
            Cause.BUSY,
        ),
    ],
)
def test_the_words_of_grpc_itself_tell_a_lost_call_from_an_answer(
    make_grpc: MakeGrpc, act: Act, cause: Cause
) -> None:
    with answering(act) as server:
        assert cause_of(make_grpc(server.url)) is cause


def test_by_grpc_no_answer_in_time_leaves_it_unanswered(make_grpc: MakeGrpc) -> None:
    go_on = threading.Event()
    with answering(waiting(go_on)) as server:
        assert cause_of(make_grpc(server.url, timeout=0.25)) is Cause.UNANSWERED
        go_on.set()


def test_by_grpc_a_shutdown_meanwhile_leaves_it_unknown(make_grpc: MakeGrpc) -> None:
    go_on = threading.Event()
    with answering(waiting(go_on)) as server:
        exporter = make_grpc(server.url)
        call = start(lambda: cause_of(exporter))
        until(lambda: server.requests)
        exporter.shutdown()
        assert call.result(20) is Cause.UNKNOWN
        assert cause_of(exporter) is Cause.UNREACHABLE
        go_on.set()


def test_by_grpc_a_request_that_is_too_large_alone_was_answered(make_grpc: MakeGrpc) -> None:
    with answering(options=(("grpc.max_receive_message_length", 10),)) as server:
        assert cause_of(make_grpc(server.url)) is Cause.ANSWERED
