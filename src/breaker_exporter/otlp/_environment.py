"""The settings of an OTLP exporter of one signal as the environment gives them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from .._base.environment import Environment
from .._base.redaction import shown
from . import _headers as rules
from ._endpoints import with_path
from ._settings import (
    CERTIFICATE,
    CLIENT_CERTIFICATE,
    CLIENT_KEY,
    COMPRESSION,
    ENDPOINT,
    GRPC,
    GRPC_COMPRESSION,
    HEADERS,
    INSECURE,
    TIMEOUT,
    Compression,
    Protocol,
)
from ._settings import timeout as checked_timeout
from ._signals import Signal, for_signal


class Files(NamedTuple):
    """Paths for TLS; ``None`` where a variable is unset."""

    certificate: str | None
    client_key: str | None
    client_certificate: str | None


def endpoint(environment: Environment, protocol: Protocol, signal: Signal) -> str:
    """The URL that a signal is posted to, or the target of gRPC, credentials and all."""
    if protocol == "grpc":
        return environment.in_force(for_signal(GRPC, signal))
    setting = for_signal(ENDPOINT, signal)
    own, _ = setting.variables
    name, url = environment.found(setting) or ("", setting.default)
    return url if name == own else with_path(url, signal)


def insecure(environment: Environment, signal: Signal) -> tuple[str, bool] | None:
    """The variable that says if gRPC goes without TLS where the URL does not say it, and its value.

    OpenTelemetry takes anything but ``true`` for false.
    """
    for name in for_signal(INSECURE, signal).variables:
        if text := environment.value(name):
            if text.lower() not in ("true", "false"):
                why = f"{name} must be true or false, not {shown(text)}"
                environment.complain(why, "read as false, as OpenTelemetry does")
            return name, text.lower() == "true"
    return None


def is_tls(url: str, insecure: bool | None) -> bool:
    """True where gRPC speaks TLS: by ``https``, else as `insecure` says, else unless by ``http``."""
    scheme = urlsplit(url).scheme
    return scheme == "https" or (scheme != "http" if insecure is None else not insecure)


def timeout(environment: Environment, signal: Signal, given: float | None) -> float:
    """The seconds for one export: those given in code, else those of the variable, else the default.

    Raises:
        TypeError: `given` is no number.
        ValueError: It is out of range.
    """
    if given is not None:
        return checked_timeout("timeout", given)
    return checked_timeout(*(environment.found(for_signal(TIMEOUT, signal)) or ("timeout", TIMEOUT.default)))


def compression(environment: Environment, protocol: Protocol, signal: Signal) -> Compression:
    """The compression of a request's body."""
    setting = GRPC_COMPRESSION if protocol == "grpc" else COMPRESSION
    return environment.in_force(for_signal(setting, signal))


def headers(environment: Environment, protocol: Protocol, signal: Signal) -> dict[str, str]:
    """The headers that can be sent, with names in lower case; read as OpenTelemetry reads them."""
    for name in for_signal(HEADERS, signal).variables:
        if text := environment.value(name):
            found = rules.parsed(text, protocol)
            for fault in found.faults:
                environment.complain(f"{name}: {fault}", "left out")
            return found.usable  # those of all signals may be secrets for another backend
    return {}


def files(environment: Environment, signal: Signal) -> Files:
    """Paths, each as it stands in its variable."""
    certificate, client_key, client_certificate = (
        next(filter(None, map(environment.value, for_signal(setting, signal).variables)), None)
        for setting in (CERTIFICATE, CLIENT_KEY, CLIENT_CERTIFICATE)
    )
    return Files(certificate, client_key, client_certificate)


def check_given_files(given: Files, protocol: Protocol) -> None:
    """Check paths that were given in code; those that are empty are unset.

    Raises:
        ValueError: One cannot be used. The path is shown.
    """
    for name, path in zip(given._fields, given, strict=True):
        if path and not _is_usable(path, may_be_folder=protocol != "grpc" and name == "certificate"):
            raise ValueError(f"{name}_file must be {CERTIFICATE.kind.allowed}, not {shown(path)}")


def check(environment: Environment, protocol: Protocol, signal: Signal) -> None:
    """Complain of all that an exporter of `signal` for `protocol` cannot use, without making one.

    Raises:
        TelemetryError: A variable is bad, where strict.
    """
    endpoint(environment, protocol, signal)
    if protocol == "grpc":
        insecure(environment, signal)
    compression(environment, protocol, signal)
    headers(environment, protocol, signal)
    _check_files(environment, protocol, signal)


def _check_files(environment: Environment, protocol: Protocol, signal: Signal) -> None:
    has_all = True
    for setting in (CERTIFICATE, CLIENT_KEY, CLIENT_CERTIFICATE):
        may_be_folder = protocol != "grpc" and setting is CERTIFICATE
        for name in for_signal(setting, signal).variables:
            path = environment.value(name)
            if path and not _is_usable(path, may_be_folder=may_be_folder):
                # Kept: to verify by other certificates than those asked for is no default.
                environment.complain(
                    f"{name} must be {setting.kind.allowed}, not {shown(path)}",
                    "the exporter gets it as it is",
                )
                has_all = False
    found = files(environment, signal)
    # By HTTP the file of a certificate may hold the key too.
    is_without_key = protocol == "grpc" and found.client_certificate and not found.client_key
    if has_all and (is_without_key or (found.client_key and not found.client_certificate)):
        both = f"{CLIENT_KEY.variable} and {CLIENT_CERTIFICATE.variable}"
        environment.complain(f"{both} must be set together", "no client certificate is shown")


def _is_usable(path: str, *, may_be_folder: bool) -> bool:
    """Return true if a file for TLS can be read and is in PEM format, which OpenSSL and gRPC both ask for."""
    if os.path.isdir(path):
        return may_be_folder and os.access(path, os.R_OK)
    try:
        # A pipe, say, could be read once.
        return os.access(path, os.R_OK) and (
            not os.path.isfile(path) or b"-----BEGIN " in Path(path).read_bytes()
        )
    except OSError:
        return False
