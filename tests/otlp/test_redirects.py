"""O6: which redirects are followed, and what goes along."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import trustme
from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter import ExportReport, Verdict
from breaker_exporter._core.report import Cause

from ..semantics._spans import spans
from ._peer import hand_on, peer, read_request
from ._server import Make, answer, serving

pytestmark = pytest.mark.usefixtures("no_variables_from_outside")

SUCCESS = SpanExportResult.SUCCESS


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("location", ["/there", "there", "{base}/there", "{upper}/there", "//{host}/there"])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_the_same_origin_is_followed_with_body_and_headers(
    make: Make, status: int, location: str, given: bool
) -> None:
    """O6."""
    with serving() as server, requests.Session() as session:
        host = server.base.removeprefix("http://")
        target = location.format(base=server.base, upper=f"HTTP://{host}", host=host)
        server.play(answer(status, Location=target))
        exporter = make(
            f"{server.base}/here", headers={"x-key": "s3cret"}, session=session if given else None
        )

        assert exporter.export(spans(1)) is SUCCESS

        first, second = server.requests
        assert second.path == "/there"
        assert (second.body, second.headers["x-key"]) == (first.body, "s3cret")


@pytest.mark.parametrize("given", [False, True])
def test_a_redirect_to_another_host_is_not_followed_and_named(make: Make, given: bool) -> None:
    """O6. Another port is another host: it may be another's."""
    with serving() as other, serving() as server, requests.Session() as session:
        there = other.base.replace("http://", "http://user:s3cret@")
        server.play(answer(307, Location=f"{there}/path?key=s3cret"))
        exporter = make(server.url, session=session if given else None)

        report = exporter.export_and_report(spans(1))

        assert other.requests == []
    assert report == ExportReport(
        Verdict.MISCONFIGURED,
        reason=f"HTTP 307: redirected to {other.base}, which is not followed: look at the endpoint",
        cause=Cause.ANSWERED,
    )


@pytest.mark.parametrize(
    ("status", "location", "says"),
    [
        (300, "/v1/traces", "redirected to {base}"),
        (303, "/v1/traces", "redirected to {base}"),
        (307, "ftp://127.0.0.1/path", "redirected to ftp://127.0.0.1,"),
        (307, "https://{host}/v1/traces", "redirected to https://{host}"),
        (307, "http://{host}:80@other.test/", "redirected to http://other.test:80,"),
        (307, "http://b\xfccher.test", "redirected to http://b"),
        (307, "http://[::1]/", "redirected to http://[::1]:80,"),
        (307, "http://[::1", "redirected to http://[::1, which is no address"),
        (307, f"http://{'x' * 30_000}/", "redirected to ..."),
        (307, "http://host:port/", "redirected to http://host:port/, which is no address"),
    ],
)
def test_whatever_else_a_redirect_asks_for_is_not_done(
    make: Make, status: int, location: str, says: str
) -> None:
    with serving() as server:
        host = server.base.removeprefix("http://")
        server.play(answer(status, Location=location.format(host=host)))

        report = make(server.url).export_and_report(spans(1))

        assert len(server.requests) == 1
    assert report.verdict is Verdict.MISCONFIGURED
    assert says.format(base=server.base, host=host) in report.reason


@pytest.mark.parametrize(
    ("host", "target"),
    [
        ("b\xfccher.test", "xn--bcher-kva.test"),
        ("xn--bcher-kva.test", "b\xfccher.test"),
        ("xn--bcher-kva.test", "b\xc3\xbccher.test"),  # in UTF-8, as it goes over the wire
        ("[::1]", "[0:0::1]"),
    ],
)
def test_a_name_in_another_spelling_is_the_same_host(
    make: Make, monkeypatch: pytest.MonkeyPatch, host: str, target: str
) -> None:
    resolve = socket.getaddrinfo
    with serving() as server:
        port = server.base.rpartition(":")[2]
        server.play(answer(307, Location=f"http://{target}:{port}/there"))
        exporter = make(f"http://{host}:{port}/here")
        monkeypatch.setattr(socket, "getaddrinfo", lambda _, *args: resolve("127.0.0.1", *args))
        assert exporter.export_and_report(spans(1)) == ExportReport(Verdict.DELIVERED)
        assert server.requests[1].path == "/there"


def test_a_name_that_one_reads_in_two_ways_is_the_endpoints_own(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old rule makes "ss" of the letter that a newer one keeps: credentials go to the endpoint."""
    asked = []
    resolve = socket.getaddrinfo

    def note(host: str, *args: int) -> object:
        asked.append(host)
        return resolve("127.0.0.1", *args)

    with serving() as server:
        port = server.base.rpartition(":")[2]
        server.play(answer(307, Location=f"http://fa\xdf.test:{port}/there"))
        exporter = make(f"http://fass.test:{port}/here")
        monkeypatch.setattr(socket, "getaddrinfo", note)
        exporter.export_and_report(spans(1))
    assert set(asked) == {"fass.test"}


def test_redirects_without_end_are_given_up(make: Make) -> None:
    with serving(*[answer(307, Location="/v1/traces")] * 20) as server:
        report = make(server.url).export_and_report(spans(1))

        reason = "redirected more than 5 times"
        assert report == ExportReport(Verdict.FAILED, reason=reason, cause=Cause.ANSWERED)
        assert len(server.requests) == 5


@pytest.fixture
def client(authority: trustme.CA, tmp_path: Path) -> dict[str, str]:
    """A client's certificate, as arguments."""
    made = authority.issue_cert("client.test")
    made.private_key_pem.write_to_path(str(tmp_path / "client.key"))
    made.cert_chain_pems[0].write_to_path(str(tmp_path / "client.pem"))
    return {
        "client_key_file": str(tmp_path / "client.key"),
        "client_certificate_file": str(tmp_path / "client.pem"),
    }


class Secured:
    """``https://collector.test``, which takes a client's certificate, and answers as a script says."""

    def __init__(self, authority: trustme.CA, *script: str) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("collector.test").configure_cert(self.context)
        authority.configure_trust(self.context)
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.heads: list[str] = []
        self.certificates: list[bool] = []
        self._script = list(script)

    def play(self, connection: socket.socket) -> None:
        assert isinstance(connection, ssl.SSLSocket)
        self.certificates.append(connection.getpeercert() is not None)
        while head := read_request(connection):
            self.heads.append(head.decode())
            target = self._script.pop(0) if self._script else ""
            first = f"307 Temporary Redirect\r\nLocation: {target}" if target else "200 OK"
            connection.sendall(f"HTTP/1.1 {first}\r\nContent-Length: 0\r\n\r\n".encode())


@contextlib.contextmanager
def proxied(secured: Secured, plain: bytes = b"") -> Iterator[tuple[str, list[str]]]:
    """A proxy by which each host is that one, with the targets it was asked for; `plain` answers a POST."""
    asked: list[str] = []

    with peer(secured.play, tls=secured.context) as port:

        def play(connection: socket.socket) -> None:
            while head := read_request(connection):
                method, target, _ = head.decode().split(None, 2)
                asked.append(target)
                if method == "CONNECT":
                    with socket.create_connection(("127.0.0.1", port)) as onward:
                        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                        hand_on(connection, onward)
                    return
                connection.sendall(plain)

        with peer(play) as proxy:
            yield f"http://127.0.0.1:{proxy}", asked


@pytest.mark.parametrize(
    ("endpoint", "location"),
    [
        ("https://collector.test/here", "https://collector.test:443/there"),
        ("https://collector.test:443/here", "https://collector.test/there"),
        ("https://collector.test/here", "HTTPS://COLLECTOR.TEST/there"),
        ("https://Collector.TEST/here", "https://collector.test./there"),
    ],
)
def test_the_same_origin_in_other_words_gets_credentials_and_certificate(
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
    authority: trustme.CA,
    trusted: str,
    client: dict[str, str],
    endpoint: str,
    location: str,
) -> None:
    """O6."""
    secured = Secured(authority, location)
    with proxied(secured) as (proxy, _):
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        exporter = make(endpoint, headers={"x-key": "s3cret"}, certificate_file=trusted, **client)
        assert exporter.export_and_report(spans(1)) == ExportReport(Verdict.DELIVERED)

    assert [head.split()[1] for head in secured.heads] == ["/here", "/there"]
    assert all("s3cret" in head for head in secured.heads)
    assert all(secured.certificates)


@pytest.mark.parametrize(
    "endpoint", ["http://user:word@collector.test/here", "http://collector.test:80/here"]
)
def test_http_to_https_on_the_same_host_is_followed(
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
    authority: trustme.CA,
    trusted: str,
    client: dict[str, str],
    endpoint: str,
) -> None:
    """O6."""
    secured = Secured(authority, "/again")
    redirect = b"HTTP/1.1 301 Moved\r\nLocation: https://collector.test/there\r\nContent-Length: 0\r\n\r\n"
    with proxied(secured, redirect) as (proxy, asked):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        exporter = make(endpoint, headers={"x-key": "s3cret"}, certificate_file=trusted, **client)
        assert exporter.export_and_report(spans(1)) == ExportReport(Verdict.DELIVERED)

    assert asked[0].endswith("/here")
    assert set(asked[1:]) == {"collector.test:443"}
    assert [head.split()[1] for head in secured.heads] == ["/there", "/again"]
    assert all("x-key: s3cret" in head for head in secured.heads)
    assert all(("Basic dXNlcjp3b3Jk" in head) == ("user" in endpoint) for head in secured.heads)
    assert all(secured.certificates)


@pytest.mark.parametrize(
    "location",
    ["http://collector.test/there", "https://other.test/there", "https://collector.test:444/there"],
)
def test_a_client_certificate_is_shown_to_no_other_host(
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
    authority: trustme.CA,
    trusted: str,
    client: dict[str, str],
    location: str,
) -> None:
    """O6. And https never becomes http."""
    secured = Secured(authority, location)
    with proxied(secured, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (proxy, asked):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        exporter = make("https://collector.test/here", certificate_file=trusted, **client)
        report = exporter.export_and_report(spans(1))

    assert report.verdict is Verdict.MISCONFIGURED
    assert location.removesuffix("/there") in report.reason
    assert asked == ["collector.test:443"]
