"""Sentry beside OpenTelemetry: errors linked to traces, and traces sent to Sentry behind a circuit.

Under Gunicorn the hooks start Sentry; elsewhere ``Telemetry(sentry=Sentry(...))`` does. An application that
uses neither calls :func:`connect_sentry`.

Importing this module does not import sentry_sdk, which must come after gevent's monkey patch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._client import report_transition
from ._settings import Sentry, SentryMode

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from .._spans import CircuitBreakerSpanExporter

__all__ = ["Sentry", "SentryMode", "connect_sentry", "report_transition"]


def connect_sentry(
    provider: TracerProvider, sentry: Sentry | None = None
) -> CircuitBreakerSpanExporter | None:
    """Link Sentry's errors to the traces of `provider`, and send these traces to Sentry.

    For an application that uses neither the Gunicorn hooks nor ``Telemetry``. Call it after gevent's monkey
    patch, and in each process that serves after its fork.

    If the application has called ``sentry_sdk.init``, its client stays, with its DSN and options; where it
    lacks something, one WARNING has the line to add. Otherwise this function calls ``sentry_sdk.init``,
    unless there is no DSN: then Sentry is off.

    A further call for the same provider changes nothing and returns the same exporter.

    It fails open: what is wrong with the DSN or with sentry-sdk is one WARNING, and the process runs without
    Sentry. With ``BREAKER_EXPORTER_STRICT=1`` it raises instead.

    Args:
        provider: Its spans go to Sentry; its resource names the release where nothing else does.
        sentry: Settings. What they leave out comes from the environment. The circuit's settings come from
            ``BREAKER_EXPORTER_*`` alone.

    Returns:
        The exporter that sends the spans, for its ``health()``. ``None`` where no exporter of this package
        sends them: Sentry is off, or its own span processor does.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: `provider` is connected already, and `sentry` sets something to another value.
        TelemetryError: Sentry cannot be used, or a variable is bad, where ``BREAKER_EXPORTER_STRICT=1``.
    """
    from . import _connection  # which imports the OpenTelemetry SDK

    return _connection.connect_provider(provider, sentry)
