"""An empty OTLP request over gRPC, and what comes of it."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .._base.redaction import shown
from . import detours, faults
from .answer import judge_message, too_slow
from .finding import Finding, Steps, broken, ok
from .grpc_answer import failure
from .reach import Connected, Place, reach
from .tls import Trust, secure, spoken, wants_certificate
from .wire import Ending, Speech, Wire, greet, speech_of

if TYPE_CHECKING:
    import grpc

_METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_SLOW = 1.0
"""Seconds for a greeting of a few bytes, beyond which they drip."""
_UNMEANT = "where that is not meant, put the host into no_proxy, in lower case"


@dataclass(frozen=True, slots=True)
class Target:
    """Where and how spans are sent.

    Attributes:
        target: As gRPC takes it.
        place: The same for the steps before; ``None`` where it is no host and port.
        tls: Whether TLS is spoken.
        metadata: The configured headers.
        gzip: Whether requests are compressed.
        trust: For TLS.
        timeout: The exporter's own, in seconds.
        proxy: What gRPC goes through, if anything.
        proxy_source: The variable that has it.
    """

    target: str
    place: Place | None
    tls: bool
    metadata: Mapping[str, str]
    gzip: bool
    trust: Trust
    timeout: float
    proxy: str | None = None
    proxy_source: str = ""


def examine(target: Target, step: float, patience: float, can_ask: bool) -> Steps[None]:
    """Everything from the name to the answer; with `can_ask` false, to the beginning of HTTP/2.

    Args:
        target: What to examine.
        step: Seconds for each step before the request.
        patience: Seconds for the request.
        can_ask: Whether gRPC is installed.
    """
    slowly = 0
    if target.proxy is not None:
        yield ok(
            "proxy",
            f"gRPC goes through the proxy {shown(target.proxy)}, which {target.proxy_source} has",
            _UNMEANT,
        )
        if not (yield from detours.is_there(target.proxy, step)):
            return
    elif target.place is not None:
        began = time.monotonic()
        greeted = yield from _greeted(target.place, target.trust, step)
        if greeted is None:
            return
        slowly = greeted if time.monotonic() - began > _SLOW else 0
    if can_ask:
        yield from _ask(target, patience, slowly)


def _greeted(place: Place, trust: Trust, step: float) -> Steps[int | None]:
    """Whether somebody is there who speaks HTTP/2: the bytes of the greeting, or ``None``."""
    connected = yield from reach(place, step)
    if connected is None:
        return None
    talking: socket.socket | None = connected.socket
    if place.tls:
        talking = yield from secure(place, trust, connected, step)
    if talking is None:
        return None
    with talking:
        wire, ending = greet(talking, step)
    if ending is Ending.GREETED:
        yield ok("http2", f"{place} speaks HTTP/2")
        return wire.count
    yield _explained(place, trust, connected, wire, ending, step)
    return None


def _explained(
    place: Place, trust: Trust, connected: Connected, wire: Wire, ending: Ending, step: float
) -> Finding:
    if ending is Ending.TIME_OVER:
        return faults.timed_out(place, wire.count, step)
    speech = spoken(place, connected, wire.first)
    if speech is Speech.HTTP1:
        return broken(
            "grpc-meets-http",
            f"{place} speaks HTTP/1, and gRPC needs HTTP/2",
            "use the collector's gRPC port (usually 4317), or OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
        )
    if speech is Speech.TLS:
        return faults.tls_wanted(place)
    if not wire.count and wants_certificate(place, trust, connected):
        return faults.certificate_wanted(place)
    return _cut_short(place, wire, ending)


def _cut_short(place: Place, wire: Wire, ending: Ending) -> Finding:
    if ending is Ending.ENDLESS:
        return faults.endless(place, wire.count)
    if speech_of(wire.first) is Speech.HTTP2 and ending is not Ending.NO_FRAME:
        return faults.truncated(place, wire.count)
    if wire.count:
        return faults.garbage(place)
    return faults.reset(place) if ending is Ending.RESET else faults.no_answer(place)


def _ask(target: Target, patience: float, slowly: int) -> Steps[None]:
    import grpc

    compression = grpc.Compression.Gzip if target.gzip else grpc.Compression.NoCompression
    options = [("grpc.enable_retries", 0)]
    if target.tls:
        try:
            credentials = _credentials(target.trust)
        except OSError as error:
            yield broken(
                "tls-files",
                f"{shown(error.filename)} cannot be used: {error.strerror}",
                "it must be a file of PEM certificates: gRPC takes no directory",
            )
            return
        channel = grpc.secure_channel(target.target, credentials, options, compression)
    else:
        channel = grpc.insecure_channel(target.target, options, compression)
    with channel:
        export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_METHOD)
        began = time.monotonic()
        try:
            message = export(b"", timeout=patience, metadata=tuple(target.metadata.items()))
        except grpc.RpcError as error:
            yield failure(target.place or target.target, error, time.monotonic() - began, patience, slowly)
            return
    took = time.monotonic() - began
    yield too_slow(took, target.timeout) if took > target.timeout else judge_message(message, took, "gRPC OK")


def _credentials(trust: Trust) -> grpc.ChannelCredentials:
    import grpc

    def content(path: str | None) -> bytes | None:
        return Path(path).read_bytes() if path else None

    return grpc.ssl_channel_credentials(
        content(trust.authorities), content(trust.key), content(trust.certificate)
    )
