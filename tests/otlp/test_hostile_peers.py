"""Peers that drip, bomb or are far away, proxies of all kinds, copies of the exporter in other processes."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
import urllib.parse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter import ExportReport, Verdict
from breaker_exporter._core.report import Cause
from breaker_exporter.otlp._send import connections, http

from ..semantics._children import in_child
from ..semantics._spans import spans
from ..semantics._waiting import start, until
from ._peer import drip, peer, read_request, tunnel
from ._reports import is_late
from ._server import Make, answer, reset, serving

pytestmark = pytest.mark.usefixtures("no_variables_from_outside")

SUCCESS = SpanExportResult.SUCCESS
SHUT_DOWN = ExportReport(Verdict.FAILED, reason="the exporter was shut down meanwhile")
SHUT_DOWN_BEFORE = replace(SHUT_DOWN, cause=Cause.UNREACHABLE)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
    ],
)
@pytest.mark.parametrize("secured", [False, True])
def test_the_deadline_holds_for_an_answer_that_ends_with_its_connection(
    make: Make, head: bytes, secured: bool, tls: ssl.SSLContext, trusted: str
) -> None:
    """The connection is taken from who could cut it, and its end is the answer's."""
    stop = threading.Event()

    def play(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(head)
        drip(connection, stop)

    with peer(play, tls=tls if secured else None) as port:
        url = f"http{'s' if secured else ''}://127.0.0.1:{port}/"
        call = start(lambda: make(url, certificate_file=trusted, timeout=0.3).export_and_report(spans(1)))
        try:
            assert is_late(call.result(timeout=10))
        finally:
            stop.set()


@pytest.mark.parametrize(
    ("what", "before", "again"),
    [
        ("interim responses", b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ("trailers", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X-More: x\r\n"),
    ],
)
def test_an_answer_without_end_is_given_up(make: Make, what: str, before: bytes, again: bytes) -> None:
    """http.client reads on; under gevent nobody else would run meanwhile, who keeps the deadline included."""

    def play(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(before)
        while True:
            connection.sendall(again * 1000)

    with peer(play) as port:
        report = make(f"http://127.0.0.1:{port}/v1/traces", timeout=30).export_and_report(spans(1))

    # Python 3.14 counts them itself, and so do newer releases of older ones.
    counted, reason = f"got more than 100 {what}", report.reason.partition(" is too large: ")
    assert reason[0] == f"the answer of 127.0.0.1:{port}"
    assert reason[2] in ("more than 262144 bytes", counted)


@pytest.mark.parametrize(
    ("head", "limit"),
    [
        pytest.param(b"X: y\r\n" * 101 + b"\r\n", "got more than 100 headers", id="headers"),
        pytest.param(b"X: " + b"y" * 70_000, "got more than 65536 bytes when reading header line", id="line"),
    ],
)
def test_an_answer_that_http_client_finds_too_long_is_said_to_be_so(
    make: Make, head: bytes, limit: str
) -> None:
    def play(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head)

    with peer(play) as port:
        report = make(f"http://127.0.0.1:{port}/v1/traces", timeout=30).export_and_report(spans(1))

    assert report.reason == f"the answer of 127.0.0.1:{port} is too large: {limit}"


def test_what_comes_after_the_deadline_is_not_read() -> None:
    incoming, outgoing = socket.socketpair()
    with incoming, outgoing, connections.Flight(0.0, 0.0).under_way():
        outgoing.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        response = connections._Timed.response_class(incoming)
        with pytest.raises(TimeoutError, match="no time left to read"):
            response.begin()
        response.close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_body_of_a_redirect_is_neither_read_nor_unpacked(make: Make, status: int) -> None:
    sent: list[int] = []
    bomb = gzip.compress(bytes(300_000_000), compresslevel=1)

    def throw(handler: Any) -> None:
        handler.send_response(status)
        handler.send_header("Location", "/v1/traces")
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", str(len(bomb) * 50))
        handler.end_headers()
        handler.close_connection = True
        for _ in range(50):
            sent.append(handler.wfile.write(bomb))

    with serving(throw) as server:
        report = make(server.url, timeout=20).export_and_report(spans(1))

    expected = Verdict.MISCONFIGURED if status == 303 else Verdict.DELIVERED
    assert report.verdict is expected, report
    assert len(sent) < 50


def test_the_deadline_holds_for_tls_in_the_tls_of_a_proxy(
    make: Make, monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext, trusted: str
) -> None:
    stop = threading.Event()

    def play(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        drip(connection, stop)

    with peer(play, tls=tls) as port, peer(tunnel, tls=tls) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"https://localhost:{proxy}")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", trusted)
        exporter = make(f"https://localhost:{port}/", certificate_file=trusted, timeout=0.5)
        patient = make(f"https://localhost:{port}/", certificate_file=trusted, timeout=60)
        calls = [start(partial(each.export_and_report, spans(1))) for each in (exporter, patient)]
        try:
            assert is_late(calls[0].result(timeout=10))
            patient.shutdown()
            assert calls[1].result(timeout=10) == SHUT_DOWN
        finally:
            stop.set()


def test_what_is_left_of_the_time_once_connected_is_for_the_handshake(
    make: Make, monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext, trusted: str
) -> None:
    """However many addresses the name has: only connecting is done for each of them."""
    resolve = socket.getaddrinfo

    def play(connection: socket.socket) -> None:
        time.sleep(0.3)  # a collector that is far away, or busy
        with tls.wrap_socket(connection, server_side=True) as secured:
            read_request(secured)
            secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with peer(play) as port:
        exporter = make(f"https://127.0.0.1:{port}/", certificate_file=trusted, timeout=10)
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: resolve(*args, **kwargs) * 100)
        assert exporter.export_and_report(spans(1)) == ExportReport(Verdict.DELIVERED)


def test_a_name_that_took_all_the_time_is_not_resolved_again(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved = []
    resolve = socket.getaddrinfo

    def resolve_late(*args: Any, **kwargs: Any) -> Any:
        resolved.append(args)
        threading.Event().wait(0.3)
        return resolve(*args, **kwargs)

    with serving() as server:
        exporter = make(server.url, timeout=0.1)
        monkeypatch.setattr(socket, "getaddrinfo", resolve_late)
        assert is_late(exporter.export_and_report(spans(1)))

    assert len(resolved) == 1


def test_a_shutdown_while_a_name_is_resolved(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving, go_on = threading.Event(), threading.Event()
    resolve = socket.getaddrinfo

    def wait(*args: Any, **kwargs: Any) -> Any:
        resolving.set()
        go_on.wait(20)
        return resolve(*args, **kwargs)

    with serving() as server:
        exporter = make(server.url)
        monkeypatch.setattr(socket, "getaddrinfo", wait)
        call = start(lambda: exporter.export_and_report(spans(1)))
        until(resolving.is_set)
        exporter.shutdown()
        go_on.set()
        assert call.result(timeout=20) == SHUT_DOWN_BEFORE
        assert server.requests == []


def test_a_shutdown_before_the_batch_is_sent(make: Make) -> None:
    class Batch(tuple[Any, ...]):
        def __getitem__(self, spans: Any) -> Any:
            exporter.shutdown()
            return super().__getitem__(spans)

    with serving() as server:
        exporter = make(server.url)
        assert exporter.export_and_report(Batch(spans(3))) == SHUT_DOWN_BEFORE
        assert server.requests == []


def test_a_socks_proxy_is_not_passed_by(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    greetings: list[bytes] = []

    def play(connection: socket.socket) -> None:
        greetings.append(connection.recv(3))

    with peer(play) as port, serving() as server:
        monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{port}")
        report = make(server.url).export_and_report(spans(1))
        assert server.requests == []

    assert report.verdict is Verdict.FAILED
    assert greetings[0][:1] == b"\x05"


def test_a_child_that_shuts_down_leaves_the_call_of_its_parent_alone(make: Make) -> None:
    """A shutdown of its copy of the socket would end the parent's connection."""
    arrived, go_on = threading.Event(), threading.Event()

    def wait(handler: Any) -> None:
        arrived.set()
        go_on.wait(20)
        answer(200)(handler)

    with serving(wait) as server:
        exporter = make(server.url, timeout=30)
        call = start(lambda: exporter.export_and_report(spans(1)))
        until(arrived.is_set)
        in_child(exporter.shutdown)
        go_on.set()

        assert call.result(timeout=20) == ExportReport(Verdict.DELIVERED)


def test_a_child_shuts_down_though_the_pools_of_its_parent_are_locked(make: Make) -> None:
    exporter = make("http://127.0.0.1:9/")
    with exporter._sender._poster._sessions.here.get_adapter("http://").poolmanager.pools.lock:  # type: ignore[attr-defined]
        # A reentrant lock is its holder's: the child has to ask from another thread, as in_child does.
        in_child(exporter.shutdown)


def test_connections_from_before_the_monkey_patch_are_left_behind(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One kept alive would hold the hub."""

    class Patched(socket.socket):
        pass

    with serving() as server:
        exporter = make(server.url)
        assert exporter.export(spans(1)) is SUCCESS
        monkeypatch.setattr(socket, "socket", Patched)
        assert exporter.export(spans(1)) is SUCCESS
        assert exporter.export(spans(1)) is SUCCESS
        assert [request.connection for request in server.requests] == [1, 2, 2]


def test_the_reason_is_of_the_export_and_not_of_the_application(make: Make) -> None:
    """An export while the application handles an error of its own."""
    with serving(answer(200), reset) as server, socket.socket() as held:
        exporter = make(server.url)
        exporter.export(spans(1))
        held.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{held.getsockname()[1]}"
        refusing = make(f"http://{place}/")
        try:
            raise KeyError("the application's")
        except KeyError:
            assert refusing.export_and_report(spans(1)).reason == f"connection refused by {place}"
            assert exporter.export_and_report(spans(1)).reason.startswith("connection reset by 127.0.0.1:")


@pytest.mark.parametrize(
    "value",
    [
        'ed, 21 Oct "2t015 07:28:00 -9999999999',
        "Mon, 1 Jan 99999 00:00:00 GMT",
        "Wed, 21 Oct 2015 07:28:00 +999999",
    ],
)
def test_a_retry_after_that_is_a_trap_is_none(make: Make, value: str) -> None:
    with serving(answer(503, Retry_After=value)) as server:
        report = make(server.url).export_and_report(spans(1))
    assert report == ExportReport(Verdict.FAILED, reason="HTTP 503", cause=Cause.BUSY)


def test_whatever_goes_wrong_is_a_failure(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("with a secret")

    with serving() as server:
        exporter = make(server.url)
        monkeypatch.setattr(http.Poster, "post", fail)
        report = exporter.export_and_report(spans(1))

    assert report.verdict is Verdict.FAILED
    assert report.reason.startswith("raised ZeroDivisionError in ")


def test_cookies_are_not_kept(make: Make) -> None:
    with serving(*[answer(200, Set_Cookie=f"c{number}=x; Path=/") for number in range(3)]) as server:
        exporter = make(server.url)
        for _ in range(3):
            assert exporter.export(spans(1)) is SUCCESS
        assert all("cookie" not in request.headers for request in server.requests)


@pytest.mark.parametrize("asked", [None, "Bearer mine"])
def test_a_netrc_file_does_not_replace_a_header(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asked: str | None
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password word\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with serving() as server:
        make(server.url, headers={"Authorization": asked} if asked else None).export(spans(1))
        assert server.requests[0].headers["authorization"] == (asked or "Basic dXNlcjp3b3Jk")


def test_what_a_session_says_of_itself_replaces_a_header(make: Make) -> None:
    """O4. A credential provider renews its token; the header is as old as the process."""

    class Renewed(requests.auth.AuthBase):
        def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers["authorization"] = "Bearer new"
            return request

    with serving() as server, requests.Session() as session:
        session.auth = Renewed()
        official = OTLPSpanExporter(server.url, session=session, headers={"authorization": "Bearer old"})
        ours = make(server.url, session=session, headers={"authorization": "Bearer old"})
        assert official.export(spans(1)) is ours.export(spans(1)) is SUCCESS

    assert [request.headers["authorization"] for request in server.requests] == ["Bearer new"] * 2


@pytest.mark.parametrize("absolute", [False, True])
def test_a_redirect_to_the_same_host_keeps_the_user_of_the_url(make: Make, absolute: bool) -> None:
    with serving() as server:
        target = f"{server.base}/there" if absolute else "/there"
        server.play(answer(307, Location=target))
        host = urllib.parse.urlsplit(server.base).netloc

        assert make(f"http://user:word@{host}/").export(spans(1)) is SUCCESS

        here, there = server.requests
        assert there.path == "/there"
        assert there.headers["authorization"] == here.headers["authorization"] == "Basic dXNlcjp3b3Jk"
