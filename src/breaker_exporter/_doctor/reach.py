"""From a name to a connection: DNS and TCP, each with its own deadline."""

from __future__ import annotations

import errno
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any

from ..otlp._endpoints import GRPC_PORT, HTTP_PORT
from .finding import Finding, Steps, broken, ok, warning

_MOST_ADDRESSES = 4
_SLOW = 1.0
"""Seconds."""
_CONVENTION = {GRPC_PORT: "gRPC", HTTP_PORT: "HTTP"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where something listens.

    Attributes:
        who: What it is called in the report.
        prefix: Of the names of checks.
        host: Name or address.
        port: Number.
        tls: Whether TLS is to be spoken.
        protocol: ``HTTP`` or ``gRPC``.
    """

    who: str
    prefix: str
    host: str
    port: int
    tls: bool
    protocol: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Connected:
    """A socket, and the address that it is connected to."""

    socket: socket.socket
    family: int
    address: tuple[Any, ...]


_Address = tuple[int, tuple[Any, ...]]


def reach(place: Place, seconds: float) -> Steps[Connected | None]:
    """Resolve and connect; `seconds` for each of the two."""
    if not 0 < place.port < 1 << 16:
        yield broken(
            f"{place.prefix}port",
            f"{place.port} is no port",
            f"ports are 1 to 65535: mend it where {place.who} is named",
        )
        return None
    addresses = yield from resolve(place, seconds)
    if not addresses:
        return None
    return (yield from connect(place, addresses, seconds))


def resolve(place: Place, seconds: float) -> Steps[list[_Address]]:
    """The addresses of a name."""
    check = f"{place.prefix}dns"
    found: list[Any] = []

    def look() -> None:
        try:
            found.append(socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.append(error)

    # On a thread, which is left behind: nothing ends a resolver that waits.
    thread = threading.Thread(target=look, daemon=True)
    began = time.monotonic()
    thread.start()
    thread.join(seconds)
    took = time.monotonic() - began
    result = found[0] if found else None
    if result is None:
        yield broken(
            f"{check}-timeout",
            f"the name {place.host} was not resolved within {seconds:g} s",
            "the resolver of this machine does not answer: look at /etc/resolv.conf and the network's DNS",
        )
        return []
    if isinstance(result, BaseException):
        yield _unresolved(place, result)
        return []
    addresses = list(dict.fromkeys((family, address) for family, _, _, _, address in result))
    names = ", ".join(str(address[0]) for _, address in addresses)
    is_a_name = (
        names != place.host
    )  # an address asks no resolver: then it was this machine that took its time
    if took > _SLOW and is_a_name:
        yield warning(
            f"{check}-slow",
            f"{place.host} is {names}, but resolving took {took:.1f} s",
            "each new connection pays that: a name server in resolv.conf may be dead, or a search domain "
            "slow",
        )
    else:
        yield ok(check, f"{place.host} is {names}")
    return addresses[:_MOST_ADDRESSES]


def _unresolved(place: Place, error: BaseException) -> Finding:
    check = f"{place.prefix}dns"
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
        return broken(
            f"{check}-unavailable",
            f"the name {place.host} cannot be resolved now: the resolver has no answer ({error.strerror})",
            "check the name, and that this machine or container reaches its DNS server",
        )
    advice = f"check the spelling of the host in the endpoint of {place.who}"
    if "." not in place.host:
        advice += "; a short name resolves only where its service, container network or namespace is"
    return broken(f"{check}-unknown-name", f"the name {place.host} does not resolve", advice)


def connect(place: Place, addresses: list[_Address], seconds: float) -> Steps[Connected | None]:
    """A connection to the first address that takes one."""
    check = f"{place.prefix}tcp"
    failures: list[tuple[str, OSError]] = []
    deadline = time.monotonic() + seconds
    for number, (family, address) in enumerate(addresses):
        share = max(0.05, (deadline - time.monotonic()) / (len(addresses) - number))
        connecting = socket.socket(family, socket.SOCK_STREAM)
        connecting.settimeout(share)
        try:
            connecting.connect(address)
        except OSError as error:
            connecting.close()
            failures.append((str(address[0]), error))
            continue
        for failed, why in failures:
            # localhost is ::1 first nearly everywhere, and a refusal costs nothing.
            kind = ok if isinstance(why, ConnectionRefusedError) else warning
            yield kind(
                f"{check}-one-address-fails",
                f"of the addresses of {place.host}, {failed} does not answer: {_said(why)}",
                "" if kind is ok else "each new connection may wait for it; take the address out of DNS",
            )
        yield ok(check, f"{place} takes connections ({address[0]})")
        return Connected(connecting, family, address)
    yield _unreached(place, [why for _, why in failures], seconds)
    return None


def _unreached(place: Place, errors: list[OSError], seconds: float) -> Finding:
    check = f"{place.prefix}tcp"
    refused = [error for error in errors if isinstance(error, ConnectionRefusedError)]
    if refused:
        return broken(
            f"{check}-refused",
            f"nothing listens on {place}: connection refused",
            f"start {place.who}, or mend host and port where it is named{_hint(place)}",
        )
    if any(isinstance(error, TimeoutError) for error in errors):
        return broken(
            f"{check}-timeout",
            f"{place} does not answer: no connection within {seconds:g} s",
            "a firewall, security group or network policy drops the packets, or the host is "
            f"down{_hint(place)}",
        )
    if any(error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH) for error in errors):
        return broken(
            f"{check}-unreachable",
            f"{place} cannot be reached: {_said(errors[0])}",
            "there is no route to it from here: check the network, and IPv6 where the address is one",
        )
    return broken(f"{check}-failed", f"no connection to {place}: {_said(errors[0])}", "check host and port")


def _said(error: OSError) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else error.strerror or type(error).__name__


def _hint(place: Place) -> str:
    usual = next((port for port, name in _CONVENTION.items() if name == place.protocol), None)
    other = _CONVENTION.get(place.port)
    if other and other != place.protocol:
        return f"; {place.port} is usually the port for {other}, and {place.protocol} has {usual}"
    if place.port in (80, 443) and usual:
        return f"; collectors usually take {place.protocol} on {usual}"
    if place.host in ("localhost", "127.0.0.1", "::1"):
        return "; in a container, localhost is the container itself"
    return ""
