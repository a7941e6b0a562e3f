"""The way to a collector by HTTP: proxy, connection, empty requests by the exporter's own client."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..._base.redaction import shown
from ..report import Steps, broken, warning
from ..settings.routes import Route
from . import answers, failures, proxies
from .connection import Connected, Place
from .protocols import Ending, Speech, spoken
from .tls import Trust, approach

if TYPE_CHECKING:
    from ...otlp._send.connections import OwnSession

_ENDINGS = {"LATE": Ending.TIME_OVER, "TOO_LARGE": Ending.ENDLESS, "CLOSED": Ending.CLOSED}


Origin = tuple[Place, Trust]
"""What several signals may share: the place, and the certificates that are shown and trusted there."""


def origin_of(route: Route) -> Origin:
    """Return the origin of a route."""
    url = urlsplit(route.endpoint)
    is_tls = url.scheme == "https"
    trust = Trust.of(route.environment, route.signal, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    port = url.port or (443 if is_tls else 80)
    return Place("the collector", "", url.hostname or "", port, is_tls, "HTTP"), trust


def examine(
    origin: Origin, routes: Sequence[Route], step: float, patience: float, *, can_ask: bool
) -> Steps[None]:
    """Find what is wrong from the name to the answers.

    Each step before the requests has `step` seconds, a request `patience`; without the exporter's packages
    (`can_ask`) none is sent. After one without an answer, no other follows.
    """
    (place, trust), first = origin, routes[0]
    url = urlsplit(first.endpoint)
    if place.tls and first.environment.value("SSL_CERT_FILE") and not trust.authorities:
        text = "SSL_CERT_FILE is set, and the exporter for HTTP does not read it"
        yield warning("ssl-cert-file", text, "set OTEL_EXPORTER_OTLP_CERTIFICATE, or REQUESTS_CA_BUNDLE")
    connected = None
    if can_ask and (proxy := proxies.of_requests(first.endpoint)):
        if not (yield from proxies.check_http(url, proxy, step)):
            return
    else:
        yield from proxies.check_exempt(url)
        connected = yield from approach(place, trust, step)
        if connected is None:
            return
        connected.socket.close()
    if not can_ask:
        return
    from ...otlp._send.connections import OwnSession

    with OwnSession() as session:  # not that of a credential provider, which is not asked
        for route in routes:
            if not (yield from _ask(route, session, origin, connected, patience)):
                return


def _ask(
    route: Route, session: OwnSession, origin: Origin, connected: Connected | None, patience: float
) -> Steps[bool]:
    """Post the empty request; without a connection that was made before, it goes through a proxy.

    Returns:
        False where there was no answer.
    """
    from ...otlp._http_settings import http_poster
    from ...otlp._send.compression import compressed
    from ...otlp._send.connections import Flight
    from ...otlp._send.failures import Failure, NoAnswer, NotFollowed

    place, trust = origin
    poster, compression = http_poster(
        route.endpoint,
        route.environment,
        route.signal,
        certificate_file=trust.authorities,
        client_key_file=trust.key,
        client_certificate_file=trust.certificate,
        headers=route.settings.headers,
        compression=None,
        session=session,
    )
    flight = Flight(time.monotonic() + patience, patience)
    failed: NoAnswer | None = None
    try:
        answer = poster.post(compressed(b"", compression, lambda: None), flight)
    except NotFollowed as reason:
        advice = "make that address the endpoint, if it is right: spans and credentials go to no other host"
        yield broken("http-redirect", str(reason), advice)
        return True
    except NoAnswer as reason:
        failed = reason
    took = time.monotonic() - flight.asked_at
    if flight.redirected_to:
        text = f"the endpoint redirects to {shown(flight.redirected_to)}"
        yield warning("http-redirect", text, "make that the endpoint: a redirect costs each export a request")
    if failed is None:
        if answer.status == 400 and connected and spoken(place, connected, b"") is Speech.TLS:
            # Servers that speak TLS tell those who do not by an HTTP 400 in plain text.
            yield failures.tls_wanted(place)
        else:
            yield answers.of_http(answer, took, route)
    elif failed.failure is Failure.UNSENDABLE:
        yield answers.unsendable()
    elif connected is None or flight.redirected_to:
        advice = "look at the proxy, or at the address of the redirect"
        yield broken("otlp-not-reached", f"the request on that way failed: {failed}", advice)
    else:
        ending = _ENDINGS.get(failed.failure.name, Ending.RESET)
        first, count = flight.first, flight.received
        yield failures.Attempt(place, trust, connected, first, count, ending, patience).cause()
    return failed is None
