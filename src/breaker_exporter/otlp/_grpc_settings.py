"""OpenTelemetry's gRPC exporter, given all that it would read from the environment, checked, as arguments."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import grpc

from .._base.address import place
from .._base.environment import Environment
from .._base.log import say
from .._base.meter_provider import metered
from . import _credentials
from . import _environment as variables
from ._settings import HEADERS, RETRYABLE_CODES, TIMEOUT

if TYPE_CHECKING:
    from .._wiring.settings import Settings
    from ._send.grpc import SlicingOTLPSpanExporter

_UNREADABLE = b"unreadable"
_TRACES_TIMEOUT = TIMEOUT.variables[0]


def made(
    kind: type[SlicingOTLPSpanExporter], settings: Settings, environment: Environment
) -> SlicingOTLPSpanExporter:
    """An exporter of this kind.

    Raises:
        TelemetryError: A variable is bad, where strict.
    """
    endpoint = settings.endpoint or variables.endpoint(environment, "grpc")
    is_plain = _is_plain(endpoint, environment)
    headers = settings.headers or variables.headers(environment, "grpc")
    is_gzip = variables.compression(environment, "grpc") == "gzip"
    credentials = None if is_plain else _channel_credentials(environment)
    if is_plain and (named := [name for name in _credentials.VARIABLES["grpc"] if environment.value(name)]):
        say(logging.WARNING, "%s has no effect on spans: %s goes without TLS", named[0], place(endpoint))
    with metered(environment), environment.hidden([*_read_all_the_same(environment, headers)]):
        return kind(
            endpoint,
            insecure=is_plain,
            credentials=credentials,
            headers=headers,
            timeout=settings.timeout,
            compression=grpc.Compression.Gzip if is_gzip else grpc.Compression.NoCompression,
            spare=settings.export_timeout - settings.timeout,
        )


def _is_plain(endpoint: str, environment: Environment) -> bool:
    """Whether there is no TLS: never with https, else as a variable says, else with http alone."""
    scheme = urlsplit(endpoint).scheme
    insecure = variables.insecure(environment)
    return scheme != "https" and (scheme == "http" if insecure is None else insecure[1])


def _channel_credentials(environment: Environment) -> grpc.ChannelCredentials:
    """What a credential provider gives, else what the files hold, else what gRPC trusts by itself."""
    given = _credentials.load(environment, "grpc", grpc.ChannelCredentials)
    if given is not None:
        return given
    files = variables.files(environment)
    pair = files.client_key, files.client_certificate
    # One of them without the other is told already.
    key, certificate = pair if all(pair) else (None, None)
    return grpc.ssl_channel_credentials(*map(_content, (files.certificate, key, certificate)))


def _content(path: str | None) -> bytes | None:
    """What a file holds: where it is unreadable, which is told already, each export fails as by HTTP.

    So it is with an empty one: gRPC would abort the process where one of key and certificate is empty.
    """
    try:
        return None if path is None else Path(path).read_bytes() or _UNREADABLE
    except OSError:
        return _UNREADABLE


def _read_all_the_same(environment: Environment, headers: dict[str, str]) -> Iterator[str]:
    """Variables that the exporter reads whatever it is given, where it would stumble over them."""
    try:
        float(environment.value(_TRACES_TIMEOUT) or "")
    except ValueError:
        yield _TRACES_TIMEOUT
    if not headers:
        yield from HEADERS.variables
    if environment.get(RETRYABLE_CODES) is None and environment.value(RETRYABLE_CODES.variable):
        yield RETRYABLE_CODES.variable
