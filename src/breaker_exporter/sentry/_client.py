"""The process's Sentry client: found or made, fit for the mode, told of circuits, and flushed at the end.

Nothing of sentry_sdk is loaded before it is called for, since that brings ``ssl`` along.
"""

from __future__ import annotations

import copy
import logging
import sys
import time
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from .._base.log import say
from .._base.redaction import message
from .._base.values import CircuitState
from ._advice import advice
from ._package import SentryUnavailable, check_version
from ._quiet import ignore_loggers, keep_out_of_traces
from ._settings import SentryMode

if TYPE_CHECKING:
    from sentry_sdk.client import BaseClient
    from sentry_sdk.integrations import Integration
    from sentry_sdk.integrations.otlp import OTLPIntegration

    from .._base.values import CircuitTransition
    from ._settings import SentrySettings


def is_initialised() -> bool:
    """True where the application has a client that is at work."""
    get_client = getattr(sys.modules.get("sentry_sdk"), "get_client", None)
    if get_client is None:
        return False
    client = get_client()
    return bool(client.dsn and client.transport)  # one that is closed has none


def connect(settings: SentrySettings) -> BaseClient | None:
    """The client that is there, or else one that is made; ``None`` without a DSN.

    Raises:
        SentryUnavailable: The DSN is malformed, or sentry-sdk is missing or lacks what the mode needs.
    """
    check_version(settings.mode)
    import sentry_sdk

    client = sentry_sdk.get_client()
    if is_initialised():
        say(logging.INFO, "Sentry is initialised already; attached to the client that is there")
    elif settings.dsn:
        _initialise(settings, settings.dsn)
        client = sentry_sdk.get_client()
    else:
        return None
    if lacking := advice(client, settings.mode):
        say(logging.WARNING, "Sentry: %s", lacking)
    if settings.mode is SentryMode.SPAN_PROCESSOR:
        _link_errors()
    ignore_loggers()
    keep_out_of_traces(client)
    return client


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


def _initialise(settings: SentrySettings, dsn: str) -> None:
    import sentry_sdk
    from sentry_sdk.utils import BadDsn, Dsn

    try:
        key = Dsn(dsn.encode("ascii").decode()).public_key
    except (BadDsn, ValueError):  # whose texts hold parts of it
        raise SentryUnavailable("the DSN must be like https://key@o0.ingest.sentry.io/0, not ***") from None
    try:
        sentry_sdk.init(dsn=dsn, **_options(settings))
    except Exception as error:
        hidden = (dsn, key, *(value for value in settings.options.values() if isinstance(value, str)))
        said = f"{type(error).__name__}: {message(str(error), hidden)}"
    else:
        return
    raise SentryUnavailable(f"sentry_sdk.init does not take what it is given: {said}")


def _options(settings: SentrySettings) -> dict[str, Any]:
    options: dict[str, Any] = {
        "release": settings.release,
        "environment": settings.environment,
        **settings.options,
    }
    if settings.mode is SentryMode.SPAN_PROCESSOR:
        options.update(instrumenter="otel", traces_sample_rate=settings.traces_sample_rate)
    else:
        options["integrations"] = _with_otlp(list(options.get("integrations") or ()))
    return options


def _with_otlp(integrations: list[Integration]) -> list[Integration]:
    """Without its exporter, which nothing guards, and its propagator, which replaces all others."""
    from sentry_sdk.integrations.otlp import OTLPIntegration

    if not any(isinstance(integration, OTLPIntegration) for integration in integrations):
        integrations = [*integrations, OTLPIntegration()]
    return [_quiet(each) if isinstance(each, OTLPIntegration) else each for each in integrations]


def _quiet(integration: OTLPIntegration) -> OTLPIntegration:
    if not (integration.setup_otlp_traces_exporter or integration.setup_propagator):
        return integration
    ours = copy.copy(integration)
    ours.setup_otlp_traces_exporter = ours.setup_propagator = False
    return ours


def _link_errors() -> None:
    """Events have the ids of OpenTelemetry's current span, be it sampled or not, as with OTLPIntegration.

    Sentry's own trace headers, of ids that OpenTelemetry knows nothing of, are no longer sent with it.
    """
    from sentry_sdk.scope import register_external_propagation_context

    def current_span() -> tuple[str, str] | None:
        span = trace.get_current_span().get_span_context()
        return (f"{span.trace_id:032x}", f"{span.span_id:016x}") if span.is_valid else None

    register_external_propagation_context(current_span)
