"""Every fault of a collector, and what else may listen there, each with its own diagnosis."""

from __future__ import annotations

import contextlib
import errno
import gzip
import http.client
import socket
import sys
import threading
from pathlib import Path

import pytest

from breaker_exporter._doctor.network import answers, protocols
from breaker_exporter._doctor.network import connection as reaching
from breaker_exporter._doctor.network import grpc as by_grpc
from breaker_exporter._doctor.report import Level
from breaker_exporter._doctor.settings.given import Given
from breaker_exporter._wiring.settings import Arguments
from breaker_exporter.otlp._signals import TRACES
from breaker_exporter.testing import Fault, FaultyCollector

from ..otlp._peer import drip, peer, tunnel
from ..otlp._server import answer, serving
from ._findings import asked, bad, in_force
from ._servers import Authority, full_port, read_and_close, relay, response, saying

DRIP, SLOW = {"interval": 0.05}, {"seconds": 0.1}
HTTP = {
    Fault.NONE: ([], {}),
    Fault.REFUSE: (["broken tcp-refused"], {}),
    Fault.BLACKHOLE: (["broken otlp-silent"], {}),
    Fault.DRIP: (["broken otlp-drips"], DRIP),
    Fault.RESET: (["broken otlp-reset"], {}),
    Fault.TAKEN_THEN_RESET: (["broken otlp-reset"], {}),
    Fault.TAKEN_THEN_CLOSED: (["broken otlp-no-answer"], {}),
    Fault.GOAWAY: (["broken otlp-no-answer"], {}),
    Fault.GARBAGE: (["broken otlp-garbage"], {}),
    Fault.SLOW: (["warning otlp-slow"], SLOW),
    Fault.STATUS: (["broken http-404"], {"status": 404}),
    Fault.TRUNCATED: (["broken otlp-truncated"], {}),
    Fault.PARTIAL_SUCCESS: (["warning otlp-partial"], {}),
    Fault.UNAVAILABLE: (["broken http-503"], {}),
    Fault.DEADLINE: (["broken http-504"], {}),
    Fault.RESOURCE_EXHAUSTED: (["broken http-429"], {}),
    Fault.TOO_LARGE: ([], {}),
}
GRPC = {
    **HTTP,
    Fault.TAKEN_THEN_CLOSED: (["broken otlp-truncated"], {}),
    Fault.GOAWAY: (["broken otlp-truncated"], {}),
    Fault.STATUS: (["broken grpc-unimplemented"], {"status": 404}),
    Fault.UNAVAILABLE: (["broken grpc-unavailable"], {}),
    Fault.DEADLINE: (["broken grpc-deadline-exceeded"], {}),
    Fault.RESOURCE_EXHAUSTED: (["broken grpc-resource-exhausted"], {}),
}


def tunnelling(connection: socket.socket) -> None:
    with contextlib.suppress(IndexError):  # the first connection is only a look
        tunnel(connection)


def at(port: int | str, scheme: str = "http", **more: str) -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"{scheme}://127.0.0.1:{port}", **more}


def by(protocol: str, collector: FaultyCollector) -> dict[str, str]:
    endpoint = collector.http_base if protocol == "http/protobuf" else collector.grpc_endpoint
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}


def test_each_fault_has_a_diagnosis_of_its_own() -> None:
    """Of an empty request the end is its middle: nobody can tell the two resets apart.

    Nor can anybody tell the ends in good order apart; and no limit is below an empty request.
    """
    for cases, alike in ((HTTP, 3), (GRPC, 4)):
        assert set(cases) == set(Fault)
        assert len({str(expected) for expected, _ in cases.values()}) == len(Fault) - alike


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_fault_is_told_from_all_others(
    collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch, protocol: str, fault: Fault
) -> None:
    monkeypatch.setattr(answers, "_SLOW", 0.05 if fault is Fault.SLOW else 5.0)
    expected, settings = (HTTP if protocol == "http/protobuf" else GRPC)[fault]
    collector.set_fault(fault, **settings)  # type: ignore[arg-type]
    patience = {"OTEL_EXPORTER_OTLP_TIMEOUT": "0.2" if fault in (Fault.BLACKHOLE, Fault.DRIP) else "3"}

    findings = asked({**by(protocol, collector), **patience})

    if fault in (Fault.TAKEN_THEN_RESET, Fault.TAKEN_THEN_CLOSED) and protocol == "grpc":
        # gRPC has two texts for it: that of the read or of the write, whichever meets the reset first.
        assert bad(findings) in (["broken otlp-reset"], ["broken otlp-truncated"])
    else:
        assert bad(findings) == expected
    assert all(finding.advice for finding in findings if finding.level is not Level.OK)
    assert all("\n" not in finding.text for finding in findings)
    if fault is Fault.NONE:
        assert findings[-1].check == "otlp"


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_good_answer_that_comes_when_the_exporter_has_given_up_is_no_good_one(
    collector: FaultyCollector, protocol: str
) -> None:
    collector.set_fault(Fault.SLOW, seconds=0.3)

    findings = asked({**by(protocol, collector), "OTEL_EXPORTER_OTLP_TIMEOUT": "0.1"})

    assert bad(findings) == ["broken otlp-too-slow"]


def test_an_answer_over_grpc_that_never_comes_is_silence(collector: FaultyCollector) -> None:
    """Here the connection itself is fine."""
    collector.set_fault(Fault.SLOW, seconds=30)

    findings = asked({**by("grpc", collector), "OTEL_EXPORTER_OTLP_TIMEOUT": "0.1"})

    assert bad(findings) == ["broken otlp-silent"]


@pytest.mark.parametrize("status", [300, 400, 401, 403, 405, 413, 415, 418, 426, 500, 502, 599])
def test_each_status_is_a_finding_of_its_own(collector: FaultyCollector, status: int) -> None:
    collector.set_fault(Fault.STATUS, status=status)

    (finding,) = [each for each in asked(by("http/protobuf", collector)) if each.level is not Level.OK]

    assert finding.check == f"http-{status}"
    assert finding.advice


@pytest.mark.parametrize("status", [400, 401, 403, 413, 500])
def test_each_grpc_status_is_a_finding_of_its_own(collector: FaultyCollector, status: int) -> None:
    collector.set_fault(Fault.STATUS, status=status)

    (finding,) = [each for each in asked(by("grpc", collector)) if each.level is not Level.OK]

    assert finding.check.startswith("grpc-")
    assert finding.advice


def test_what_it_asks_to_wait_is_told(collector: FaultyCollector) -> None:
    collector.set_fault(Fault.RESOURCE_EXHAUSTED, retry_after=30)

    assert "it asks to wait 30 s (Retry-After)" in asked(by("http/protobuf", collector))[-1].text


@pytest.mark.parametrize("compression", ["gzip", "deflate"])
def test_the_empty_request_goes_as_the_exporter_would_send_it(
    collector: FaultyCollector, compression: str
) -> None:
    more = {"OTEL_EXPORTER_OTLP_COMPRESSION": compression}

    assert bad(asked({**by("http/protobuf", collector), **more})) == []
    if compression == "gzip":
        assert bad(asked({**by("grpc", collector), **more})) == []
    assert collector.spans_received == 0


def test_headers_and_credentials_go_along() -> None:
    with serving() as server:
        place = server.base.removeprefix("http://")
        environ = {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://user:pass@{place}/otlp?team=shop",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-key=abc",
        }
        assert bad(asked(environ)) == []
        assert bad(asked({**environ, "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer%20abc"})) == []

    first, second = server.requests
    assert (first.path, first.body) == ("/otlp?team=shop", b"")
    assert first.headers["x-key"] == "abc"
    assert first.headers["authorization"] == "Basic dXNlcjpwYXNz"
    assert first.headers["content-type"] == "application/x-protobuf"
    assert second.headers["authorization"] == "Bearer abc"


def test_headers_that_no_request_can_have_are_told_as_the_start_tells_them(
    collector: FaultyCollector,
) -> None:
    header = {"OTEL_EXPORTER_OTLP_HEADERS": "x-key=abc%0Adef"}

    for protocol in ("http/protobuf", "grpc"):
        environ = {**by(protocol, collector), **header}
        (finding,) = [each for each in in_force(environ)[0] if each.check == "variable"]
        assert "OTEL_EXPORTER_OTLP_HEADERS: header 'x-key' can never be sent" in finding.text
        assert bad(asked(environ)) == []


def test_http_at_a_port_for_grpc_and_the_reverse(collector: FaultyCollector) -> None:
    http_port, grpc_port = (
        endpoint.rpartition(":")[2] for endpoint in (collector.http_base, collector.grpc_endpoint)
    )

    assert bad(asked(at(grpc_port))) == ["broken http-meets-grpc"]
    assert bad(asked(at(http_port, OTEL_EXPORTER_OTLP_PROTOCOL="grpc"))) == ["broken grpc-meets-http"]
    assert bad(asked(at(http_port, "https"))) == ["broken tls-not-spoken"]
    assert bad(asked(at(grpc_port, "https", OTEL_EXPORTER_OTLP_PROTOCOL="grpc"))) == ["broken tls-not-spoken"]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_plain_text_at_a_port_for_tls(tmp_path: Path, protocol: str) -> None:
    with peer(read_and_close, tls=Authority(tmp_path).context()) as port:
        assert bad(asked(at(port, OTEL_EXPORTER_OTLP_PROTOCOL=protocol))) == ["broken tls-wanted"]


def test_a_server_that_says_in_plain_text_that_it_wants_tls(tmp_path: Path) -> None:
    """As nginx and Go's servers do."""
    context = Authority(tmp_path).context()

    def play(connection: socket.socket) -> None:
        if connection.recv(1, socket.MSG_PEEK) == b"\x16":
            context.wrap_socket(connection, server_side=True).close()
        else:
            saying(response(400, b"The plain HTTP request was sent to HTTPS port"))(connection)

    with peer(play) as port:
        assert bad(asked(at(port))) == ["broken tls-wanted"]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_tls_is_verified_by_the_certificate_that_is_named(
    collector: FaultyCollector, tmp_path: Path, protocol: str
) -> None:
    authority = Authority(tmp_path)
    endpoint = by(protocol, collector)["OTEL_EXPORTER_OTLP_ENDPOINT"]
    more = {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    with peer(relay(int(endpoint.rpartition(":")[2])), tls=authority.context()) as port:
        named = {**more, "OTEL_EXPORTER_OTLP_CERTIFICATE": authority.file}
        findings = asked(at(port, "https", **named))
        unknown = asked(at(port, "https", **more))

    assert bad(findings) == []
    assert "tls" in [finding.check for finding in findings]
    assert bad(unknown) == ["broken tls-unknown-authority"]


def test_a_certificate_may_have_expired_or_be_for_another_host(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    trusted = {"REQUESTS_CA_BUNDLE": authority.file}
    for context, expected in (
        (authority.context(days=-1), "tls-expired"),
        (authority.context("other.example.org"), "tls-wrong-host"),
    ):
        with peer(saying(response(200)), tls=context) as port:
            findings = asked(at(port, "https", **trusted))
        assert bad(findings) == [f"broken {expected}"]
        assert "(REQUESTS_CA_BUNDLE)" in findings[-1].text


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_server_may_want_its_clients_certificate(
    collector: FaultyCollector, tmp_path: Path, protocol: str
) -> None:
    authority = Authority(tmp_path)
    port = int(by(protocol, collector)["OTEL_EXPORTER_OTLP_ENDPOINT"].rpartition(":")[2])
    shared = {"OTEL_EXPORTER_OTLP_CERTIFICATE": authority.file, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    ours = {
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": authority.client_certificate,
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": authority.client_key,
    }
    with peer(relay(port), tls=authority.context(wants_client=True)) as secured:
        without = asked(at(secured, "https", **shared))
        with_ours = asked(at(secured, "https", **shared, **ours))

    assert bad(without) == ["broken tls-client-certificate"]
    assert bad(with_ours) == []


def test_files_for_tls_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    with peer(read_and_close) as port:
        for name in ("OTEL_EXPORTER_OTLP_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"):
            for file in (tmp_path / "empty.pem", tmp_path / "missing.pem"):
                assert bad(asked(at(port, "https", **{name: str(file)}))) == ["broken tls-files"]


def test_a_directory_of_authorities_is_one_too(tmp_path: Path) -> None:
    with peer(saying(response(200)), tls=Authority(tmp_path).context()) as port:
        findings = asked(at(port, "https", OTEL_EXPORTER_OTLP_CERTIFICATE=str(tmp_path)))

    assert bad(findings) == ["broken tls-unknown-authority"]


def test_the_exporter_for_http_does_not_read_ssl_cert_file(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with peer(saying(response(200)), tls=authority.context()) as port:
        findings = asked(at(port, "https", SSL_CERT_FILE=authority.file))

    assert bad(findings) == ["warning ssl-cert-file", "broken tls-unknown-authority"]


def test_a_handshake_that_does_not_come_about() -> None:
    stop = threading.Event()

    def silent(connection: socket.socket) -> None:
        stop.wait(10)

    with peer(silent) as port:
        assert bad(asked(at(port, "https"), step=0.2)) == ["broken tls-silent"]
        stop.set()
    with peer(socket.socket.close) as port:
        assert bad(asked(at(port, "https"))) == ["broken tls-failed"]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_what_is_no_collector(protocol: str) -> None:
    more = {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    with peer(read_and_close) as port:
        assert bad(asked(at(port, **more))) == ["broken otlp-no-answer"]
    with peer(saying(b"220 mail.example.org ESMTP ready\r\n")) as port:
        assert bad(asked(at(port, **more))) == ["broken otlp-garbage"]
        assert bad(asked(at(port, "https", **more))) == ["broken tls-not-spoken"]


@pytest.mark.parametrize("cut", [b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\n"])
def test_an_answer_may_break_off_in_its_head(cut: bytes) -> None:
    with peer(saying(cut)) as port:
        assert bad(asked(at(port))) == ["broken otlp-truncated"]


def test_http2_may_break_off_after_its_first_frame() -> None:
    settings = b"\0\0\x06\x04\0\0\0\0\0" + b"\0\x03\0\0\0\x64"
    grpc = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    with peer(saying(settings)) as port:
        assert bad(asked(at(port, **grpc))) == ["broken otlp-truncated"]
    with peer(saying(settings + b"neither HTTP nor HTTP/2")) as port:
        assert bad(asked(at(port, **grpc))) == ["broken otlp-garbage"]


def test_a_greeting_that_drips_is_no_silence(
    collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_grpc, "_SLOW", 0.0)
    collector.set_fault(Fault.SLOW, seconds=30)

    findings = asked({**by("grpc", collector), "OTEL_EXPORTER_OTLP_TIMEOUT": "0.1"})

    assert bad(findings) == ["broken otlp-drips"]


def test_tls_without_the_exporters_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Python's own authorities then."""
    for name in ("urllib3.util.ssl_", "certifi"):
        monkeypatch.setitem(sys.modules, name, None)
    with peer(read_and_close, tls=Authority(tmp_path).context()) as port:
        assert bad(asked(at(port, "https"))) == ["broken tls-unknown-authority"]


def test_grpc_that_ends_before_it_answers(tmp_path: Path) -> None:
    """By TLS nothing else is asked for."""
    authority = Authority(tmp_path)
    more = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_CERTIFICATE": authority.file}
    with peer(saying(b""), tls=authority.context()) as port:
        assert bad(asked(at(port, "https", **more))) == ["broken otlp-no-answer"]


def test_http_by_tls_that_ends_before_it_answers(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with peer(read_and_close, tls=authority.context()) as port:
        findings = asked(at(port, "https", OTEL_EXPORTER_OTLP_CERTIFICATE=authority.file))

    assert bad(findings) == ["broken otlp-no-answer"]


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"<html>Hello</html>", "text/html; charset=utf-8", ["broken http-wrong-content"]),
        (b"<html>Hello</html>", "application/x-protobuf", ["broken http-wrong-content"]),
        (b"{}", "application/json", []),
        (b'{"partialSuccess": {}}', "application/json", []),
        (b'{"partial_success": {}}', "application/json", []),
        (b"", "application/json", []),
        (b'{"status": "ok"}', "application/json", ["warning http-wrong-content"]),
        (b'{"partialSuccess": {"rejectedSpans": "3"}}', "application/json", ["warning otlp-partial"]),
        (b"\xff\xff", "text/plain", ["broken http-wrong-content"]),
        (b"\xff\xff", "", ["broken http-wrong-content"]),
        (b"", "text/plain", []),
    ],
)
def test_an_answer_that_is_not_otlps(body: bytes, content_type: str, expected: list[str]) -> None:
    with serving(answer(200, body, content_type=content_type)) as server:
        assert bad(asked({"OTEL_EXPORTER_OTLP_ENDPOINT": server.base})) == expected


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"message": "ingest token expired"}', "application/json"),
        (b"ingest token expired\n", "text/plain"),
        (b"<html><title>ingest token expired</title></html>", "text/html"),
    ],
)
def test_the_words_of_a_refusal_are_told(body: bytes, content_type: str) -> None:
    with serving(answer(401, body, content_type=content_type)) as server:
        findings = asked({"OTEL_EXPORTER_OTLP_ENDPOINT": server.base})

    assert findings[-1].text == 'the collector\'s answer to spans is HTTP 401: "ingest token expired"'


def test_the_words_of_a_refusal_by_grpc_are_told(collector: FaultyCollector) -> None:
    collector.set_fault(Fault.STATUS, status=401)

    findings = asked(by("grpc", collector))

    assert findings[-1].text.startswith("the collector's answer to spans is UNAUTHENTICATED: \"")


def test_an_answer_without_end_is_none_of_ours() -> None:
    with serving(answer(200, b"x" * (1 << 17), content_type="text/plain")) as server:
        assert bad(asked({"OTEL_EXPORTER_OTLP_ENDPOINT": server.base})) == ["broken http-wrong-content"]


@pytest.mark.parametrize("content_type", ["application/x-protobuf", ""])
@pytest.mark.parametrize("encoding", ["gzip", "identity", "unknown"])
@pytest.mark.parametrize("body", [b'{"partialSuccess": {"rejectedSpans": "1"}}', b"\x0a\x02\x08\x01"])
def test_a_rejection_is_read_as_the_exporter_reads_it(content_type: str, encoding: str, body: bytes) -> None:
    packed = gzip.compress(body) if encoding == "gzip" else body
    with serving(answer(200, packed, Content_Type=content_type, Content_Encoding=encoding)) as server:
        findings = asked({"OTEL_EXPORTER_OTLP_ENDPOINT": server.base})
    assert bad(findings) == ["warning otlp-partial"]


def test_what_comes_before_the_final_answer_is_read_over() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
    with peer(saying(hints * 2 + response(200))) as port:
        assert bad(asked(at(port))) == []


def test_redirects_are_followed_as_far_as_the_exporter_does() -> None:
    with serving() as other:
        with serving(answer(307, location="/v1/traces/")) as server:
            here = asked({"OTEL_EXPORTER_OTLP_ENDPOINT": server.base})
        with serving(*[answer(308, location=other.url)] * 2) as server:
            abroad = asked(
                {"OTEL_EXPORTER_OTLP_ENDPOINT": server.base, "OTEL_EXPORTER_OTLP_HEADERS": "x-key=a"}
            )
        with serving(answer(303, location=other.url)) as server:
            unfollowed = asked({"OTEL_EXPORTER_OTLP_ENDPOINT": server.base})

    assert bad(here) == ["warning http-redirect"]
    assert here[-1].check == "otlp"
    assert bad(abroad) == ["broken http-redirect"]
    assert bad(unfollowed) == ["broken http-redirect"]
    assert other.requests == []


def test_redirects_that_lead_nowhere() -> None:
    with serving(*[answer(307, location="/again")] * 10) as server:
        findings = asked({"OTEL_EXPORTER_OTLP_ENDPOINT": server.base})

    assert bad(findings) == ["warning http-redirect", "broken otlp-not-reached"]
    assert "redirected more than" in findings[-1].text


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_a_proxy_is_told_and_used(
    collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    with peer(saying(response(407))) as port:
        monkeypatch.setenv("HTTP_PROXY", f"{scheme}127.0.0.1:{port}")
        findings = asked(by("http/protobuf", collector))
    assert bad(findings) == ["warning proxy", "broken http-407"]

    findings = asked(by("http/protobuf", collector))
    assert bad(findings) == ["warning proxy", "broken proxy-tcp-refused"]

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert bad(asked(by("http/protobuf", collector))) == []


def test_a_proxy_for_tls_is_one_to_the_collector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    more = {
        "OTEL_EXPORTER_OTLP_CERTIFICATE": authority.file,
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": authority.client_certificate,
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": authority.client_key,
    }
    with peer(tunnelling) as proxy, peer(saying(response(200)), tls=authority.context()) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy}")
        findings = asked(at(port, "https", **more))

    assert bad(findings) == ["warning proxy"]


def test_a_proxy_whose_port_is_none(collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:port")

    assert bad(asked(by("http/protobuf", collector))) == ["warning proxy", "broken proxy-malformed"]


def test_a_proxy_for_grpc_is_told_and_used(
    collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = by("grpc", collector)
    with peer(tunnelling) as port:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        findings = asked({**environ, "http_proxy": f"http://127.0.0.1:{port}"})
    assert bad(findings) == []
    assert findings[0].check == "proxy"

    refusing = {**environ, "grpc_proxy": "http://127.0.0.1:1"}
    assert bad(asked(refusing)) == ["broken proxy-tcp-refused"]
    monkeypatch.delenv("http_proxy")
    assert bad(asked({**refusing, "no_proxy": "example.org,127.0.0.1"})) == []
    assert bad(asked({**refusing, "no_grpc_proxy": "example.org"})) == ["broken proxy-tcp-refused"]


def test_a_proxy_elsewhere_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    with peer(saying(response(200))) as port:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        findings = asked({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example.org:4318"})

    assert bad(findings) == []
    assert [finding.check for finding in findings] == ["proxy", "proxy-dns", "proxy-tcp", "otlp"]


def test_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(error: Exception) -> None:
        def fail(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(socket, "getaddrinfo", fail)

    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
    failing(socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    assert bad(asked(environ)) == ["broken dns-unknown-name"]
    assert "a short name" in asked(environ)[-1].advice
    failing(UnicodeError("label too long"))
    findings = asked({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example.org"})
    assert bad(findings) == ["broken dns-unknown-name"]
    assert "a short name" not in findings[-1].advice
    failing(socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"))
    assert bad(asked(environ)) == ["broken dns-unavailable"]


def test_a_name_that_takes_its_time(collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "_SLOW", -1.0)
    assert bad(asked(by("http/protobuf", collector))) == []  # an address, for which no resolver is asked
    named = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base.replace("127.0.0.1", "localhost")}
    assert bad(asked(named)) == ["warning dns-slow"]

    stop = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: stop.wait(10))
    assert bad(asked(by("http/protobuf", collector), step=0.05)) == ["broken dns-timeout"]
    stop.set()


def test_a_port_that_does_not_answer() -> None:
    with full_port() as port:
        assert bad(asked(at(port), step=0.2)) == ["broken tcp-timeout"]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EHOSTUNREACH, "tcp-unreachable"),
        (errno.ENETUNREACH, "tcp-unreachable"),
        (errno.EACCES, "tcp-failed"),
    ],
)
def test_an_address_without_a_way_there(monkeypatch: pytest.MonkeyPatch, number: int, expected: str) -> None:
    class Unconnected(socket.socket):
        def connect(self, address: object) -> None:
            raise OSError(number, "no way")

    monkeypatch.setattr(socket, "socket", Unconnected)

    assert bad(asked(at(4318))) == [f"broken {expected}"]


def test_one_address_of_several_may_fail(collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    port = int(collector.http_base.rpartition(":")[2])
    with full_port() as full:
        others = [("127.0.0.1", full), ("127.0.0.1", 1), ("127.0.0.1", port)]
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, 1, 6, "", each) for each in others]
        )
        findings = asked(at(port), step=0.3)

    assert bad(findings) == ["warning tcp-one-address-fails"]
    assert [each.check for each in findings].count("tcp-one-address-fails") == 2


@pytest.mark.parametrize(
    ("endpoint", "protocol", "hint"),
    [
        ("http://127.0.0.1:4317", "http/protobuf", "4317 is usually the port for gRPC, and HTTP has 4318"),
        ("http://127.0.0.1:4318", "grpc", "4318 is usually the port for HTTP, and gRPC has 4317"),
        ("http://127.0.0.1", "http/protobuf", "collectors usually take HTTP on 4318"),
        ("http://127.0.0.1:1", "http/protobuf", "in a container, localhost is the container itself"),
        ("http://127.0.0.2:1", "http/protobuf", ""),
    ],
)
def test_a_port_that_refuses_is_looked_at(endpoint: str, protocol: str, hint: str) -> None:
    finding = asked({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol})[-1]

    assert finding.check == "tcp-refused"
    assert finding.advice.endswith(hint)


def test_what_was_given_in_code_is_asked(collector: FaultyCollector) -> None:
    given = Given(Arguments(endpoint=collector.http_base, headers={"X-Key": "abc"}))
    assert bad(asked({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, given)) == []
    given = Given(Arguments(endpoint=collector.grpc_endpoint, protocol="grpc", headers={"X-Key": "abc"}))
    assert bad(asked({}, given)) == []


@pytest.mark.parametrize(
    ("endpoint", "insecure", "expected"),
    [
        ("http://127.0.0.1/v1/traces", None, ["grpc-endpoint-path", "grpc-endpoint-port", "tcp-refused"]),
        ("127.0.0.1:1", None, ["tcp-refused"]),
        ("[::1]", "true", ["tcp-refused"]),
        ("dns:///127.0.0.1:1", None, ["tcp-refused"]),
        ("unix:///nothing/here.sock", "true", ["grpc-no-connection"]),
        ("127.0.0.1:port", "false", ["grpc-no-connection"]),
    ],
)
def test_an_endpoint_as_grpc_takes_it(endpoint: str, insecure: str | None, expected: list[str]) -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    if insecure:
        environ["OTEL_EXPORTER_OTLP_INSECURE"] = insecure

    found = [each.split()[1] for each in bad(asked(environ))]
    assert found == expected


def test_without_scheme_grpc_means_tls_unless_a_variable_says_otherwise(collector: FaultyCollector) -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.grpc_endpoint.removeprefix("http://"),
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    }

    findings = asked(environ)
    assert bad(findings) == ["broken tls-not-spoken"]
    assert "OTEL_EXPORTER_OTLP_INSECURE=true" in findings[-1].advice
    assert bad(asked({**environ, "OTEL_EXPORTER_OTLP_TRACES_INSECURE": "true"})) == []


def test_both_protocols_are_asked_where_both_are_used(collector: FaultyCollector) -> None:
    environ = {
        "OTEL_TRACES_EXPORTER": "otlp_proto_grpc,otlp_proto_http",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base,
    }
    assert bad(asked(environ)) == ["broken grpc-meets-http"]


def test_drips_that_never_begin_a_line_are_drips_too() -> None:
    stop = threading.Event()
    with peer(lambda connection: drip(connection, stop)) as port:
        assert bad(asked(at(port, OTEL_EXPORTER_OTLP_TIMEOUT="0.2"))) == ["broken otlp-drips"]
        stop.set()


def test_a_path_that_http_does_not_allow(collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise http.client.InvalidURL

    monkeypatch.setattr(http.client.HTTPConnection, "putrequest", refuse)
    assert bad(asked(by("http/protobuf", collector))) == ["broken headers-unusable"]


HTTP2_SETTINGS = b"\0\0\0\x04\0\0\0\0\0"
PING = b"\0\0\x08\x06\0\0\0\0\0" + b"pingpong"


@pytest.mark.parametrize(
    ("protocol", "first", "again"),
    [
        ("http/protobuf", b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ("http/protobuf", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"x: y\r\n"),
        ("http/protobuf", b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
        ("grpc", HTTP2_SETTINGS, PING),
    ],
)
def test_an_answer_that_floods_is_given_up(protocol: str, first: bytes, again: bytes) -> None:
    def flood(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(first)
        while True:
            connection.sendall(again * 1000)

    with peer(flood) as port:
        findings = asked(at(port, OTEL_EXPORTER_OTLP_PROTOCOL=protocol))

    assert bad(findings) == ["broken otlp-garbage"]
    assert "has no end" in findings[-1].text


def test_once_the_deadline_is_over_nothing_is_read() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"more")

        assert protocols.greet(ours, 0.0) == (b"", protocols.Ending.TIME_OVER)


def test_a_greeting_may_come_in_pieces() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(HTTP2_SETTINGS + PING[:12])
        rest = threading.Timer(0.1, theirs.sendall, [PING[12:] + b"\0\0\0\x04\x01\0\0\0\0"])
        rest.start()
        greeting, ending = protocols.greet(ours, 5.0)
        rest.join()

    assert ending is protocols.Ending.GREETED
    assert len(greeting) == 2 * len(HTTP2_SETTINGS) + len(PING)


@pytest.mark.parametrize("location", ["http://127.0.0.1:port/v1/traces", "http://[collector/v1", "//[x"])
def test_a_redirect_to_what_is_no_address(location: str) -> None:
    with peer(saying(response(307, Location=location))) as port:
        findings = asked(at(port))

    assert bad(findings) == ["broken http-redirect"]
    assert "which is no address" in findings[-1].text


@pytest.mark.parametrize("proxy", ["http://[::1:3128", "http://:3128", "http://user:canary5ecret@[x"])
def test_a_proxy_that_is_no_address(
    collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    findings = asked(by("http/protobuf", collector))
    by_grpc = asked({**by("grpc", collector), "grpc_proxy": proxy})

    assert bad(findings) == ["warning proxy", "broken proxy-malformed"]
    assert bad(by_grpc) == ["broken proxy-malformed"]
    assert "canary5ecret" not in str(findings + by_grpc)


@pytest.mark.parametrize("name", ["missing.pem", ""])
def test_files_for_tls_that_grpc_does_not_take(tmp_path: Path, name: str) -> None:
    """Where no handshake comes before."""
    more = {
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "unix:///nothing/here.sock",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(tmp_path / name),
    }

    assert bad(asked(more))[-1] == "broken tls-files"


@pytest.mark.parametrize("port", [0, 65536, 99999])
def test_a_number_that_is_no_port(port: int) -> None:
    """Without a scheme, gRPC's endpoint is looked at by nobody before."""
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"127.0.0.1:{port}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_INSECURE": "true",
    }
    findings = asked(environ)

    assert bad(findings) == ["broken port"]
    assert findings[-1].text == f"{port} is no port"


@pytest.mark.parametrize(
    ("code", "details", "expected"),
    [
        ("UNAVAILABLE", "backend: read tcp 10.0.0.1:5: connection reset by peer", "grpc-unavailable"),
        ("UNAVAILABLE", "exporter: name resolution failure", "grpc-unavailable"),
        ("UNAVAILABLE", "backend: socket closed", "grpc-unavailable"),
        ("INTERNAL", "exporter: cannot load resource metadata", "grpc-internal"),
        ("UNAVAILABLE", "Stream removed (recvmsg:Connection reset by peer (104))", "otlp-reset"),
        ("UNAVAILABLE", "recvmsg:Connection reset by peer", "otlp-reset"),
        ("UNAVAILABLE", "Connection reset by peer", "otlp-reset"),
        ("UNAVAILABLE", "Stream removed (Socket closed)", "otlp-truncated"),
        ("UNAVAILABLE", "Socket closed", "otlp-truncated"),
        ("INTERNAL", "Invalid metadata", "headers-unusable"),
        ("UNAVAILABLE", "failed to connect to all addresses; last error: x", "grpc-no-connection"),
        ("UNAVAILABLE", "errors resolving collector:port: [x]", "grpc-no-connection"),
        ("UNAVAILABLE", "DNS resolution failed for collector:4317: x", "grpc-no-connection"),
        ("UNAVAILABLE", None, "grpc-unavailable"),
    ],
)
def test_words_of_a_server_are_not_taken_for_those_of_grpc(
    code: str, details: str | None, expected: str
) -> None:
    assert answers.of_grpc_failure(code, details or "", "collector:4317", TRACES).check == expected
