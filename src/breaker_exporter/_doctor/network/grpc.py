"""The way to a collector by gRPC: endpoint, proxy, connection, the beginning of HTTP/2, empty requests."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..._base.redaction import shown
from ...otlp import _environment as otlp
from ...otlp._endpoints import GRPC_PORT, grpc_target
from ..report import Steps, broken, ok, warning
from ..settings.routes import Route
from . import answers, failures, proxies
from .connection import Place
from .protocols import Ending, greet
from .tls import Trust, approach

if TYPE_CHECKING:
    from ...otlp._send.grpc import GRPCSender

_SLOW = 1.0
"""Seconds for a greeting of a few bytes, beyond which they drip."""


Origin = tuple[str, Place, Trust]
"""What several signals may share: gRPC's target, the place, and the certificates shown and trusted there."""


def origin_of(route: Route) -> Origin:
    """Return the origin of a route."""
    target = grpc_target(route.endpoint)
    insecure = otlp.insecure(route.environment, route.signal)
    place = _place_of(target, tls=otlp.is_tls(route.endpoint, None if insecure is None else insecure[1]))
    trust = Trust.of(route.environment, route.signal, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", http2=True)
    return target, place, trust


def examine(
    origin: Origin, routes: Sequence[Route], step: float, patience: float, *, can_ask: bool
) -> Steps[None]:
    """Find what is wrong from the endpoint to the answers.

    Each step before the requests has `step` seconds, a request `patience`; without gRPC (`can_ask`) none is
    sent. After one without an answer, no other follows.
    """
    target, place, trust = origin
    for endpoint in dict.fromkeys(route.endpoint for route in routes):
        yield from _check_endpoint(endpoint)
    host = place.host if place.port >= 0 else None
    is_proxy_there = yield from proxies.check_grpc(target, host, routes[0].environment, step)
    slowly = 0
    if is_proxy_there is None and host is not None:
        began = time.monotonic()
        count = yield from _greeted(place, trust, step)
        if count is None:
            return
        slowly = count if time.monotonic() - began > _SLOW else 0
    if not can_ask or is_proxy_there is False:
        return
    try:
        files = (trust.authorities, trust.key, trust.certificate)
        contents = [Path(file).read_bytes() if file and place.tls else None for file in files]
    except OSError as error:
        text = f"{shown(error.filename)} cannot be used: {error.strerror}"
        yield broken("tls-files", text, "name a file of PEM certificates: gRPC takes no directory")
        return
    with contextlib.ExitStack() as senders:
        for route in routes:
            sender = _sender(route, origin, contents)
            senders.callback(sender.close)  # at the end: until then, the next one shares its connection
            if not (yield from _ask(route, sender, origin, patience, slowly)):
                return


def _greeted(place: Place, trust: Trust, step: float) -> Steps[int | None]:
    """Begin HTTP/2; return the number of bytes of the greeting, or ``None`` where there is none."""
    connected = yield from approach(place, trust, step)
    if connected is None:
        return None
    with connected.socket:
        heard, ending = greet(connected.socket, step)
    if ending is Ending.GREETED:
        yield ok("http2", f"{place} speaks HTTP/2")
        return len(heard)
    yield failures.Attempt(place, trust, connected, heard, len(heard), ending, step).cause()
    return None


def _sender(route: Route, origin: Origin, contents: Sequence[bytes | None]) -> GRPCSender:
    import grpc

    from ...otlp._send.grpc import GRPCSender

    target, place, _ = origin
    is_gzip = otlp.compression(route.environment, "grpc", route.signal) == "gzip"
    return GRPCSender(
        target,
        destination=target,
        method=route.signal.method,
        metadata=tuple(route.headers.items()),
        credentials=(lambda: grpc.ssl_channel_credentials(*contents)) if place.tls else None,
        compression=grpc.Compression.Gzip if is_gzip else grpc.Compression.NoCompression,
        options=(("grpc.use_local_subchannel_pool", 0),),
    )


def _ask(route: Route, sender: GRPCSender, origin: Origin, patience: float, slowly: int) -> Steps[bool]:
    """Send the empty request; return false where there was no answer."""
    import grpc

    target, place, _ = origin
    began = time.monotonic()
    try:
        body = sender.ask(b"", patience) or b""
    except grpc.RpcError as error:
        code, name = error.code().name, place if place.port >= 0 else target
        if code == "DEADLINE_EXCEEDED" and time.monotonic() - began >= patience * 0.9:
            yield failures.late(name, slowly, patience)
            return False
        yield answers.of_grpc_failure(code, error.details() or "", name, route.signal)
        return code not in ("UNAVAILABLE", "CANCELLED")  # which gRPC says where a connection fails, too
    yield answers.of_success(body, "gRPC OK", time.monotonic() - began, route)
    return True


def _place_of(target: str, *, tls: bool) -> Place:
    """Return host and port of what gRPC takes for a target; port -1 for a Unix socket and the like."""
    name = target.removeprefix("dns:").rpartition("/")[2]
    host, colon, port = name.rpartition(":")
    if not colon or host.endswith(":") or name.endswith("]"):
        host, port = name, "443"
    is_host = port.isdecimal() and not target.startswith(("unix", "ipv4:", "ipv6:", "xds:", "vsock:"))
    return Place("the collector", "", host.strip("[]"), int(port) if is_host else -1, tls, "gRPC")


def _check_endpoint(endpoint: str) -> Steps[None]:
    """Find a path, and a port that is missing."""
    url = urlsplit(endpoint)
    if url.scheme not in ("http", "https"):
        return
    if url.path.strip("/"):
        advice = "remove it, or, if HTTP is meant, set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
        yield warning("grpc-endpoint-path", "the endpoint has a path, which gRPC ignores", advice)
    if ":" not in url.netloc.rpartition("]")[2]:
        text = "the endpoint has no port, for which gRPC takes 443"
        yield warning("grpc-endpoint-port", text, f"write the port, which is usually {GRPC_PORT}")
