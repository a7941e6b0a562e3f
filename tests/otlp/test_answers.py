"""Answers in all their forms: rejected items, warnings, errors in words, pages, early hints."""

from __future__ import annotations

import gzip
import json
import socket
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import requests
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from breaker_exporter import ExportReport, Verdict
from breaker_exporter._core.report import Cause

from ..semantics._spans import spans
from ._peer import peer, read_request
from ._server import Make, answer, serving

pytestmark = pytest.mark.usefixtures("no_variables_from_outside")

DELIVERED = ExportReport(Verdict.DELIVERED)
JSON, PROTOBUF, HTML = "application/json", "application/x-protobuf", "text/html; charset=utf-8"


def partial(rejected: int, message: str = "") -> bytes:
    told = ExportTracePartialSuccess(rejected_spans=rejected, error_message=message)
    return ExportTraceServiceResponse(partial_success=told).SerializeToString()


def bare_deflate(body: bytes) -> bytes:
    packed = zlib.compressobj(wbits=-15)
    return packed.compress(body) + packed.flush()


@pytest.mark.parametrize(
    "told",
    [
        {"partialSuccess": {"rejectedSpans": "2", "errorMessage": "quota used up"}},
        {"partialSuccess": {"rejectedSpans": 2, "errorMessage": "quota used up"}},
        {"partial_success": {"rejected_spans": "2", "error_message": "quota used up"}},
        {"partial_success": {"rejected_spans": 2.0, "error_message": "quota used up"}, "more": []},
        {"partialSuccess": {"rejectedLogRecords": "2", "errorMessage": "quota used up"}},
        {"partial_success": {"rejected_data_points": 2, "error_message": "quota used up"}},
    ],
)
@pytest.mark.parametrize("content_type", [JSON, PROTOBUF, f"{JSON};charset=UTF-8", "text/plain"])
def test_rejected_items_told_in_json_are_counted(make: Make, told: dict[str, Any], content_type: str) -> None:
    """P3. The server breaks the specification, and many do."""
    with serving(answer(200, json.dumps(told).encode(), Content_Type=content_type)) as server:
        report = make(server.url).export_and_report(spans(5))
    assert report == ExportReport(Verdict.DELIVERED, 3, "the collector rejected 2 spans: quota used up")


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\n", b" \r\n"])
def test_what_stands_before_json_hides_no_rejection(make: Make, before: bytes) -> None:
    """P3. A byte order mark; and a line feed, with which a partial success in protobuf begins too."""
    told = {"partialSuccess": {"rejectedSpans": "2", "errorMessage": "quota used up " * 8}}
    body = before + json.dumps(told).encode()
    with serving(answer(200, body, Content_Type=JSON)) as server:
        report = make(server.url).export_and_report(spans(5))
    assert report.delivered == 3


def narrow_deflate(body: bytes) -> bytes:
    packed = zlib.compressobj(wbits=9)
    return packed.compress(body) + packed.flush()


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", bare_deflate),
        ("deflate", narrow_deflate),
        ("deflate, gzip", lambda body: gzip.compress(zlib.compress(body))),
        ("identity", bytes),
    ],
)
def test_rejected_spans_told_in_a_compressed_body_are_counted(
    make: Make, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    """P3. Though it was asked for none."""
    body = pack(partial(2, "quota used up"))
    with serving(answer(200, body, Content_Encoding=encoding, Content_Type=PROTOBUF)) as server:
        report = make(server.url).export_and_report(spans(5))
        assert server.requests[0].headers["accept-encoding"] == "identity"
    assert report == ExportReport(Verdict.DELIVERED, 3, "the collector rejected 2 spans: quota used up")


def test_the_words_of_an_error_are_unpacked_too(make: Make) -> None:
    with serving(answer(503, gzip.compress(b"memory limiter"), Content_Encoding="gzip")) as server:
        assert make(server.url).export_and_report(spans(1)).reason == "HTTP 503: memory limiter"


@pytest.mark.parametrize("content_type", [HTML, "TEXT/HTML", "application/xhtml+xml", ""])
@pytest.mark.parametrize("status", [200, 202])
def test_a_web_page_is_no_delivery(make: Make, status: int, content_type: str) -> None:
    """P3. A login page, or a proxy's: no span is anywhere."""
    headers = {"Content_Type": content_type} if content_type else {}
    with serving(answer(status, b"\n<!DOCTYPE html><html>Log in</html>", **headers)) as server:
        report = make(server.url).export_and_report(spans(1))
    assert report == ExportReport(
        Verdict.MISCONFIGURED,
        reason=f"HTTP {status}, but answered with a web page (text/html): "
        "look at host and path of the endpoint",
        cause=Cause.ANSWERED,
    )


@pytest.mark.parametrize("content_type", [HTML, JSON, PROTOBUF, "text/plain"])
def test_an_empty_answer_is_a_success_of_any_type(
    make: Make, content_type: str, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(answer(200, Content_Type=content_type)) as server:
        assert make(server.url).export_and_report(spans(1)) == DELIVERED
    assert caplog.messages == []


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b'{"status": "ok"}',
        b'{"partialSuccess": {}}',
        b'{"partialSuccess": null}',
        b'{"partialSuccess": {"rejectedSpans": "x"}}',
        b'{"partialSuccess": {"errorMessage": 7}}',
    ],
)
def test_json_without_a_rejection_is_a_success(
    make: Make, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(answer(200, body, Content_Type=JSON)) as server:
        assert make(server.url).export_and_report(spans(1)) == DELIVERED
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("body", "headers", "said"),
    [
        (b"OK", {"Content_Type": "text/plain"}, "(text/plain)"),
        (b"OK", {}, "(of no content type)"),
        (b"{broken", {"Content_Type": JSON}, "(application/json)"),
        (b"[" * 60_000, {"Content_Type": JSON}, "(application/json)"),
        (b"xx", {"Content_Type": PROTOBUF, "Content_Encoding": "br"}, "(application/x-protobuf)"),
        (b"xx", {"Content_Type": PROTOBUF, "Content_Encoding": "gzip"}, "(application/x-protobuf)"),
        (gzip.compress(bytes(10_000_000)), {"Content_Encoding": "gzip"}, "(of no content type)"),
    ],
)
def test_an_answer_in_other_words_is_a_success_and_said_once(
    make: Make, body: bytes, headers: dict[str, str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """O4: OpenTelemetry's exporter looks at the status alone. The last is a bomb."""
    with serving(*[answer(200, body, **headers)] * 3) as server:
        exporter = make(server.url)
        assert [exporter.export_and_report(spans(1)) for _ in range(3)] == [DELIVERED] * 3

    assert caplog.messages == [
        f"{server.base}: HTTP 200, but the answer is no OTLP {said}: what was sent counts as exported; "
        "look at the endpoint if it does not arrive"
    ]


@pytest.mark.parametrize(
    "body", [partial(2, "long" * 20_000), json.dumps({"partialSuccess": "long" * 20_000}).encode()]
)
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_an_answer_too_long_to_be_read_counts_nothing_as_exported(
    make: Make, body: bytes, encoding: str
) -> None:
    """It has much to say of the spans that it rejected."""
    packed = gzip.compress(body) if encoding == "gzip" else body
    with serving(answer(200, packed, Content_Encoding=encoding)) as server:
        report = make(server.url).export_and_report(spans(5))
    assert report == ExportReport(Verdict.DELIVERED, 0, "the collector rejected 5 spans")


def test_a_warning_of_a_collector_that_takes_all_is_said_when_it_begins(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """G4: a message without rejected spans is a warning (the protocol's specification)."""
    warns = [answer(200, partial(0, f"deprecated\nsince {number}")) for number in range(2)]
    with serving(*warns, answer(200), *warns) as server:
        exporter = make(server.url)
        assert [exporter.export_and_report(spans(1)) for _ in range(5)] == [DELIVERED] * 5

    assert caplog.messages == [f"{server.base}: the collector warns: deprecated since 0"]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"token  expired\r\n", "text/plain"),
        (b"token expired", ""),
        (b'{"message": "token expired", "code": 16}', JSON),
        (b'{"error": "token expired"}', JSON),
        (b'{"error": {"code": 401, "message": "token expired"}}', JSON),
        (b'{"errors": [{"detail": "token expired"}]}', JSON),
        (b'{"errors": [], "title": "token expired"}', "application/problem+json"),
        (b'{"message": "token expired"}', PROTOBUF),
        (Status(code=16, message="token expired").SerializeToString(), PROTOBUF),
        (b"<html><head><title>token\nexpired</title></head></html>", HTML),
    ],
)
@pytest.mark.parametrize(
    ("status", "verdict", "hint", "cause"),
    [
        (400, Verdict.REJECTED, "", Cause.ANSWERED),
        (401, Verdict.MISCONFIGURED, "; check the credentials in the headers", Cause.ANSWERED),
        (429, Verdict.FAILED, "", Cause.BUSY),
        (500, Verdict.FAILED, "", Cause.ANSWERED),
    ],
)
def test_the_words_of_an_error_go_into_the_reason(
    make: Make, body: bytes, content_type: str, status: int, verdict: Verdict, hint: str, cause: Cause
) -> None:
    """G4."""
    headers = {"Content_Type": content_type} if content_type else {}
    with serving(answer(status, body, **headers)) as server:
        report = make(server.url).export_and_report(spans(1))
    assert report == ExportReport(verdict, reason=f"HTTP {status}: token expired{hint}", cause=cause)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "text/plain"),
        (b"\xff\xfe", "text/plain"),
        (b"\xff\xfe", PROTOBUF),
        (b"{broken", PROTOBUF),
        (b"<html>no title</html>", HTML),
        (b"<html><title></title></html>", HTML),
        (b"<html><title", HTML),
        (b'{"message": 7, "errors": []}', JSON),
        (b"[1]", JSON),
    ],
)
def test_an_error_without_words_is_its_status(make: Make, body: bytes, content_type: str) -> None:
    with serving(answer(500, body, Content_Type=content_type)) as server:
        assert make(server.url).export_and_report(spans(1)).reason == "HTTP 500"


@pytest.mark.parametrize("where", ["status", "partial", "warning", "redirect"])
def test_no_secret_comes_back_in_the_words_of_a_backend(
    make: Make, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    """G4: values of headers, user and password, the query of the endpoint."""
    secrets = ["hunter2-header", "hunter2-user", "hunter2-word", "hunter2 query", "hunter2%20query"]
    quoted = f"you sent {' and '.join(secrets)} {'x' * 300}\x1b[31m"
    with serving() as server:
        server.play(
            {
                "status": answer(401, quoted.encode()),
                "partial": answer(200, partial(1, quoted)),
                "warning": answer(200, partial(0, quoted)),
                "redirect": answer(307, Location="http://hunter2-header.test/"),
            }[where]
        )
        host = server.base.removeprefix("http://")
        exporter = make(
            f"http://hunter2-user:hunter2-word@{host}/v1/traces?key=hunter2%20query",
            headers={"x-key": "hunter2-header"},
        )
        reason = exporter.export_and_report(spans(1)).reason

    told = caplog.text if where == "warning" else reason
    assert "hunter2" not in reason + caplog.text
    assert "\x1b" not in told
    assert "***" in told
    assert "x" * 200 not in told


HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "before",
    [
        HINTS,
        HINTS * 20,
        b"HTTP/1.1 102 Processing\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + HINTS + b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 199 Who knows\r\n\r\n",
    ],
)
def test_what_comes_before_the_final_answer_fails_no_delivery(make: Make, before: bytes) -> None:
    connections = []

    def play(connection: socket.socket) -> None:
        connections.append(connection)
        while read_request(connection):
            connection.sendall(before + GOOD)

    with peer(play) as port:
        exporter = make(f"http://127.0.0.1:{port}/v1/traces")
        assert [exporter.export_and_report(spans(1)) for _ in range(3)] == [DELIVERED] * 3

    assert len(connections) == 1


def test_an_answer_that_switches_protocols_is_final(make: Make) -> None:
    with serving(answer(101)) as server:
        assert make(server.url).export_and_report(spans(1)).reason == "HTTP 101"


def test_a_session_of_ones_own_is_no_worse(make: Make) -> None:
    """Its connections read answers by http.client's rules."""
    with serving(answer(200, partial(1, "quota"))) as server, requests.Session() as session:
        report = make(server.url, session=session).export_and_report(spans(2))
    assert report == ExportReport(Verdict.DELIVERED, 1, "the collector rejected 1 span: quota")
