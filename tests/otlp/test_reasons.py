"""Why there was no answer, in the words of the system, with host and port; and how a name is asked for."""

from __future__ import annotations

import errno
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import trustme
from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter import ExportReport, Verdict

from ..semantics._spans import spans
from ._peer import peer, read_request
from ._server import Make, serving

pytestmark = pytest.mark.usefixtures("no_variables_from_outside")

SUCCESS = SpanExportResult.SUCCESS
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Names:
    """A resolver: each name is this machine, which the questions go past."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self._resolve = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._answer)

    def _answer(self, host: str, *args: Any, **kwargs: Any) -> Any:
        self.asked.append(host)
        return self._resolve("127.0.0.1", *args, **kwargs)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("collector.obs.svc.cluster.local.", "collector.obs.svc.cluster.local."),
        ("collector.test", "collector.test"),
        ("user:word@Collector.TEST.", "collector.test."),
    ],
)
def test_a_connection_asks_once_and_for_the_name_as_given(
    make: Make, names: Names, host: str, asked: str
) -> None:
    """Without its trailing dot it would be looked for in each search domain, which takes seconds."""
    with serving() as server:
        port = server.base.rpartition(":")[2]
        exporter = make(f"http://{host}:{port}/v1/traces")
        names.asked.clear()
        assert exporter.export(spans(1)) is SUCCESS
        assert exporter.export(spans(1)) is SUCCESS

    assert names.asked == [asked]


def test_the_dot_is_not_in_what_tls_asks_for(
    make: Make, names: Names, authority: trustme.CA, trusted: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("collector.test").configure_cert(context)
    wanted: list[str | None] = []
    context.sni_callback = lambda connection, name, context: wanted.append(name)
    heads: list[bytes] = []

    def play(connection: socket.socket) -> None:
        heads.append(read_request(connection))
        connection.sendall(GOOD)

    with peer(play, tls=context) as port:
        exporter = make(f"https://collector.test.:{port}/", certificate_file=trusted)
        names.asked.clear()
        assert exporter.export_and_report(spans(1)) == ExportReport(Verdict.DELIVERED)

    assert (names.asked, wanted) == (["collector.test."], ["collector.test"])
    assert f"Host: collector.test:{port}\r\n".encode() in heads[0]


def test_a_name_that_is_not_resolved_is_told_with_its_dot(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    exporter = make("http://nowhere.test.:4318")
    monkeypatch.setattr(socket, "getaddrinfo", fail)
    reason = exporter.export_and_report(spans(1)).reason
    assert reason == "the name of nowhere.test.:4318 cannot be resolved: Name or service not known"


@pytest.mark.parametrize("number", [errno.ECONNRESET, errno.EPIPE])
def test_a_connection_that_is_reset_while_it_is_made(
    make: Make, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """urllib3 takes it for the end of a request, whose answer may be there."""

    class Reset(socket.socket):
        def connect(self, address: object) -> None:
            raise OSError(number, "as the system says it")

    exporter = make("http://127.0.0.1:4318")
    monkeypatch.setattr(socket, "socket", Reset)
    reason = exporter.export_and_report(spans(1)).reason
    assert reason == "connection reset by 127.0.0.1:4318 before anything was sent"


CUT = "connection closed by {place} in the middle of its answer"
NO_HTTP = "the answer of {place} is not HTTP (InvalidHeader)"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"HTTP/1.1 200", CUT),
        (b"HTTP/1.1 200 OK\r\nContent-Ty", CUT),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", CUT),
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n", CUT),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", CUT),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 0, 9\r\n\r\n",
            NO_HTTP,
        ),
    ],
)
def test_an_answer_that_is_cut_off_or_makes_no_sense_is_none(make: Make, said: bytes, reason: str) -> None:
    """A head that ends with its connection too: what was to come may have been a rejection."""

    def play(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(said)

    with peer(play) as port:
        report = make(f"http://127.0.0.1:{port}/").export_and_report(spans(1))
    assert report == ExportReport(Verdict.FAILED, reason=reason.format(place=f"127.0.0.1:{port}"))


def test_each_address_is_tried(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        good = (*kind, ("127.0.0.1", int(server.base.rpartition(":")[2])))
        exporter = make("http://several.test:4318/v1/traces")
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(*kind, free.getsockname()), good])
        assert exporter.export(spans(1)) is SUCCESS


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service not known"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "Temporary failure"),
    ],
)
def test_a_name_that_cannot_be_resolved_is_told_as_the_system_does(
    make: Make, monkeypatch: pytest.MonkeyPatch, error: Exception, says: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    exporter = make("http://nowhere.test:4318")
    monkeypatch.setattr(socket, "getaddrinfo", fail)

    reason = exporter.export_and_report(spans(1)).reason

    assert reason.startswith(f"the name of nowhere.test:4318 cannot be resolved: {says}")


def test_a_name_without_addresses(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = make("http://nowhere.test:4318")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])
    reason = exporter.export_and_report(spans(1)).reason
    assert reason == "no connection to nowhere.test:4318: the name has no address"


@pytest.mark.parametrize("number", [errno.EHOSTUNREACH, errno.ENETUNREACH])
def test_no_way_to_a_host_is_told_as_the_system_does(
    make: Make, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    class Unreachable(socket.socket):
        def connect(self, address: object) -> None:
            raise OSError(number, "No route to host")

    exporter = make("http://[::1]:4318")
    monkeypatch.setattr(socket, "socket", Unreachable)
    assert exporter.export_and_report(spans(1)).reason == "no connection to [::1]:4318: No route to host"


def test_a_certificate_that_is_not_trusted(make: Make, tls: ssl.SSLContext) -> None:
    with peer(lambda _: None, tls=tls) as port:
        reason = make(f"https://localhost:{port}/").export_and_report(spans(1)).reason
    assert reason.startswith(f"TLS with localhost:{port}: ")
    assert "unable to get local issuer certificate" in reason


def test_a_certificate_that_expired(make: Make, authority: trustme.CA, trusted: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    past = datetime(2000, 1, 1, tzinfo=UTC)
    authority.issue_cert("localhost", not_before=past, not_after=past + timedelta(1)).configure_cert(context)
    with peer(lambda _: None, tls=context) as port:
        exporter = make(f"https://localhost:{port}/", certificate_file=trusted)
        reason = exporter.export_and_report(spans(1)).reason
    assert reason == f"TLS with localhost:{port}: certificate has expired"


def test_a_certificate_for_another_name(make: Make, authority: trustme.CA, trusted: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.test").configure_cert(context)
    with peer(lambda _: None, tls=context) as port:
        reason = (
            make(f"https://localhost:{port}/", certificate_file=trusted).export_and_report(spans(1)).reason
        )
    assert reason.startswith(f"TLS with localhost:{port}: Hostname mismatch")


def test_a_port_that_does_not_speak_tls(make: Make) -> None:
    with serving() as server:
        place = server.base.removeprefix("http://")
        reason = make(f"https://{place}/").export_and_report(spans(1)).reason
    assert reason == f"TLS with {place}: wrong version number"


def test_a_proxy_is_named_where_it_is_to_blame(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:s3cret@{place}")
        reason = make("https://collector.test/").export_and_report(spans(1)).reason
    assert reason == f"by a proxy: connection refused by {place}"


def test_what_a_proxy_says_goes_along(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def play(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")

    with peer(play) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        reason = make("https://collector.test/").export_and_report(spans(1)).reason
    assert reason.startswith(
        f"by a proxy: no answer from 127.0.0.1:{port}: Tunnel connection failed: 407 Proxy"
    )


@pytest.mark.parametrize("given", [False, True])
def test_the_time_that_was_waited_for_an_answer_is_said(make: Make, given: bool) -> None:
    go_on = threading.Event()
    with serving(lambda _: go_on.wait(30)) as server, requests.Session() as session:  # type: ignore[arg-type]
        place = server.base.removeprefix("http://")
        exporter = make(server.url, timeout=1, session=session if given else None)
        assert exporter.export_and_report(spans(1)).reason == f"no answer from {place} in 1 s"
        go_on.set()


@pytest.mark.parametrize(("given", "seconds"), [(False, 0.25), (True, 0.25)])
def test_a_connection_that_does_not_come_about_is_no_missing_answer(
    make: Make, given: bool, seconds: float
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, requests.Session() as session:
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]  # nobody accepts: further connections get no answer
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        exporter = make(f"http://127.0.0.1:{port}/", timeout=seconds, session=session if given else None)
        reason = exporter.export_and_report(spans(1)).reason
        for filler in fillers:
            filler.close()
    assert reason == f"no connection to 127.0.0.1:{port} in {seconds} s"


def test_a_handshake_that_hangs_is_no_missing_answer(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        reason = make(f"https://{place}/", timeout=1).export_and_report(spans(1)).reason
    assert reason == f"{place} took the connection, and was not ready for a request in 1 s (TLS, proxy)"


def test_an_error_that_only_has_a_type_is_named_by_it(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("with a s3cret")

    exporter = make("http://collector.test:4318")
    monkeypatch.setattr(socket, "getaddrinfo", fail)
    reason = exporter.export_and_report(spans(1)).reason
    assert reason == "no answer from collector.test:4318: ZeroDivisionError"


def test_no_reason_holds_a_secret_of_the_endpoint(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """G4. A certificate file of that name does not exist, and requests says so."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", "/hunter2-query/ca.pem")
    exporter = make("https://127.0.0.1:9/?key=hunter2-query")
    reason = exporter.export_and_report(spans(1)).reason
    assert reason.endswith("invalid path: /***/ca.pem")
