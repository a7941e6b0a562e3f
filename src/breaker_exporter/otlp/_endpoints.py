"""Endpoints of OTLP: the default ones, and checks of others.

Checks as in ``_base.checks``: each names the argument or variable, the value and what is allowed.
"""

from __future__ import annotations

from urllib.parse import urldefrag, urlsplit, urlunsplit

from .._base import checks as check
from .._base.address import place
from .._base.redaction import shown
from ._signals import SIGNALS, Signal

HTTP_PORT = 4318
GRPC_PORT = 4317
HTTP_ENDPOINT = f"http://localhost:{HTTP_PORT}"
GRPC_ENDPOINT = f"http://localhost:{GRPC_PORT}"

_RESOLVERS = frozenset(("dns", "ipv4", "ipv6", "unix", "unix-abstract", "vsock", "xds"))
"""Schemes of targets that gRPC itself reads; of any other, host and port are the target."""
_SCHEMES = ("http", "https", "grpc", "grpcs", *sorted(_RESOLVERS))
"""Schemes of a gRPC endpoint. OpenTelemetry's exporter takes any text, typing errors included."""


def http_endpoint(name: str, value: object) -> str:
    """An HTTP URL, without blanks around it.

    Raises:
        TypeError: Not a string.
        ValueError: Not an HTTP URL with a host.
    """
    text = check.text(name, value).strip()
    if not _is_http_url(text):
        raise ValueError(f"{name} must be a URL such as http://collector:{HTTP_PORT}, not {shown(value)}")
    return urldefrag(text).url


def grpc_endpoint(name: str, value: object) -> str:
    """An HTTP URL, or another target that gRPC knows, such as ``collector:4317`` (which means TLS).

    Raises:
        TypeError: Not a string.
        ValueError: Neither, or its scheme is unknown, or it has a user in it, which gRPC takes for a part of
            the host's name.
    """
    text = check.text(name, value).strip()
    is_url = text.lower().startswith(("http:", "https:"))
    is_broken = any(character.isspace() or character in "\"'" for character in text)
    if is_broken or (is_url and not _is_http_url(text)):
        raise ValueError(f"{name} must be a URL such as http://collector:{GRPC_PORT}, not {shown(value)}")
    scheme, is_given, _ = text.partition("://")
    if is_given and scheme.lower() not in _SCHEMES:
        raise ValueError(
            f"{name} must have one of the schemes {', '.join(_SCHEMES)}, or none, not {shown(value)}"
        )
    if "@" in text and not text.startswith("unix"):
        raise ValueError(
            f"{name} must have no user in it for gRPC, which takes it for a part of the host's name "
            f"(credentials go into the headers), not {shown(value)}"
        )
    return text


def grpc_target(url: str) -> str:
    """Return the target for gRPC: host and port of a URL, or a target of gRPC's own as it is."""
    parts = urlsplit(url)
    return parts.netloc if parts.netloc and parts.scheme not in _RESOLVERS else url


def target_place(target: str) -> str:
    """Host and port of a target of gRPC's, or the path of a socket, for log lines."""
    scheme, _, rest = target.partition(":")
    return rest.rpartition("/")[2] if scheme in ("dns", "ipv4", "ipv6") else place(target)


def with_path(endpoint: str, signal: Signal) -> str:
    """A base URL's place for a signal, with its query; of a URL for one of the signals, that one's base."""
    url = urlsplit(endpoint)
    path = url.path.rstrip("/")
    named = next((one.path for one in SIGNALS if path.endswith(one.path)), "")
    return urlunsplit(url._replace(path=path.removesuffix(named) + signal.path))


def _is_http_url(text: str) -> bool:
    if any(not character.isprintable() for character in text):  # which urlsplit would drop
        return False
    try:
        url = urlsplit(text)
        host = url.hostname or ""
        is_host = bool(host) and not any(character.isspace() for character in host)
        return url.scheme in ("http", "https") and is_host and url.port != 0
    except ValueError:
        return False
