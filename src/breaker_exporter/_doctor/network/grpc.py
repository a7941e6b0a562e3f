"""The way to a collector by gRPC: endpoint, proxy, connection, the beginning of HTTP/2, an empty request."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlsplit

from ..._base.redaction import shown
from ...otlp import _environment as otlp
from ...otlp._endpoints import GRPC_PORT, TRACES_METHOD, grpc_target
from ..report import Steps, broken, ok, warning
from ..settings.effective import EffectiveSettings
from . import answers, failures, proxies
from .connection import Place
from .protocols import Ending, greet
from .tls import Trust, approach

_SLOW = 1.0
"""Seconds for a greeting of a few bytes, beyond which they drip."""


def examine(effective: EffectiveSettings, step: float, patience: float, *, can_ask: bool) -> Steps[None]:
    """Find what is wrong from the endpoint to the answer.

    Each step before the request has `step` seconds, the request `patience`; without gRPC (`can_ask`) it is
    not sent.
    """
    endpoint = effective.endpoint("grpc")
    yield from _check_endpoint(endpoint)
    target = grpc_target(endpoint)
    insecure = otlp.insecure(effective.environment)
    place = _place_of(target, tls=otlp.is_tls(endpoint, None if insecure is None else insecure[1]))
    trust = Trust.of(effective.environment, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", http2=True)
    host = place.host if place.port >= 0 else None
    is_proxy_there = yield from proxies.check_grpc(target, host, effective.environment, step)
    slowly = 0
    if is_proxy_there is None and host is not None:
        began = time.monotonic()
        count = yield from _greeted(place, trust, step)
        if count is None:
            return
        slowly = count if time.monotonic() - began > _SLOW else 0
    if can_ask and is_proxy_there is not False:
        yield from _ask(effective, target, place, trust, patience, slowly)


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


def _ask(
    effective: EffectiveSettings, target: str, place: Place, trust: Trust, patience: float, slowly: int
) -> Steps[None]:
    import grpc

    from ...otlp._send.grpc import GRPCSender

    is_gzip = otlp.compression(effective.environment, "grpc") == "gzip"
    compression = grpc.Compression.Gzip if is_gzip else grpc.Compression.NoCompression
    try:
        files = (trust.authorities, trust.key, trust.certificate)
        contents = [Path(file).read_bytes() if file and place.tls else None for file in files]
    except OSError as error:
        text = f"{shown(error.filename)} cannot be used: {error.strerror}"
        yield broken("tls-files", text, "name a file of PEM certificates: gRPC takes no directory")
        return
    sender = GRPCSender(
        target,
        destination=target,
        method=TRACES_METHOD,
        metadata=tuple(effective.headers("grpc").items()),
        credentials=(lambda: grpc.ssl_channel_credentials(*contents)) if place.tls else None,
        compression=compression,
        options=(),
    )
    began = time.monotonic()
    try:
        body = sender.ask(b"", patience) or b""
    except grpc.RpcError as error:
        code, name = error.code().name, place if place.port >= 0 else target
        if code == "DEADLINE_EXCEEDED" and time.monotonic() - began >= patience * 0.9:
            yield failures.late(name, slowly, patience)
        else:
            yield answers.of_grpc_failure(code, error.details() or "", name)
    else:
        yield answers.of_success(body, "gRPC OK", time.monotonic() - began, effective.settings.timeout)
    finally:
        sender.close()


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
