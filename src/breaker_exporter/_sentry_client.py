"""The process's Sentry client: found or made, fit for the mode, told of circuits, and flushed at the end.

Nothing of sentry_sdk is loaded before it is called for, since that brings ``ssl`` along.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from ._log import say
from ._sentry_quiet import ignore_loggers, keep_out_of_traces
from ._sentry_settings import SentryMode
from ._state import CircuitState

if TYPE_CHECKING:
    from sentry_sdk.client import BaseClient
    from sentry_sdk.integrations import Integration
    from sentry_sdk.integrations.otlp import OTLPIntegration

    from ._sentry_settings import SentrySettings
    from ._state import CircuitTransition

_OLDEST = "2.48"
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
    if client.dsn and client.transport:  # one that is closed has none
        say(logging.INFO, "Sentry is initialised already; attached to the client that is there")
    elif settings.dsn:
        _initialise(settings, settings.dsn)
        client = sentry_sdk.get_client()
    else:
        return None
    if advice := _advice(client, settings.mode):
        say(logging.WARNING, "Sentry, where sentry_sdk.init is called: %s", advice)
    if settings.mode is SentryMode.SPAN_PROCESSOR:
        _link_errors()
    ignore_loggers()
    keep_out_of_traces(client)
    return client


def takes_spans(client: BaseClient, mode: SentryMode) -> bool:
    """Whether they are for us to bring, and the client does something with them."""
    if mode is SentryMode.SPAN_PROCESSOR:
        return bool(client.options.get("instrumenter") == "otel")
    integration = _otlp_integration(client)
    return integration is None or not integration.setup_otlp_traces_exporter


def flush(client: BaseClient, seconds: float) -> None:
    """Sends what is queued, within the time given.

    What has not gone by then has had its time: the interpreter's exit does not wait for it once more.
    """
    begun = time.monotonic()
    wait_at_exit = client.options["shutdown_timeout"]
    client.options["shutdown_timeout"] = 0
    client.flush(timeout=seconds)
    if time.monotonic() - begun < seconds * 0.9:
        client.options["shutdown_timeout"] = wait_at_exit


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
    return tuple(map(int, re.findall(r"\d+", version)[:2]))


def _initialise(settings: SentrySettings, dsn: str) -> None:
    import sentry_sdk
    from sentry_sdk.utils import BadDsn, Dsn

    try:
        Dsn(dsn.encode("ascii").decode())
    except (BadDsn, ValueError):  # whose texts hold parts of it
        raise Unusable("the DSN must be like https://key@o0.ingest.sentry.io/0, not ***") from None
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
        is_ready = takes_spans(client, mode) and _samples(client)
        return None if is_ready else f"no spans go there; add {_ADD[mode]}"
    if not takes_spans(client, mode):
        return f"spans go there by its own exporter, without a circuit; use {_ADD[mode]}"
    if (integration := _otlp_integration(client)) is None:
        return f"errors are not linked to traces; add {_ADD[mode]}"
    if integration.setup_propagator:
        return f"its propagator takes the place of the W3C one; use {_ADD[mode]}"
    if _samples(client):
        return "errors are not linked to traces; take traces_sample_rate and traces_sampler away"
    return None


def _samples(client: BaseClient) -> bool:
    return any(client.options.get(name) is not None for name in ("traces_sample_rate", "traces_sampler"))


def _link_errors() -> None:
    """Events have the ids of OpenTelemetry's current span, be it sampled or not, as with OTLPIntegration.

    Sentry's own trace headers, of ids that OpenTelemetry knows nothing of, are no longer sent with it.
    """
    from sentry_sdk.scope import register_external_propagation_context

    def current_span() -> tuple[str, str] | None:
        span = trace.get_current_span().get_span_context()
        return (f"{span.trace_id:032x}", f"{span.span_id:016x}") if span.is_valid else None

    register_external_propagation_context(current_span)
