"""The session for a proxy of Sentry's client is this package's own, not the user's."""

from __future__ import annotations

import socket
import threading

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from ..otlp._peer import peer, read_request
from ..otlp._server import serving
from ..semantics._children import in_child
from ..semantics._spans import spans
from ._sentry import FEW, connect, end_a_span

DSN = "http://key@sentry.invalid/1"


def test_its_connections_are_closed_when_the_exporter_is_shut_down(provider: TracerProvider) -> None:
    answered, closed = threading.Event(), threading.Event()

    def play(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        answered.set()
        if connection.recv(1) == b"":
            closed.set()

    with peer(play) as proxy:
        connect(provider, dsn=DSN, http_proxy=f"http://127.0.0.1:{proxy}", **FEW)
        end_a_span(provider)
        provider.force_flush()
        assert answered.wait(30)
        assert not closed.is_set()

        provider.shutdown()

        assert closed.wait(30)


def test_a_forked_child_has_connections_of_its_own_by_the_same_proxy(provider: TracerProvider) -> None:
    """R5."""
    with serving() as proxy:
        exporter = connect(provider, dsn=DSN, http_proxy=proxy.base, **FEW)
        assert exporter is not None

        def check() -> None:
            for _ in range(2):
                assert exporter.export(spans(1)) is SpanExportResult.SUCCESS

        check()
        in_child(check)
        check()

        assert [request.connection for request in proxy.requests] == [1, 1, 2, 2, 1, 1]
