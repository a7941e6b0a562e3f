"""TLS by gRPC: if there is any, and by which credentials, as OpenTelemetry's gRPC exporter has it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import grpc

from .._base.address import place
from .._base.environment import Environment
from .._base.log import say
from .._base.redaction import shown
from . import _credentials
from . import _environment as variables
from ._environment import Files
from ._send.sender import NotReady
from ._signals import Signal


def credentials_of(
    url: str,
    insecure: bool | None,
    given: grpc.ChannelCredentials | None,
    files: Files,
    environment: Environment,
    signal: Signal,
) -> Callable[[], grpc.ChannelCredentials] | None:
    """A function that gives the credentials of each channel that is made; ``None``: no TLS.

    They are what was given, else what a credential provider gives, else what the files hold by then.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A file that was given cannot be read.
        TelemetryError: A variable is bad, where strict.
    """
    if given is not None and not isinstance(given, grpc.ChannelCredentials):
        raise TypeError(f"credentials must be grpc.ChannelCredentials, not {type(given)}")
    variables.check_given_files(files, "grpc")
    if _is_plain(url, insecure, environment, signal):
        named = [name for name in _credentials.variables("grpc", signal) if environment.value(name)]
        for name in [*(["credentials"] if given is not None else []), *named][:1]:
            say(logging.WARNING, "%s has no effect on %s: %s goes without TLS", name, signal.unit, place(url))
        return None
    provided = given or _credentials.load(environment, "grpc", signal, grpc.ChannelCredentials)
    if provided is not None:
        return lambda: provided
    paths = (path or other for path, other in zip(files, variables.files(environment, signal), strict=True))
    found = Files(*paths)
    return lambda: _of(found)


def _is_plain(url: str, insecure: bool | None, environment: Environment, signal: Signal) -> bool:
    """True where there is no TLS: never with https, else as asked for, else with http alone."""
    if not isinstance(insecure, bool | None):
        raise TypeError(f"insecure must be True, False or None, not {insecure!r}")
    if insecure is None and urlsplit(url).scheme != "https":
        asked = variables.insecure(environment, signal)
        insecure = None if asked is None else asked[1]
    return not variables.is_tls(url, insecure)


def _of(files: Files) -> grpc.ChannelCredentials:
    pair = files.client_key, files.client_certificate
    # One of them without the other is told already.
    key, chain = pair if all(pair) else (None, None)
    return grpc.ssl_channel_credentials(*map(_content, (files.certificate, key, chain)))


def _content(path: str | None) -> bytes | None:
    """Read a file.

    Raises:
        NotReady: It cannot be read, or is empty: with an empty key gRPC would abort the process.
    """
    if path is None:
        return None
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise NotReady(f"{shown(path)} cannot be used for TLS: {error.strerror}") from None
    if not content:
        raise NotReady(f"{shown(path)} cannot be used for TLS: it is empty")
    return content
