"""Which of the variables for proxies is in force."""

from __future__ import annotations

import ipaddress
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

from .._base import environment

_INSIDE = (".local", ".internal", ".svc", ".localhost", ".lan")
"""Ends of names that mean something inside of a network alone."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and what has it: a variable, or nothing where it is a setting of the system's."""

    url: str
    variable: str | None

    @property
    def source(self) -> str:
        return self.variable or "the system's configuration"


def chosen(scheme: str, *, may_be_any: bool = True) -> Proxy | None:
    """The proxy for URLs of this scheme, by Python's rules, be the host exempt or not.

    Args:
        scheme: ``http`` or ``https``.
        may_be_any: ``ALL_PROXY`` counts too, as for requests.
    """
    found = urllib.request.getproxies()
    for name in (scheme, "all") if may_be_any else (scheme,):
        if url := found.get(name):
            return Proxy(url, _variable("_".join((name, "proxy"))))
    return None


def exempting() -> str | None:
    """The variable with the hosts that are asked without a proxy."""
    return next((name for name in ("no_proxy", "NO_PROXY") if environment.snapshot().get(name)), None)


def others(in_force: Proxy) -> list[str]:
    """Variables with another proxy, which therefore have no part in it."""
    return [
        name
        for name, value in environment.snapshot().items()
        if name.lower() in ("http_proxy", "https_proxy", "all_proxy") and value and value != in_force.url
    ]


def is_inside(host: str) -> bool:
    """True for a host of this machine or network, for which a proxy is hardly meant."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.lower().rstrip(".").endswith((*_INSIDE, ".cluster.local"))


def _variable(name: str) -> str | None:
    """Where Python has it from: lower case wins."""
    return next(filter(None, _holding(name)), None)


def _holding(name: str) -> Iterator[str | None]:
    variables = environment.snapshot()
    yield name if variables.get(name) else None
    yield from (each for each, value in variables.items() if each.lower() == name and value)
