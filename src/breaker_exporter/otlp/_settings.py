"""What the settings of an OTLP exporter accept, in code or in the environment.

Checks as in ``_base.checks``: each names the argument or variable, the value and what is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast
from urllib.parse import urldefrag, urlsplit, urlunsplit

from .._base import checks as check
from .._base.checks import one_of
from .._base.redaction import shown
from . import _headers as rules

Protocol = Literal["http/protobuf", "grpc"]
Compression = Literal["none", "gzip", "deflate"]

_TRACES_PATH = "/v1/traces"


def protocol(name: str, value: object) -> Protocol:
    """``http/protobuf`` or ``grpc``: what OpenTelemetry Python has exporters for.

    Raises:
        TypeError: Not a string.
        ValueError: Another word.
    """
    return cast(Protocol, one_of("http/protobuf", "grpc")(name, value))


def compression(name: str, value: object) -> Compression:
    """What OTLP over HTTP may be compressed with.

    Raises:
        TypeError: Not a string.
        ValueError: Another word.
    """
    return cast(Compression, one_of("none", "gzip", "deflate")(name, value))


def http_endpoint(name: str, value: object) -> str:
    """An HTTP URL, without blanks around it.

    Raises:
        TypeError: Not a string.
        ValueError: Not an HTTP URL with a host.
    """
    text = check.text(name, value).strip()
    if not _is_http_url(text):
        raise ValueError(f"{name} must be a URL such as http://collector:4318, not {shown(value)}")
    return urldefrag(text).url


def grpc_endpoint(name: str, value: object) -> str:
    """An HTTP URL, or another target that gRPC knows, such as ``collector:4317`` (which means TLS).

    Raises:
        TypeError: Not a string.
        ValueError: Neither, or it has a user in it, which gRPC takes for a part of the host's name.
    """
    text = check.text(name, value).strip()
    is_url = text.lower().startswith(("http:", "https:"))
    is_broken = any(character.isspace() or character in "\"'" for character in text)
    if is_broken or (is_url and not _is_http_url(text)):
        raise ValueError(f"{name} must be a URL such as http://collector:4317, not {shown(value)}")
    if "@" in text and not text.startswith("unix"):
        raise ValueError(
            f"{name} must have no user in it for gRPC, which takes it for a part of the host's name "
            f"(credentials go into the headers), not {shown(value)}"
        )
    return text


def with_traces_path(endpoint: str) -> str:
    """A base URL's place for traces, with its query; a URL that names the place already is kept."""
    url = urlsplit(endpoint)
    path = url.path.rstrip("/")
    return urlunsplit(url._replace(path=path if path.endswith(_TRACES_PATH) else path + _TRACES_PATH))


def headers(name: str, value: object, protocol: Protocol) -> dict[str, str]:
    """A mapping of strings to strings that can be sent by `protocol`; names in lower case.

    Raises:
        TypeError: Not such a mapping. No value is shown.
        ValueError: A header can never be sent. Its name is shown, its value is not.
    """
    found = rules.given(strings(name, value), protocol)
    if found.faults:
        raise ValueError(f"{name}: {'; '.join(found.faults)}")
    return found.usable


def strings(name: str, value: object) -> Mapping[str, str]:
    """A mapping of strings to strings.

    Raises:
        TypeError: It is none. No value is shown.
    """
    if not isinstance(value, Mapping) or not all(
        isinstance(text, str) for pair in value.items() for text in pair
    ):
        raise TypeError(f"{name} must be a mapping of strings to strings, not {type(value).__name__}")
    return value


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
