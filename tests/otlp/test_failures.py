"""A call without an answer leaves its kind and the bytes received, for a search for the cause."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from breaker_exporter.otlp._send.connections import Flight
from breaker_exporter.otlp._send.failures import Failure, NoAnswer
from breaker_exporter.otlp._send.http import Poster

from ._peer import Play, drip, peer, read_request
from ._server import answer, serving

pytestmark = pytest.mark.usefixtures("no_variables_from_outside")


def posted(url: str, seconds: float = 5.0, **headers: str) -> tuple[Flight, Failure]:
    poster = Poster(f"{url}/v1/traces", headers, verify=True, certificate=None, session=None)
    flight = Flight(time.monotonic() + seconds, seconds)
    with pytest.raises(NoAnswer) as raised:
        poster.post(b"", flight)
    poster.close()
    return flight, raised.value.failure


def saying(words: bytes) -> Play:
    def play(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(words)

    return play


@pytest.mark.parametrize(
    ("words", "kind", "received"),
    [
        (b"", Failure.CLOSED, 0),
        (b"220 mail.example.org\r\n", Failure.OTHER, 22),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", Failure.OTHER, 41),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200, Failure.TOO_LARGE, 0),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"x: y\r\n" * 50_000,
            Failure.TOO_LARGE,
            0,
        ),
    ],
)
def test_an_answer_that_is_none_has_its_kind_and_its_first_bytes(
    words: bytes, kind: Failure, received: int
) -> None:
    with peer(saying(words)) as port:
        flight, failure = posted(f"http://127.0.0.1:{port}")

    assert failure is kind
    assert received in (flight.received, 0)
    assert flight.first == words[:64]


def test_an_answer_that_drips_is_late_and_its_bytes_are_counted() -> None:
    stop = threading.Event()

    def play(connection: socket.socket) -> None:
        read_request(connection)
        drip(connection, stop)

    with peer(play) as port:
        flight, failure = posted(f"http://127.0.0.1:{port}", seconds=1)
        stop.set()

    assert failure is Failure.LATE
    assert flight.received > 0


def test_a_request_that_cannot_be_sent_is_no_fault_of_the_peer() -> None:
    with serving() as server:
        flight, failure = posted(server.base, key="two\r\nlines")

    assert failure is Failure.UNSENDABLE
    assert server.requests == []
    assert flight.received == 0


def test_a_call_that_was_ended_before_it_connects_sends_nothing() -> None:
    with serving() as server:
        poster = Poster(f"{server.base}/v1/traces", {}, verify=True, certificate=None, session=None)
        flight = Flight(time.monotonic() + 5, 5)
        flight.cut_off()
        with pytest.raises(NoAnswer):
            poster.post(b"", flight)
        poster.close()

    assert server.requests == []


def test_the_address_of_a_redirect_is_left_behind() -> None:
    with serving(*[answer(307, location="/again")] * 10) as server:
        flight, failure = posted(server.base)
        assert flight.redirected_to == f"{server.base}/again"

    assert failure is Failure.OTHER
