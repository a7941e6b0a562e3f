"""The package sentry-sdk: is it installed, and does it have what the mode needs?"""

from __future__ import annotations

import re

from .._base.redaction import origin
from ._settings import SentryMode

_OLDEST = "2.48"
_EXTRA = 'pip install "breaker-exporter[sentry]"'


class SentryUnavailable(Exception):
    """Sentry cannot be used; the text is one line without secrets."""


def check_version(mode: SentryMode) -> None:
    """Check that the installed packages can do what the mode needs.

    Raises:
        SentryUnavailable: They cannot; the text says what to install.
    """
    try:
        from sentry_sdk.consts import VERSION
        from sentry_sdk.integrations import DidNotEnable
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "sentry_sdk":
            raise SentryUnavailable(_broken("sentry-sdk", error)) from None
        raise SentryUnavailable(f"sentry-sdk is missing: {_EXTRA}") from None
    except Exception as error:
        raise SentryUnavailable(_broken("sentry-sdk", error)) from None
    try:
        if _number(VERSION) < _number(_OLDEST):
            raise ImportError
        if mode is SentryMode.SPAN_PROCESSOR:
            import sentry_sdk.integrations.opentelemetry
        else:
            import sentry_sdk.integrations.otlp  # noqa: F401
    except ImportError:
        raise SentryUnavailable(
            f"the mode {mode.value} needs sentry-sdk {_OLDEST} or a newer 2.x, and {VERSION} is installed: "
            f'pip install "sentry-sdk>={_OLDEST},<3"'
        ) from None
    except DidNotEnable:
        raise SentryUnavailable(f"the mode {mode.value} {_what_is_missing()}: {_EXTRA}") from None


def _what_is_missing() -> str:
    """The reason why Sentry's integration of OpenTelemetry is not enabled."""
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter  # noqa: F401
    except Exception as error:
        return f"needs opentelemetry-exporter-otlp-proto-http, which cannot be imported ({origin(error)})"
    return "is not enabled by sentry-sdk"


def _broken(package: str, error: Exception) -> str:
    return f"{package} is installed, and cannot be imported ({origin(error)}): {_EXTRA} --force-reinstall"


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:2]))
