"""What goes into a reason: where a request went to, and what the other side said. Never a secret."""

from __future__ import annotations

from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


def place(url: str) -> str:
    """Host and port of a URL, or of a target of gRPC's: no user, path or query.

    Args:
        url: Such as ``http://user:word@collector:4318/v1/traces?key=secret`` or ``collector:4317``.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    authority = rest.partition("?")[0].partition("#")[0]
    if scheme.lower() in _PORTS or not separator:
        authority = authority.partition("/")[0]
    authority = authority.rpartition("@")[2]
    try:
        has_port = urlsplit(f"//{authority}").port is not None
    except ValueError:
        has_port = True
    port = _PORTS.get(scheme.lower())
    return authority if has_port or port is None else f"{authority}:{port}"
