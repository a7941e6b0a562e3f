"""An empty OTLP request over HTTP, and what comes of it."""

from __future__ import annotations

import http.client
import re
import socket
import time
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from . import detours, faults
from .answer import Answer, judge
from .finding import Finding, Steps, broken
from .reach import Connected, Place, reach
from .request import Target, prepared
from .tls import Trust, secure, spoken, wants_certificate
from .wire import Speech, TooMuch, Wire

_MOST_READ = 1 << 16
"""Bytes of a body; as much again for all that is around it."""
_HEAD_END = re.compile(rb"\r?\n\r?\n")


def place_of(url: SplitResult) -> Place:
    """Where an HTTP URL leads."""
    tls = url.scheme == "https"
    return Place("the collector", "", url.hostname or "", url.port or (443 if tls else 80), tls, "HTTP")


def examine(target: Target, step: float, patience: float) -> Steps[None]:
    """Everything from the name to the answer.

    Args:
        target: What to examine.
        step: Seconds for each step before the request.
        patience: Seconds for the request.
    """
    url = urlsplit(target.url)
    if proxy := detours.proxy_of(target.url):
        yield from detours.through_proxy(target, proxy, step, patience)
        return
    yield from detours.exempt(target.url)
    place = place_of(url)
    reached = yield from _approached(place, target.trust, step)
    if reached is None:
        return
    connected, talking = reached
    with talking:
        result = _post(target, url, talking, patience)
    if isinstance(result, _Failed):
        yield _explained(place, target.trust, connected, result, patience)
    elif result.location and 300 <= result.status < 400:
        yield from detours.redirected(target, result, patience)
    elif result.status == 400 and not place.tls and spoken(place, connected, b"") is Speech.TLS:
        # Servers that speak TLS tell those who do not by an HTTP 400 in plain text.
        yield faults.tls_wanted(place)
    else:
        yield judge(result, target.timeout)


def approach(target: Target, step: float) -> Steps[None]:
    """Everything before the request, where nothing is installed that could send one."""
    reached = yield from _approached(place_of(urlsplit(target.url)), target.trust, step)
    if reached is not None:
        reached[1].close()


def _approached(place: Place, trust: Trust, step: float) -> Steps[tuple[Connected, socket.socket] | None]:
    connected = yield from reach(place, step)
    if connected is None:
        return None
    talking: socket.socket | None = connected.socket
    if place.tls:
        talking = yield from secure(place, trust, connected, step)
    return None if talking is None else (connected, talking)


@dataclass(frozen=True, slots=True)
class _Failed:
    """A request without a whole answer."""

    error: Exception
    wire: Wire


def _post(target: Target, url: SplitResult, talking: socket.socket, patience: float) -> Answer | _Failed:
    wire = Wire(talking, patience, 2 * _MOST_READ)
    from ..otlp._send.compression import unpacked
    from ..otlp._send.interim import FinalResponse

    connection = http.client.HTTPConnection(url.hostname or "", url.port)
    connection.response_class = FinalResponse
    connection.sock = wire
    began = time.monotonic()
    try:
        request = prepared(target)
        sent = {"Host": url.netloc.rpartition("@")[2], **request.headers}
        connection.request("POST", request.path_url, request.body or b"", sent)
        with connection.getresponse() as response:
            content = b""
            while len(content) < _MOST_READ and (more := response.read(_MOST_READ - len(content))):
                content += more
            is_cut = bool(response.length) and len(content) < _MOST_READ
            if is_cut or not _HEAD_END.search(wire.first):  # which http.client takes for a head all the same
                raise http.client.IncompleteRead(content, response.length)
            plain = unpacked(content, response.headers.get("content-encoding", ""), _MOST_READ)
            return Answer(
                response.status,
                content if plain is None else plain,
                response.headers.get("content-type", ""),
                response.headers.get("retry-after"),
                response.headers.get("location"),
                time.monotonic() - began,
            )
    except (OSError, ValueError, http.client.HTTPException) as error:
        return _Failed(error, wire)


def _explained(place: Place, trust: Trust, connected: Connected, failed: _Failed, patience: float) -> Finding:
    error, wire = failed.error, failed.wire
    if isinstance(error, TimeoutError):
        return faults.timed_out(place, wire.count, patience)
    if isinstance(error, ValueError | http.client.InvalidURL):  # before anything was sent
        return broken(
            "headers-unusable",
            "the request cannot be made: a header or the path holds what HTTP does not allow",
            "look at OTEL_EXPORTER_OTLP_HEADERS and at the path of the endpoint for line breaks, blanks and "
            "letters beyond ASCII",
        )
    speech = spoken(place, connected, wire.first)
    if speech is Speech.HTTP2:
        return broken(
            "http-meets-grpc",
            f"{place} speaks HTTP/2 alone, as gRPC does, and was asked by HTTP/1",
            "use the collector's HTTP port (usually 4318), or OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
        )
    if speech is Speech.TLS and not place.tls:
        return faults.tls_wanted(place)
    if not wire.count and wants_certificate(place, trust, connected):
        return faults.certificate_wanted(place)
    return _cut_short(place, error, wire)


def _cut_short(place: Place, error: Exception, wire: Wire) -> Finding:
    from ..otlp._send.interim import is_over_limit

    if isinstance(error, TooMuch) or is_over_limit(error):
        return faults.endless(place, wire.count)
    if wire.first.startswith(b"HTTP/"):
        return faults.truncated(place, wire.count)
    if wire.count:
        return faults.garbage(place)
    if isinstance(error, http.client.RemoteDisconnected):
        return faults.no_answer(place)
    return faults.reset(place)
