"""Requests that do not go straight to the endpoint: through a proxy, or after a redirect."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from .._base.redaction import message, shown
from . import proxies
from .answer import Answer, judge
from .finding import Steps, broken, ok, warning
from .reach import Place, reach
from .request import Target, body_of, headers_of

_PORTS = {"https": 443, "socks5": 1080, "socks5h": 1080}


def redirected(target: Target, answer: Answer, patience: float) -> Steps[None]:
    """Where to, and what is answered there: the exporter's own rule says whether it is followed."""
    from ..otlp._send.failures import NotFollowed
    from ..otlp._send.redirects import next_url

    try:
        there = next_url(target.url, target.url, answer.location or "", answer.status, message)
    except NotFollowed as reason:
        yield broken(
            "http-redirect",
            f"{reason}",
            "where that address is right, make it the endpoint: spans and credentials go to no other host",
        )
        return
    yield warning(
        "http-redirect",
        f"HTTP {answer.status}: the endpoint redirects to {shown(there)}",
        "make that address the endpoint: a redirect costs each export a request",
    )
    yield from _posted(target, patience)


def proxy_of(url: str) -> str | None:
    """The proxy that the exporter would go through, as variables have it."""
    import requests

    with requests.Session() as session:
        settings = session.merge_environment_settings(url, {}, None, None, None)
    return requests.utils.select_proxy(url, settings["proxies"])


def through_proxy(target: Target, proxy: str, step: float, patience: float) -> Steps[None]:
    """Whether the proxy is there, and what is answered through it."""
    url = urlsplit(target.url)
    host = url.hostname or ""
    known = proxies.chosen(url.scheme) or proxies.Proxy(proxy, None)
    unused = proxies.others(known)
    exempting = proxies.exempting()
    yield (warning if proxies.is_inside(host) else ok)(
        "proxy",
        f"requests to {host} go through the proxy {shown(proxy)}, which {known.source} has"
        + (f" (not {', '.join(unused)})" if unused else ""),
        f"where that is not meant, put {host} into {exempting or 'NO_PROXY'}"
        + (", which does not exempt it" if exempting else ""),
    )
    if (yield from is_there(proxy, step)):
        yield from _posted(target, patience)


def exempt(url: str) -> Steps[None]:
    """Tell of a proxy that is not used, since the host is exempt."""
    parts = urlsplit(url)
    known, exempting = proxies.chosen(parts.scheme), proxies.exempting()
    if known and exempting:
        yield ok(
            "proxy-exempt",
            f"requests to {parts.hostname} go straight there: {exempting} exempts it from the proxy that "
            f"{known.source} has",
        )


def is_there(proxy: str, step: float) -> Steps[bool]:
    """Whether a proxy takes connections."""
    try:
        url = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        host, port = url.hostname, url.port or _PORTS.get(url.scheme, 80)
    except ValueError:
        host, port = None, 0
    if not host:
        yield broken(
            "proxy-malformed",
            f"the proxy {shown(proxy)} has no host, or no port that is one",
            "mend the variable",
        )
        return False
    connected = yield from reach(Place("the proxy", "proxy-", host, port, False, ""), step)
    if connected is not None:
        connected.socket.close()
    return connected is not None


def _posted(target: Target, patience: float) -> Steps[None]:
    """Posted as the exporter itself does it, through proxies and redirects."""
    from ..otlp._send.connections import Flight
    from ..otlp._send.failures import NoAnswer
    from ..otlp._send.http import Poster

    trust = target.trust
    certificate = (trust.certificate, trust.key) if trust.certificate and trust.key else trust.certificate
    poster = Poster(
        target.url,
        headers_of(target),
        verify=trust.authorities or True,
        certificate=certificate,
        session=None,
    )
    began = time.monotonic()
    try:
        answer = poster.post(body_of(target), Flight(began + patience, patience))
    except NoAnswer as reason:
        yield broken(
            "otlp-not-reached",
            f"the request on that way failed: {reason}",
            "look at the proxy, or at what is redirected to",
        )
    else:
        yield judge(
            Answer(
                answer.status,
                answer.body,
                answer.content_type,
                answer.retry_after,
                None,
                time.monotonic() - began,
            ),
            target.timeout,
        )
    finally:
        poster.close()
