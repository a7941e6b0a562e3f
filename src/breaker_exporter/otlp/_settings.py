"""The settings of an OTLP exporter, by either protocol, with OpenTelemetry's defaults.

Their variables are those of traces; :func:`for_signal` gives those of another signal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal, cast

from .._base import checks as check
from .._base.checks import one_of
from .._base.setting import Kind, Setting, switch
from . import _headers as rules
from ._endpoints import GRPC_ENDPOINT, GRPC_PORT, HTTP_ENDPOINT, grpc_endpoint, http_endpoint
from ._signals import TRACES

Protocol = Literal["http/protobuf", "grpc"]
Compression = Literal["none", "gzip", "deflate"]


_READER = "OpenTelemetry Python"
_LONGEST_TIMEOUT = 60.0
"""Seconds; a larger number looks like milliseconds, which OpenTelemetry's specification has."""


def timeout(name: str, value: object) -> check.Seconds:
    """A time for one export; one that looks like milliseconds is one WARNING.

    Raises:
        TypeError: Not a number.
        ValueError: Out of range.
    """
    return check.seconds(name, value, _LONGEST_TIMEOUT, _READER)


def timeout_hint(seconds: float) -> str:
    """The hint for a timeout that looks like milliseconds; empty for any other."""
    return check.milliseconds_hint(seconds, _LONGEST_TIMEOUT, _READER)


def protocol(name: str, value: object) -> Protocol:
    """``http/protobuf`` or ``grpc``: what OpenTelemetry Python has exporters for.

    Raises:
        TypeError: Not a string.
        ValueError: Another word.
    """
    return cast(Protocol, one_of("http/protobuf", "grpc")(name, value))


def size_limit(name: str, value: object) -> int:
    """A number of bytes; 0, which means any, for what is below it too, as OpenTelemetry's exporters have it.

    Raises:
        TypeError: Not an ``int`` (``bool`` is none).
    """
    return max(0, check.whole(name, value))


def compression(name: str, value: object) -> Compression:
    """A compression of OTLP over HTTP.

    Raises:
        TypeError: Not a string.
        ValueError: Another word.
    """
    return cast(Compression, one_of("none", "gzip", "deflate")(name, value))


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


def _variables(name: str) -> tuple[str, str]:
    return f"OTEL_EXPORTER_OTLP_{TRACES.word}_{name}", f"OTEL_EXPORTER_OTLP_{name}"


def _credential_provider(*variables: str) -> Setting[str | None]:
    return Setting(
        variables=variables,
        kind=Kind("an installed credential provider", check.text),
        default=None,
        about="the entry point of a function that gives a session (HTTP) or a channel's keys (gRPC)",
    )


PROTOCOL = Setting(
    variables=_variables("PROTOCOL"),
    argument="protocol",
    kind=Kind("one of http/protobuf, grpc", protocol),
    default="http/protobuf",
    about="how telemetry is sent",
)
ENDPOINT = Setting(
    variables=_variables("ENDPOINT"),
    argument="endpoint",
    kind=Kind("a URL such as http://collector:4318", http_endpoint),
    default=HTTP_ENDPOINT,
    about=f"the collector; for gRPC the default is port {GRPC_PORT}. HTTP: `{TRACES.path}`, or the path of "
    "another signal, is added unless it is there, and a query is kept. gRPC: without a user; a target such "
    "as `collector:4317` will do, which means TLS",
)
GRPC = replace(
    ENDPOINT, kind=Kind("a URL such as http://collector:4317", grpc_endpoint), default=GRPC_ENDPOINT
)
INSECURE = Setting(
    variables=_variables("INSECURE"),
    kind=switch(("true",), ("false",)),
    default=False,
    fallback="false",
    about="gRPC without TLS, where the endpoint has neither `http` nor `https`",
)
HEADERS = Setting[Mapping[str, str] | None](
    variables=_variables("HEADERS"),
    argument="headers",
    kind=Kind("a mapping of strings to strings", strings),
    default=None,
    about="`name=value,name=value`, percent-encoded. A header that HTTP or gRPC cannot send is left out and "
    "named; a value is never logged",
)
TIMEOUT = Setting[float](
    variables=_variables("TIMEOUT"),
    argument="timeout",
    kind=Kind("a finite number of seconds, above 0", check.finite_seconds, float),
    default=10.0,
    unit="s",
    about="time for one export",
)
COMPRESSION = Setting[Compression](
    variables=_variables("COMPRESSION"),
    argument="compression",
    kind=Kind("one of none, gzip, deflate", compression, str.lower),
    default="none",
    about="compression of a request's body; `deflate` by HTTP alone",
)
GRPC_COMPRESSION = replace(
    COMPRESSION,
    kind=Kind(
        "one of none, gzip",
        cast(Callable[[str, object], Compression], one_of("none", "gzip")),
        str.lower,
    ),
)
MAX_REQUEST_SIZE = Setting(
    argument="max_request_size",
    kind=Kind("a whole number", size_limit, int),
    default=64 << 20,
    unit="bytes",
    about="largest request before compression, by HTTP; 0 or less: any",
)
GRPC_MAX_REQUEST_SIZE = replace(
    MAX_REQUEST_SIZE,
    default=4 << 20,  # what gRPC servers take unless told otherwise
    about="largest request before compression, by gRPC; 0 or less: any",
)
INTERNAL_METRICS = Setting(
    variables=("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED",),
    kind=switch(("true",), ("false",)),
    default=False,
    fallback="false",
    about="`true`: the exporters count under the names of OpenTelemetry's own (`otel.sdk.exporter.*`), with "
    "other attributes of failures; all else is false",
)
_FILE = Kind("a readable file in PEM format", check.text)
CERTIFICATE = Setting[str | None](
    variables=_variables("CERTIFICATE"),
    kind=_FILE,
    default=None,
    about="what the collector's certificate is verified by; by HTTP it may be a folder",
)
CLIENT_KEY = Setting[str | None](
    variables=_variables("CLIENT_KEY"), kind=_FILE, default=None, about="the key of the client's certificate"
)
CLIENT_CERTIFICATE = Setting[str | None](
    variables=_variables("CLIENT_CERTIFICATE"),
    kind=_FILE,
    default=None,
    about="the client's certificate; by HTTP its file may hold the key too",
)
# HTTP asks the general one first, gRPC the one for the signal: so do OpenTelemetry's exporters.
HTTP_CREDENTIALS = _credential_provider(
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER",
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER",
)
GRPC_CREDENTIALS = _credential_provider(
    "OTEL_PYTHON_EXPORTER_OTLP_GRPC_TRACES_CREDENTIAL_PROVIDER",
    "OTEL_PYTHON_EXPORTER_OTLP_GRPC_CREDENTIAL_PROVIDER",
)
DECLARED = (
    *(PROTOCOL, ENDPOINT, INSECURE, HEADERS, TIMEOUT, COMPRESSION, INTERNAL_METRICS),
    *(CERTIFICATE, CLIENT_KEY, CLIENT_CERTIFICATE),
    *(HTTP_CREDENTIALS, GRPC_CREDENTIALS),
)
