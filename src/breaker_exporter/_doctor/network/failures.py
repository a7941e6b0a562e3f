"""The cause of a connection that brings no whole answer, by either protocol."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...otlp._endpoints import GRPC_PORT, HTTP_PORT
from ..report import Finding, broken
from .connection import Connected, Place
from .protocols import Ending, Speech, speech_of, spoken
from .tls import Trust, wants_certificate

_OWN = {"HTTP": Speech.HTTP1, "gRPC": Speech.HTTP2}


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request that has no whole answer."""

    place: Place
    trust: Trust
    connected: Connected
    """A connection that was made to the same address."""
    first: bytes
    """The first bytes that came, of so many as `count` says."""
    count: int
    ending: Ending
    seconds: float
    """The time that was waited."""

    def cause(self) -> Finding:
        """Return the finding that tells why there is no whole answer."""
        return next(self._causes())

    def _causes(self) -> Iterator[Finding]:
        place, count = self.place, self.count
        if self.ending is Ending.TIME_OVER:
            yield late(place, count, self.seconds)
        speech = spoken(place, self.connected, self.first)
        if speech is Speech.TLS and not place.tls:
            yield tls_wanted(place)
        if speech is Speech.HTTP2 and place.protocol == "HTTP":
            text = f"{place} speaks HTTP/2 alone, as gRPC does, and was asked by HTTP/1"
            advice = f"use the port for HTTP (usually {HTTP_PORT}), or OTEL_EXPORTER_OTLP_PROTOCOL=grpc"
            yield broken("http-meets-grpc", text, advice)
        if speech is Speech.HTTP1 and place.protocol == "gRPC":
            text = f"{place} speaks HTTP/1, and gRPC needs HTTP/2"
            advice = (
                f"use the port for gRPC (usually {GRPC_PORT}), or OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
            )
            yield broken("grpc-meets-http", text, advice)
        if not count and wants_certificate(place, self.trust, self.connected):
            text = f"{place} wants a certificate of its clients"
            advice = "set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY"
            yield broken("tls-client-certificate", text, advice)
        if self.ending is Ending.ENDLESS:
            text = f"what {place} answers has no end: {count} bytes came, and no whole answer"
            yield broken("otlp-garbage", text, "correct the port: something that is no OTLP receiver listens")
        if speech_of(self.first) is _OWN[place.protocol] and self.ending is not Ending.NO_FRAME:
            yield truncated(place, count)
        if count:
            text = f"what {place} answers is neither HTTP nor TLS"
            yield broken("otlp-garbage", text, "correct the port: another kind of server listens there")
        if self.ending is Ending.CLOSED:
            text = f"{place} closes the connection without an answer"
            advice = "look at what listens there: it may be no OTLP receiver, or a proxy without a backend"
            yield broken("otlp-no-answer", text, advice)
        yield reset(place)


def late(place: Place | str, count: int, seconds: float) -> Finding:
    """Return the finding for an answer that is not whole in time; `count` bytes of it came."""
    if count:
        text = f"the answer of {place} is not whole within {seconds:g} s: {count} bytes came, bit by bit"
        advice = "look at the load of the collector and of proxies: the exporter gives up at its timeout"
        return broken("otlp-drips", text, advice)
    text = f"{place} takes the connection and says nothing within {seconds:g} s"
    return broken("otlp-silent", text, "look at the log and load of the collector, or at what listens there")


def reset(place: Place | str) -> Finding:
    """Return the finding for a connection that was reset."""
    text = f"{place} resets the connection in the middle of the request"
    advice = "look at the collector, which may crash or restart, and at proxies and firewalls on the way"
    return broken("otlp-reset", text, advice)


def truncated(place: Place | str, count: int) -> Finding:
    """Return the finding for an answer that broke off."""
    text = f"the answer of {place} breaks off" + (f" after {count} bytes" if count else "")
    advice = "look at the logs of the collector and of a proxy before it: one ends the connection too early"
    return broken("otlp-truncated", text, advice)


def tls_wanted(place: Place) -> Finding:
    """Return the finding for a port of TLS that was asked without."""
    advice = (
        "write https:// instead of http:// in the endpoint, and look at OTEL_EXPORTER_OTLP_INSECURE for gRPC"
    )
    return broken("tls-wanted", f"{place} speaks TLS, and was asked without", advice)
