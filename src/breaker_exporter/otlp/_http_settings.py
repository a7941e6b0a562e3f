"""A client by HTTP, of the arguments of an exporter, and of variables where an argument is not given."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from importlib.metadata import version

import requests

from .._base.environment import Environment
from . import _credentials
from . import _environment as variables
from . import _settings as otlp
from ._send.http import Poster
from ._settings import Compression
from ._signals import Signal


def http_poster(
    url: str,
    environment: Environment,
    signal: Signal,
    *,
    certificate_file: str | None,
    client_key_file: str | None,
    client_certificate_file: str | None,
    headers: Mapping[str, str] | None,
    compression: Compression | enum.Enum | None,
    session: requests.Session | None,
) -> tuple[Poster, Compression]:
    """Return what posts to `url`, and how requests are compressed; the arguments are the exporter's.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
        TelemetryError: A variable is bad, where strict.
    """
    packed: Compression = (
        variables.compression(environment, "http/protobuf", signal)
        if compression is None
        else otlp.compression("compression", getattr(compression, "value", compression))
    )
    sent = {
        "accept-encoding": "identity",
        "content-type": "application/x-protobuf",
        "user-agent": f"breaker-exporter/{version('breaker-exporter')}",
        **variables.headers(environment, "http/protobuf", signal),
        **({} if headers is None else otlp.headers("headers", headers, "http/protobuf")),
    }
    if packed != "none":
        sent["content-encoding"] = packed
    files = variables.files(environment, signal)
    key = client_key_file or files.client_key
    certificate = client_certificate_file or files.client_certificate
    poster = Poster(
        url,
        sent,
        verify=certificate_file or files.certificate or True,
        certificate=(certificate, key) if certificate and key else certificate,
        session=session or _credentials.load(environment, "http/protobuf", signal, requests.Session),
    )
    return poster, packed
