"""The process's Sentry client: found or made, fit for the mode, kept out of traces, and flushed at the end.

Nothing of sentry_sdk is loaded before it is called for, since that brings ``ssl`` along.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context

from ._log import say
from ._sentry_settings import SentryMode
from ._shown import shown
from ._state import CircuitState

if TYPE_CHECKING:
    from sentry_sdk.client import BaseClient
    from sentry_sdk.integrations import Integration
    from sentry_sdk.integrations.otlp import OTLPIntegration

    from ._sentry_settings import SentrySettings
    from ._state import CircuitTransition

_OLDEST = "2.48"
_LOGGERS = ("breaker_exporter", "opentelemetry.exporter.*", "opentelemetry.sdk.*")
"""An outage makes these complain, and each complaint would be an event of the quota."""
_SUPPRESS = "suppress_instrumentation"
"""The key in a context by which instrumentations are told to make no spans."""
_ADD = {
    SentryMode.OTLP: (
        "integrations=[OTLPIntegration(setup_otlp_traces_exporter=False, setup_propagator=False)]"
    ),
    SentryMode.SPAN_PROCESSOR: 'instrumenter="otel", traces_sample_rate=1.0',
}
"""What ``sentry_sdk.init`` is to be called with."""


class Unusable(Exception):
    """Sentry cannot be had; the text is one line without secrets."""


def connect(settings: SentrySettings) -> BaseClient | None:
    """The client that is there, or else one that is made; ``None`` without a DSN.

    Raises:
        Unusable: The DSN is malformed, or sentry-sdk is missing or lacks what the mode needs.
    """
    _check_version(settings.mode)
    import sentry_sdk

    client = sentry_sdk.get_client()
    if client.dsn and client.transport:  # one that was closed has none
        say(logging.INFO, "Sentry is initialised already; attached to the client that is there")
    elif settings.dsn:
        _initialise(settings, settings.dsn)
        client = sentry_sdk.get_client()
    else:
        return None
    if advice := _advice(client, settings.mode):
        say(logging.WARNING, "Sentry, where sentry_sdk.init is called: %s", advice)
    _ignore_loggers()
    _keep_out_of_traces(client)
    return client


def takes_spans(client: BaseClient, mode: SentryMode) -> bool:
    """Whether they are for us to bring, and the client does something with them."""
    if mode is SentryMode.SPAN_PROCESSOR:
        return bool(client.options.get("instrumenter") == "otel")
    integration = _otlp_integration(client)
    return integration is None or not integration.setup_otlp_traces_exporter


def flush(client: BaseClient, seconds: float) -> None:
    """Sends what is queued, within the time given.

    What has not gone by then is given up: at its exit, the interpreter would wait for it once more.
    """
    begun = time.monotonic()
    client.flush(timeout=seconds)
    if time.monotonic() - begun > seconds * 0.9:
        client.close(timeout=0)


def report_transition(transition: CircuitTransition) -> None:
    """A listener for :class:`~breaker_exporter.CircuitBreakerSpanExporter` that tells Sentry.

    One event, of level warning and grouped by the circuit's name, where a circuit opens; a breadcrumb, which
    later events have, where it closes. Nothing in a process without sentry-sdk.
    """
    if "sentry_sdk" not in sys.modules:
        return
    import sentry_sdk

    said = (
        f"circuit {transition.name}: {transition.old.value} -> {transition.new.value} ({transition.reason})"
    )
    if transition.new is CircuitState.CLOSED:
        sentry_sdk.get_global_scope().add_breadcrumb(category="breaker_exporter", level="info", message=said)
    elif transition.old is CircuitState.CLOSED:
        sentry_sdk.capture_event(
            {
                "logger": "breaker_exporter",
                "level": "warning",
                "message": said,
                "fingerprint": ["breaker_exporter", transition.name],
                "tags": {"circuit": transition.name},
            }
        )


def _check_version(mode: SentryMode) -> None:
    try:
        from sentry_sdk.consts import VERSION
        from sentry_sdk.integrations import DidNotEnable
    except ImportError:
        raise Unusable('sentry-sdk is missing: pip install "breaker-exporter[sentry]"') from None
    try:
        if _number(VERSION) < _number(_OLDEST):
            raise ImportError
        if mode is SentryMode.SPAN_PROCESSOR:
            import sentry_sdk.integrations.opentelemetry
        else:
            import sentry_sdk.integrations.otlp  # noqa: F401
    except ImportError:
        raise Unusable(
            f"the mode {mode.value} needs sentry-sdk {_OLDEST} or a newer 2.x, and {VERSION} is installed"
        ) from None
    except DidNotEnable as error:
        raise Unusable(f"the mode {mode.value} cannot be had: {error}") from None


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


def _initialise(settings: SentrySettings, dsn: str) -> None:
    import sentry_sdk
    from sentry_sdk.utils import BadDsn, Dsn

    try:
        Dsn(dsn)
    except (BadDsn, ValueError):  # whose texts hold parts of it
        raise Unusable(f"the DSN must be like https://key@o0.ingest.sentry.io/0, not {shown(dsn)}") from None
    options: dict[str, Any] = {
        "release": settings.release,
        "environment": settings.environment,
        **settings.options,
    }
    if settings.mode is SentryMode.SPAN_PROCESSOR:
        options.update(instrumenter="otel", traces_sample_rate=settings.traces_sample_rate)
    else:
        options["integrations"] = _with_otlp(list(options.get("integrations") or ()))
    sentry_sdk.init(dsn=dsn, **options)


def _with_otlp(integrations: list[Integration]) -> list[Integration]:
    """Without its exporter, which nothing guards, and its propagator, which replaces all others."""
    from sentry_sdk.integrations.otlp import OTLPIntegration

    if any(isinstance(integration, OTLPIntegration) for integration in integrations):
        return integrations
    return [*integrations, OTLPIntegration(setup_otlp_traces_exporter=False, setup_propagator=False)]


def _otlp_integration(client: BaseClient) -> OTLPIntegration | None:
    from sentry_sdk.integrations.otlp import OTLPIntegration

    return client.get_integration(OTLPIntegration)


def _advice(client: BaseClient, mode: SentryMode) -> str | None:
    if mode is SentryMode.SPAN_PROCESSOR:
        return None if takes_spans(client, mode) else f"no spans go there; add {_ADD[mode]}"
    if not takes_spans(client, mode):
        return f"spans go there by its own exporter, without a circuit; use {_ADD[mode]}"
    if (integration := _otlp_integration(client)) is None:
        return f"errors are not linked to traces; add {_ADD[mode]}"
    if integration.setup_propagator:
        return f"its propagator takes the place of the W3C one; use {_ADD[mode]}"
    if any(client.options.get(name) is not None for name in ("traces_sample_rate", "traces_sampler")):
        return "errors are not linked to traces; take traces_sample_rate and traces_sampler away"
    return None


def _ignore_loggers() -> None:
    from sentry_sdk.integrations import logging as of_sentry

    # Newer versions have a list of its own for what goes to Sentry's logs.
    ignore_for_logs = getattr(of_sentry, "ignore_logger_for_sentry_logs", of_sentry.ignore_logger)
    for name in _LOGGERS:
        of_sentry.ignore_logger(name)
        ignore_for_logs(name)


def _keep_out_of_traces(client: BaseClient) -> None:
    """The thread that sends to Sentry makes no spans, where HTTP clients are instrumented.

    By what is public, that thread can be told so only with an envelope, whose items it looks at. This one has
    none, so nothing is sent. Under gevent the thread is a greenlet, which would begin in a request's context.
    """
    from sentry_sdk.envelope import Envelope, Item
    from sentry_sdk.transport import BaseHttpTransport

    caller = threading.get_ident()

    class Telling(Envelope):
        @property
        def items(self) -> list[Item]:
            if threading.get_ident() != caller:
                otel_context.attach(otel_context.set_value(_SUPPRESS, True))
            return []

        @items.setter
        def items(self, items: list[Item]) -> None:
            """There are none."""

    if isinstance(client.transport, BaseHttpTransport):
        client.transport.capture_envelope(Telling())
