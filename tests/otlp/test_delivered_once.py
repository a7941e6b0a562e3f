"""O5: a request is sent once; and what is kept alive is looked at before it is used."""

from __future__ import annotations

import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

import pytest
import requests
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter import ExportReport, Verdict
from breaker_exporter._core.report import Cause

from ..semantics._spans import spans
from ..semantics._waiting import until
from ._peer import peer, read_request
from ._server import Act, Make, answer, hang_up, leave_unread, reset, serving

pytestmark = pytest.mark.usefixtures("no_variables_from_outside")

SUCCESS = SpanExportResult.SUCCESS


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("kept_alive", [False, True])
@pytest.mark.parametrize(("act", "how"), [(reset, "reset"), (hang_up, "closed")])
def test_what_a_peer_has_read_before_it_ends_the_connection_is_not_sent_again(
    make: Make, act: Act, how: str, kept_alive: bool, given: bool
) -> None:
    """O5."""
    with serving(*[answer(200)] * kept_alive, act) as server, requests.Session() as session:
        exporter = make(server.url, session=session if given else None)
        for _ in range(kept_alive):
            assert exporter.export(spans(1)) is SUCCESS

        report = exporter.export_and_report(spans(1))

        assert len(server.requests) == 1 + kept_alive
    place = server.base.removeprefix("http://")
    whole = "" if given else " after the whole request was sent"  # who else connects does not tell us
    reason = f"connection {how} by {place}{whole}"
    assert report == ExportReport(Verdict.FAILED, reason=reason, cause=Cause.UNANSWERED)


def test_what_a_peer_has_read_a_part_of_is_not_sent_again(make: Make) -> None:
    """O5. A body this large is in no kernel's buffers."""
    with serving(answer(200), leave_unread) as server:
        exporter = make(server.url)
        exporter.export(spans(1))
        large = ReadableSpan("x" * (16 << 20), spans(1)[0].get_span_context())

        report = exporter.export_and_report([large])

        assert len(server.requests) == 2
    assert report.reason.endswith("before the whole request was sent")


def _end(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(connection.detach())


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("end", [_end, _reset])
def test_a_connection_that_ended_while_idle_is_not_used_again(
    make: Make, end: Callable[[socket.socket], None], given: bool
) -> None:
    closed = threading.Semaphore(0)

    def answer_and_end(handler: BaseHTTPRequestHandler) -> None:
        answer(200)(handler)
        handler.close_connection = True
        end(handler.connection)
        closed.release()

    with serving(*[answer_and_end] * 3) as server, requests.Session() as session:
        exporter = make(server.url, session=session if given else None)
        for _ in range(3):
            assert exporter.export(spans(1)) is SUCCESS
            assert closed.acquire(timeout=10)
        assert [request.connection for request in server.requests] == [1, 2, 3]


def test_one_that_ended_while_idle_is_not_used_again_by_tls(
    make: Make, tls: ssl.SSLContext, trusted: str
) -> None:
    ended: list[bool] = []

    def play(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        connection.close()
        ended.append(True)

    with peer(play, tls=tls) as port:
        exporter = make(f"https://localhost:{port}/", certificate_file=trusted)
        for number in range(3):
            assert exporter.export(spans(1)) is SUCCESS
            until(lambda count=number: len(ended) > count)  # type: ignore[misc]
