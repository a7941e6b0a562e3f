"""What keeps Sentry's sending out of the traces, and an outage's log lines out of Sentry's quota."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context

if TYPE_CHECKING:
    from sentry_sdk.client import BaseClient

_LOGGERS = ("breaker_exporter", "opentelemetry.exporter.*", "opentelemetry.sdk.*")
"""An outage makes these complain, and each complaint would be an event of the quota."""
_SUPPRESS = "suppress_instrumentation"
"""The key in a context by which instrumentations are told to make no spans."""


def ignore_loggers() -> None:
    """No events, breadcrumbs or logs of what exporters, the SDK and this package log."""
    from sentry_sdk.integrations import logging as of_sentry

    # Newer versions have a list of its own for what goes to Sentry's logs.
    ignore_for_logs = getattr(of_sentry, "ignore_logger_for_sentry_logs", of_sentry.ignore_logger)
    for name in _LOGGERS:
        of_sentry.ignore_logger(name)
        ignore_for_logs(name)


def keep_out_of_traces(client: BaseClient) -> None:
    """What is sent to Sentry makes no spans, where HTTP clients are instrumented.

    By a private door, the method with which Sentry's thread sends: what is public reaches that thread once,
    and not the one that comes after a fork. Where the method is not there, spans are made.
    """
    transport: Any = client.transport
    send = getattr(transport, "_send_envelope", None)
    if send is None or inspect.iscoroutinefunction(send) or isinstance(send, _Quietly):
        return
    transport._send_envelope = _Quietly(send)


@dataclass(frozen=True, slots=True)
class _Quietly:
    """A call in whose context instrumentations make no spans."""

    call: Callable[..., object]

    def __call__(self, *args: object, **kwargs: object) -> object:
        token = otel_context.attach(otel_context.set_value(_SUPPRESS, True))
        try:
            return self.call(*args, **kwargs)
        finally:
            otel_context.detach(token)
