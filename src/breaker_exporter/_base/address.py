"""Host and port of a URL: as text for people, and as parts that can be compared."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}
_LONGEST_HOST = 255
"""Characters: no valid name is longer, and to normalise a longer one takes long."""


def place(url: str) -> str:
    """Return host and port of a URL, or of a gRPC target, without user, path and query.

    Args:
        url: For example ``http://user:word@collector:4318/v1/traces?key=secret`` or ``collector:4317``.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url.removeprefix("unix:")
    authority = rest.partition("?")[0].partition("#")[0]
    if not authority.startswith("/"):  # a socket in the file system is a path
        authority = authority.partition("/")[0]
    authority = authority.rpartition("@")[2]
    try:
        has_port = urlsplit(f"//{authority}").port is not None
    except ValueError:
        has_port = True
    port = _PORTS.get(scheme.lower())
    return authority if has_port or port is None else f"{authority}:{port}"


def origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of a URL in a normal form, so that they can be compared.

    Raises:
        ValueError: It is no URL.
    """
    parts = urlsplit(url)
    return parts.scheme, _host(parts.hostname or ""), parts.port or _PORTS.get(parts.scheme)


def _host(host: str) -> str:
    if len(host) > _LONGEST_HOST:
        return host.lower()
    try:
        return ipaddress.ip_address(host).compressed
    except ValueError:
        pass
    try:
        return host.encode("idna").decode().lower().rstrip(".")
    except UnicodeError:  # not valid as a host name; DNS accepts some of these
        return host.lower().rstrip(".")
