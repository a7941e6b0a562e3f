"""What the settings of an OTLP exporter accept, in code or in the environment.

Checks as in ``_arguments``: each names the argument or variable, the value and what is allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, cast
from urllib.parse import urlsplit, urlunsplit

from . import _arguments as check
from ._shown import shown

Protocol = Literal["http/protobuf", "grpc"]
Compression = Literal["none", "gzip", "deflate"]

_TRACES_PATH = "/v1/traces"


def one_of(*words: str) -> Callable[[str, object], str]:
    """A check for one of these words."""

    def check_word(name: str, value: object) -> str:
        if check.text(name, value) not in words:
            raise ValueError(f"{name} must be one of {', '.join(words)}, not {shown(value)}")
        return str(value)

    return check_word


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
    """An HTTP URL.

    Raises:
        TypeError: Not a string.
        ValueError: Not an HTTP URL with a host.
    """
    text = check.text(name, value)
    if not _is_http_url(text):
        raise ValueError(f"{name} must be a URL such as http://collector:4318, not {shown(value)}")
    return text


def grpc_endpoint(name: str, value: object) -> str:
    """An HTTP URL, or another target that gRPC knows, such as ``collector:4317`` (which means TLS).

    Raises:
        TypeError: Not a string.
        ValueError: Neither.
    """
    text = check.text(name, value)
    is_url = text.startswith(("http:", "https:"))
    if any(character.isspace() for character in text) or (is_url and not _is_http_url(text)):
        raise ValueError(f"{name} must be a URL such as http://collector:4317, not {shown(value)}")
    return text


def with_traces_path(endpoint: str) -> str:
    """A base URL's place for traces; a URL that names it already is kept."""
    url = urlsplit(endpoint)
    path = url.path.rstrip("/")
    return urlunsplit(url._replace(path=path if path.endswith(_TRACES_PATH) else path + _TRACES_PATH))


def headers(name: str, value: object) -> dict[str, str]:
    """A mapping of strings to strings; names in lower case, as gRPC wants them.

    Raises:
        TypeError: Not such a mapping. No value is shown.
        ValueError: A name is empty, or something has a line break in it.
    """
    if not isinstance(value, Mapping) or not all(
        isinstance(text, str) for pair in value.items() for text in pair
    ):
        raise TypeError(f"{name} must be a mapping of strings to strings, not {type(value).__name__}")
    if any(not key.strip() or "\n" in key + text or "\r" in key + text for key, text in value.items()):
        raise ValueError(f"{name} must have names that are not empty, and no line breaks")
    return {key.strip().lower(): text for key, text in value.items()}


def _is_http_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        return url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        return False
