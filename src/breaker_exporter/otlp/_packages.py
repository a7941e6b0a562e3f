"""The packages that speak OTLP: there, missing, or there and broken, which are three different things."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from .._base.redaction import message
from ._settings import Protocol


def check_installed(protocol: Protocol) -> None:
    """Without importing it.

    Raises:
        ImportError: What speaks this protocol is missing; the text says how to get it.
    """
    try:
        version(package_of(protocol))
    except PackageNotFoundError:
        raise ImportError(f"{package_of(protocol)} is missing: {_install(protocol)}") from None


@contextlib.contextmanager
def importing(protocol: Protocol) -> Iterator[None]:
    """Inside stands nothing but the import of what exports by this protocol.

    Raises:
        ImportError: It is missing, or cannot be imported; the text says why, and what to do.
    """
    try:
        yield
    except Exception as error:
        check_installed(protocol)
        package = package_of(protocol)
        raise ImportError(
            f"{package} {version(package)} is installed and cannot be imported (mend it by "
            f"{_install(protocol)} --upgrade): {cause_of(error)}"
        ) from error


def cause_of(error: BaseException) -> str:
    """The error that an import failed with. Its text is of code and versions: it holds no settings."""
    return message(f"{type(error).__name__}: {error}")


def package_of(protocol: Protocol) -> str:
    """The distribution that speaks this protocol."""
    return "grpcio" if protocol == "grpc" else "opentelemetry-exporter-otlp-proto-http"


def _install(protocol: Protocol) -> str:
    return f'pip install "breaker-exporter[{"grpc" if protocol == "grpc" else "otlp"}]"'
