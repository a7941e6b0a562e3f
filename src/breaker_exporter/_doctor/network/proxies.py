"""Proxies: the variable in force, by the rules of requests and of gRPC, and if the proxy is there."""

from __future__ import annotations

import ipaddress
import urllib.request
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from ..._base import environment
from ..._base.environment import Environment
from ..._base.redaction import shown
from ..report import Steps, broken, ok, warning
from .connection import Place, reach

_INSIDE = (".local", ".internal", ".svc", ".localhost", ".lan", ".cluster.local")
"""Ends of names that mean something inside of a network alone."""
_PORTS = {"https": 443, "socks5": 1080, "socks5h": 1080}
_OF_GRPC = ("grpc_proxy", "https_proxy", "http_proxy")
_UNREAD_BY_GRPC = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "all_proxy")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and where it is set: a variable, or nothing where it is a setting of the system's."""

    url: str
    variable: str | None

    @property
    def source(self) -> str:
        return self.variable or "the system's configuration"


def chosen(scheme: str, *, may_be_any: bool = True) -> Proxy | None:
    """Return the proxy for URLs of this scheme, by Python's rules, be the host exempt or not.

    Args:
        scheme: ``http`` or ``https``.
        may_be_any: ``ALL_PROXY`` counts too, as for requests.
    """
    found = urllib.request.getproxies()
    variables = environment.snapshot()
    for name in (scheme, "all") if may_be_any else (scheme,):
        if url := found.get(name):
            holding = [each for each, value in variables.items() if each.lower() == f"{name}_proxy" and value]
            # Lower case wins.
            return Proxy(url, max(holding, key=str.islower) if holding else None)
    return None


def of_requests(url: str) -> str | None:
    """Return the proxy that the exporter goes through by HTTP."""
    import requests

    with requests.Session() as session:
        settings = session.merge_environment_settings(url, {}, None, None, None)
    return requests.utils.select_proxy(url, settings["proxies"])


def check_http(url: SplitResult, proxy: str, step: float) -> Steps[bool]:
    """Tell of the proxy that requests go through; return true if it takes connections."""
    host = url.hostname or ""
    known = chosen(url.scheme) or Proxy(proxy, None)
    unused = [
        name
        for name, value in environment.snapshot().items()
        if name.lower() in ("http_proxy", "https_proxy", "all_proxy") and value and value != known.url
    ]
    text = f"requests to {host} go through the proxy {shown(proxy)}, which {known.source} has"
    text += f" (not {', '.join(unused)})" if unused else ""
    advice = f"where that is not meant, put {host} into {_exempting() or 'NO_PROXY'}"
    advice += ", which does not exempt it" if _exempting() else ""
    brief = f"through the proxy {shown(proxy)}"
    yield (warning if is_inside(host) else ok)("proxy", text, advice, brief=brief)
    return (yield from is_there(proxy, step))


def check_exempt(url: SplitResult) -> Steps[None]:
    """Tell of a proxy that is not used by HTTP, since the host is exempt."""
    known, exempting = chosen(url.scheme), _exempting()
    if known and exempting:
        where = f"{exempting} exempts it from the proxy that {known.source} has"
        yield ok("proxy-exempt", f"requests to {url.hostname} go straight there: {where}")


def check_grpc(target: str, host: str | None, variables: Environment, step: float) -> Steps[bool | None]:
    """Tell of proxies, by gRPC's rules (its ``environment_variables.md``).

    Returns:
        ``None`` where no proxy is used, else true if it takes connections.
    """
    name = next(filter(variables.value, _OF_GRPC), None) if host else None
    unread = [each for each in _UNREAD_BY_GRPC if variables.value(each)]
    if name is None:
        if unread:
            reads = f"it reads {', '.join(_OF_GRPC)}, and not {', '.join(unread)}"
            yield ok("proxy-unread", f"gRPC goes straight to {target}: {reads}")
        return None
    exempting = next(filter(variables.value, ("no_grpc_proxy", "no_proxy")), "")
    ends = filter(None, map(str.strip, (variables.value(exempting) or "").split(",")))
    if any((host or "").endswith(end) for end in ends):
        text = f"gRPC goes straight to {target}: {exempting} exempts it from the proxy that {name} has"
        yield ok("proxy-exempt", text)
        return None
    proxy = variables.value(name) or ""
    advice = "where that is not meant, put the host into no_proxy, in lower case"
    brief = f"through the proxy {shown(proxy)}"
    yield ok("proxy", f"gRPC goes {brief}, which {name} has", advice, brief=brief)
    return (yield from is_there(proxy, step))


def is_there(proxy: str, step: float) -> Steps[bool]:
    """Return true if a proxy takes connections."""
    try:
        url = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        host, port = url.hostname, url.port or _PORTS.get(url.scheme, 80)
    except ValueError:
        host, port = None, 0
    if not host:
        text = f"the proxy {shown(proxy)} has no host, or no port that is one"
        yield broken("proxy-malformed", text, "correct the variable")
        return False
    connected = yield from reach(Place("the proxy", "proxy-", host, port, False, ""), step)
    if connected is not None:
        connected.socket.close()
    return connected is not None


def is_inside(host: str) -> bool:
    """Return true for a host of this machine or network, for which a proxy is hardly meant."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.lower().rstrip(".").endswith(_INSIDE)


def _exempting() -> str | None:
    """Return the variable with the hosts that are asked without a proxy."""
    return next((name for name in ("no_proxy", "NO_PROXY") if environment.snapshot().get(name)), None)
