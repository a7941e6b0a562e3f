"""From a name to a connection: DNS and TCP, each with its own deadline."""

from __future__ import annotations

import errno
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any

from ...otlp._endpoints import GRPC_PORT, HTTP_PORT
from ..report import Finding, Steps, broken, ok, warning

_MOST_ADDRESSES = 4
_SLOW = 1.0
"""Seconds."""
_HERE = ("localhost", "127.0.0.1", "::1")
_USUAL_PORTS = {"gRPC": GRPC_PORT, "HTTP": HTTP_PORT}

_Address = tuple[int, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Place:
    """The place where something listens."""

    who: str
    """Its name in the report."""
    prefix: str
    """The beginning of its checks' names."""
    host: str
    port: int
    tls: bool
    protocol: str
    """``HTTP`` or ``gRPC``."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Connected:
    """A socket, and the address that it is connected to."""

    socket: socket.socket
    family: int
    address: tuple[Any, ...]


def reach(place: Place, seconds: float) -> Steps[Connected | None]:
    """Resolve the name and connect; `seconds` for each of the two."""
    if not 0 < place.port < 1 << 16:
        advice = f"correct it where {place.who} is named: ports are 1 to 65535"
        yield broken(f"{place.prefix}port", f"{place.port} is no port", advice)
        return None
    addresses = yield from _resolve(place, seconds)
    return (yield from _connect(place, addresses, seconds)) if addresses else None


def _resolve(place: Place, seconds: float) -> Steps[list[_Address]]:
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
    if not found or isinstance(found[0], BaseException):
        yield _unresolved(place, found[0] if found else None, seconds)
        return []
    addresses = list(dict.fromkeys((family, address) for family, _, _, _, address in found[0]))
    names = ", ".join(str(address[0]) for _, address in addresses)
    # An address asks no resolver: then it was this machine that took its time.
    if took > _SLOW and names != place.host:
        advice = "look for a dead name server in resolv.conf, or a slow search domain: each connection waits"
        yield warning(f"{check}-slow", f"{place.host} is {names}, but resolving took {took:.1f} s", advice)
    else:
        yield ok(check, f"{place.host} is {names}")
    return addresses[:_MOST_ADDRESSES]


def _unresolved(place: Place, error: BaseException | None, seconds: float) -> Finding:
    check = f"{place.prefix}dns"
    if error is None:
        text = f"the name {place.host} was not resolved within {seconds:g} s"
        advice = (
            "look at /etc/resolv.conf and the network's DNS: the resolver of this machine does not answer"
        )
        return broken(f"{check}-timeout", text, advice)
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
        text = f"the name {place.host} cannot be resolved now: the resolver has no answer ({error.strerror})"
        advice = "check the name, and that this machine or container reaches its DNS server"
        return broken(f"{check}-unavailable", text, advice)
    advice = f"check the spelling of the host in the endpoint of {place.who}"
    if "." not in place.host:
        advice += "; a short name resolves only where its service, container network or namespace is"
    return broken(f"{check}-unknown-name", f"the name {place.host} does not resolve", advice)


def _connect(place: Place, addresses: list[_Address], seconds: float) -> Steps[Connected | None]:
    """Connect to the first address that takes a connection."""
    check = f"{place.prefix}tcp"
    failures: list[tuple[str, OSError]] = []
    deadline = time.monotonic() + seconds
    for number, (family, address) in enumerate(addresses):
        share = max(0.05, (deadline - time.monotonic()) / (len(addresses) - number))
        try:
            connected = connect_to(family, address, share)
        except OSError as error:
            failures.append((str(address[0]), error))
            continue
        for failed, why in failures:
            text = f"of the addresses of {place.host}, {failed} does not answer: {_said(why)}"
            if isinstance(why, ConnectionRefusedError):
                # localhost is ::1 first nearly everywhere, and a refusal costs nothing.
                yield ok(f"{check}-one-address-fails", text)
            else:
                advice = "take the address out of DNS: each new connection may wait for it"
                yield warning(f"{check}-one-address-fails", text, advice)
        brief = "" if place.protocol == "" else f"reachable at {place}"
        yield ok(check, f"{place} takes connections ({address[0]})", brief=brief)
        return Connected(connected, family, address)
    yield _unreached(place, [why for _, why in failures], seconds)
    return None


def connect_to(family: int, address: tuple[Any, ...], seconds: float) -> socket.socket:
    """Return a new connection, with that timeout.

    Raises:
        OSError: There is none.
    """
    connected = socket.socket(family, socket.SOCK_STREAM)
    connected.settimeout(seconds)
    try:
        connected.connect(address)
    except OSError:
        connected.close()
        raise
    return connected


def _unreached(place: Place, errors: list[OSError], seconds: float) -> Finding:
    check = f"{place.prefix}tcp"
    if any(isinstance(error, ConnectionRefusedError) for error in errors):
        advice = f"start {place.who}, or correct host and port where it is named{_hint(place)}"
        text, todo = f"nothing listens on {place}: connection refused", _collector_to_try(place)
        return broken(f"{check}-refused", text, advice, todo=todo)
    if any(isinstance(error, TimeoutError) for error in errors):
        text = f"{place} does not answer: no connection within {seconds:g} s"
        advice = (
            f"look for a firewall or network policy that drops packets, or a host that is down{_hint(place)}"
        )
        return broken(f"{check}-timeout", text, advice)
    if any(error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH) for error in errors):
        text = f"there is no route to {place}: {_said(errors[0])}"
        return broken(f"{check}-unreachable", text, "check the network, and IPv6 where the address is one")
    return broken(f"{check}-failed", f"no connection to {place}: {_said(errors[0])}", "check host and port")


def _said(error: OSError) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else error.strerror or type(error).__name__


def _hint(place: Place) -> str:
    usual = None if place.prefix else _USUAL_PORTS[place.protocol]
    other = next((name for name, port in _USUAL_PORTS.items() if port == place.port), place.protocol)
    if usual and other != place.protocol:
        return f"; {place.port} is usually the port for {other}, and {place.protocol} has {usual}"
    if usual and place.port in (80, 443):
        return f"; collectors usually take {place.protocol} on {usual}"
    return "; in a container, localhost is the container itself" if place.host in _HERE else ""


def _collector_to_try(place: Place) -> tuple[str, ...]:
    """Return how to start one where the collector of this machine is missing: ours, which speaks no TLS."""
    if place.prefix or place.tls or place.host not in _HERE:
        return ()
    usual = _USUAL_PORTS[place.protocol]
    port = "" if place.port == usual else f" --{place.protocol.lower()}-port {place.port}"
    text = "start the collector. Without one of your own, in another terminal:"
    return (text, f"python -m breaker_exporter.testing{port}")
