"""Sentry beside OpenTelemetry: errors linked to traces, and nothing that blocks, recurses or burns the quota.

Importing this loads nothing of sentry_sdk, which must not come before gevent's monkey patch. Under Gunicorn
the hooks call it at the right moment; elsewhere ``Telemetry(sentry=Sentry(...))`` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._client import report_transition
from ._settings import Sentry, SentryMode

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from .._spans import CircuitBreakerSpanExporter

__all__ = ["Sentry", "SentryMode", "attach_sentry", "init_sentry", "report_transition"]


def init_sentry(
    provider: TracerProvider,
    *,
    dsn: str | None = None,
    mode: SentryMode | None = None,
    release: str | None = None,
    environment: str | None = None,
    traces_sample_rate: float | None = None,
    report_transitions: bool = False,
    **sentry_options: object,
) -> CircuitBreakerSpanExporter | None:
    """Initialise Sentry, link its errors to the traces of `provider`, and send it these traces.

    After gevent's monkey patch and after the fork. Where the application has initialised Sentry already, its
    client is attached to as by :func:`attach_sentry`. The circuit's settings are those of the environment
    (``BREAKER_EXPORTER_*``). Fails open: what is wrong with DSN or sentry-sdk is one WARNING, and the process
    runs without Sentry; with ``BREAKER_EXPORTER_STRICT=1`` it raises.

    Args:
        provider: Whose spans go to Sentry; its resource gives the release where nothing else does.
        dsn: ``SENTRY_DSN``. Without one, Sentry is off.
        mode: ``BREAKER_EXPORTER_SENTRY_MODE``. Default ``SentryMode.OTLP``.
        release: ``SENTRY_RELEASE``. Default: ``service.name@service.version``.
        environment: ``SENTRY_ENVIRONMENT``.
        traces_sample_rate: Share of the traces that goes to Sentry, from 0 to 1;
            ``SENTRY_TRACES_SAMPLE_RATE``. Default 1. With ``SentryMode.OTLP`` it never gets into
            ``sentry_sdk.init``, where it would unlink errors from traces; with ``SPAN_PROCESSOR`` it gets
            there alone, and a client that the application has initialised keeps its own.
        report_transitions: Report circuits that open and close (:func:`report_transition`).
        **sentry_options: More of ``sentry_sdk.init``.

    Returns:
        The exporter that spans go to Sentry by, for its ``health()``; ``None`` where they do not go by one.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: One is out of range, or `provider` has Sentry already, set up otherwise.
        TelemetryError: Sentry cannot be had, or a variable is bad, where strict.
    """
    given = Sentry(
        dsn=dsn,
        mode=mode,
        release=release,
        environment=environment,
        traces_sample_rate=traces_sample_rate,
        report_transitions=report_transitions,
        options=sentry_options,
    )
    return _wire(provider, given, may_initialise=True)


def attach_sentry(
    provider: TracerProvider,
    *,
    mode: SentryMode | None = None,
    traces_sample_rate: float | None = None,
    report_transitions: bool = False,
) -> CircuitBreakerSpanExporter | None:
    """As :func:`init_sentry`, with the client that the application has initialised; its DSN and options hold.

    Where the client lacks what the mode needs, one WARNING has the line to add.

    Returns:
        The exporter that spans go to Sentry by; ``None`` where they do not go by one.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: One is out of range, or `provider` has Sentry already, set up otherwise.
        TelemetryError: There is no client, or a variable is bad, where strict.
    """
    given = Sentry(mode=mode, traces_sample_rate=traces_sample_rate, report_transitions=report_transitions)
    return _wire(provider, given, may_initialise=False)


def _wire(
    provider: TracerProvider, given: Sentry, *, may_initialise: bool
) -> CircuitBreakerSpanExporter | None:
    from . import _connection  # which loads the OpenTelemetry SDK

    return _connection.attach(provider, given, may_initialise=may_initialise)
