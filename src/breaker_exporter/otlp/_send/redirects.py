"""Which redirects are followed: those that stay with the endpoint's host."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urljoin, urlsplit, urlunsplit

from ..._base.address import origin, place
from .failures import NotFollowed

REDIRECTS = (301, 302, 307, 308)
"""A POST stays one: servers that answer 303 want a GET."""

_Origin = tuple[str, str, int | None]


def next_url(endpoint: str, url: str, location: str, status: int, said: Callable[[str], str]) -> str:
    """The URL that a redirect leads to, with the endpoint's own host and user in it.

    Args:
        endpoint: The endpoint.
        url: What was posted to: the endpoint, or where it redirected to.
        location: The header of the answer.
        status: That of the answer.
        said: Makes the words of the other side fit for a log line.

    Raises:
        NotFollowed: It leads to another host or port, from https to http, or to another method.
    """
    try:
        target = urljoin(url, _text(location))
        here, there = origin(url), origin(target)
    except ValueError:
        raise NotFollowed(
            f"HTTP {status}: redirected to {said(location)}, which is no address: look at the endpoint"
        ) from None
    if status not in REDIRECTS or not (there == here or _is_upgrade(here, there)):
        where = said(f"{there[0]}://{place(target)}")
        raise NotFollowed(
            f"HTTP {status}: redirected to {where}, which is not followed: look at the endpoint"
        )
    scheme, netloc, *_ = urlsplit(endpoint)
    if there[0] != scheme:
        user, at, host = netloc.rpartition("@")
        netloc = f"{user}{at}{host.removesuffix(':80')}"
    # Never the host that the redirect names: others may read a name of that kind in another way.
    _, _, path, query, _ = urlsplit(target)
    return urlunsplit((there[0], netloc, path, query, ""))


def _text(location: str) -> str:
    """A header that may be UTF-8, which http.client reads as Latin-1."""
    try:
        return location.encode("latin-1").decode()
    except UnicodeError:
        return location


def _is_upgrade(here: _Origin, there: _Origin) -> bool:
    """True where it is the same host by TLS, each on its default port."""
    return here == ("http", there[1], 80) and there == ("https", here[1], 443)
