"""Sentry's requests make no spans and no log records, and log lines of an outage no events: no loops."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context

from .._concurrency.log_feedback import without_feedback

if TYPE_CHECKING:
    from sentry_sdk.client import BaseClient

_LOGGERS = ("breaker_exporter", "opentelemetry.exporter.*", "opentelemetry.sdk.*")
"""In an outage these loggers write many lines, and each would be an event of Sentry's quota."""
_SUPPRESS = "suppress_instrumentation"
"""The key in a context by which instrumentations are told to make no spans."""


def ignore_loggers() -> None:
    """Make Sentry ignore what exporters, the SDK and this package log: no events, breadcrumbs or logs."""
    from sentry_sdk.integrations import logging as of_sentry

    # Newer versions of sentry-sdk have a list of their own for Sentry's logs.
    ignore_for_logs = getattr(of_sentry, "ignore_logger_for_sentry_logs", of_sentry.ignore_logger)
    for name in _LOGGERS:
        of_sentry.ignore_logger(name)
        ignore_for_logs(name)


def keep_out_of_traces(client: BaseClient) -> None:
    """Suppress the spans of requests to Sentry, where HTTP clients are instrumented, and what these log.

    By a private method, with which Sentry's thread sends. Anything public reaches that thread once, and not
    the thread that starts after a fork. Where the method is missing, the requests make spans.
    """
    transport: Any = client.transport
    send = getattr(transport, "_send_envelope", None)
    if send is None or inspect.iscoroutinefunction(send) or isinstance(send, _Suppressed):
        return
    transport._send_envelope = _Suppressed(without_feedback(send))


@dataclass(frozen=True, slots=True)
class _Suppressed:
    """A call during which instrumentations make no spans."""

    call: Callable[..., object]

    def __call__(self, *args: object, **kwargs: object) -> object:
        token = otel_context.attach(otel_context.set_value(_SUPPRESS, True))
        try:
            return self.call(*args, **kwargs)
        finally:
            otel_context.detach(token)
