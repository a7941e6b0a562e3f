"""The process's Sentry client: found or made, prepared for the mode, and flushed at the end.

sentry_sdk is imported where it is used, since it brings ``ssl`` along.
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
from ._settings import SentryMode
from ._suppression import ignore_loggers, keep_out_of_traces

if TYPE_CHECKING:
    from sentry_sdk.client import BaseClient
    from sentry_sdk.integrations import Integration
    from sentry_sdk.integrations.otlp import OTLPIntegration

    from .._base.values import CircuitTransition
    from ._settings_in_force import SentrySettings


def is_initialised() -> bool:
    """True where the process has a client with a DSN that is not closed."""
    get_client = getattr(sys.modules.get("sentry_sdk"), "get_client", None)
    if get_client is None:
        return False
    client = get_client()
    return bool(client.dsn and client.transport)  # a closed client has no transport


def connect(settings: SentrySettings) -> BaseClient | None:
    """Find the process's client, or make one; ``None`` where there is none and no DSN is known.

    Raises:
        SentryUnavailable: The DSN is malformed, or sentry-sdk is missing or lacks what the mode needs.
    """
    check_version(settings.mode)
    import sentry_sdk

    client = sentry_sdk.get_client()
    if is_initialised():
        say(logging.INFO, "Sentry was initialised before; its client stays as it is")
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
    """Send the events that are queued, within the time given.

    The interpreter's exit then does not wait once more for what could not be sent.
    """
    begun = time.monotonic()
    wait_at_exit = client.options["shutdown_timeout"]
    client.options["shutdown_timeout"] = 0
    client.flush(timeout=seconds)
    if time.monotonic() - begun < seconds * 0.9:
        client.options["shutdown_timeout"] = wait_at_exit


def report_transition(transition: CircuitTransition) -> None:
    """Report a circuit that opens or closes to Sentry: a listener for a ``CircuitBreakerSpanExporter``.

    A circuit that opens is one event, of level warning and grouped by the circuit's name. One that closes is
    a breadcrumb on later events. Does nothing in a process that has not imported sentry_sdk.
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
    except (BadDsn, ValueError):  # whose texts repeat parts of the DSN
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
    """Add OTLPIntegration: without its exporter, which has no circuit, and without its propagator."""
    from sentry_sdk.integrations.otlp import OTLPIntegration

    if not any(isinstance(integration, OTLPIntegration) for integration in integrations):
        integrations = [*integrations, OTLPIntegration()]
    return [_linking_only(each) if isinstance(each, OTLPIntegration) else each for each in integrations]


def _linking_only(integration: OTLPIntegration) -> OTLPIntegration:
    if not (integration.setup_otlp_traces_exporter or integration.setup_propagator):
        return integration
    ours = copy.copy(integration)
    ours.setup_otlp_traces_exporter = ours.setup_propagator = False
    return ours


def _link_errors() -> None:
    """Give events the ids of OpenTelemetry's current span, sampled or not, as OTLPIntegration does.

    Sentry then no longer sends trace headers of its own, with ids that OpenTelemetry does not know.
    """
    from sentry_sdk.scope import register_external_propagation_context

    def current_span() -> tuple[str, str] | None:
        span = trace.get_current_span().get_span_context()
        return (f"{span.trace_id:032x}", f"{span.span_id:016x}") if span.is_valid else None

    register_external_propagation_context(current_span)
