"""Sentry connected to a tracer provider, once: first the client, then the propagator, then the exporter."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast
from weakref import WeakKeyDictionary

from opentelemetry.sdk.trace import TracerProvider

from .._base.environment import Environment
from .._base.log import say
from .._base.meter_provider import metered
from .._base.redaction import origin
from .._base.variable_names import ours
from .._wiring import declared
from .._wiring.profiles import PROFILES, Profile
from .._wiring.provider import check_provider, current_or_none
from .._wiring.retention import say_where_off
from .._wiring.settings import Arguments, Settings
from ..otlp._signals import LOGS
from . import _client as clients
from . import _logs as logs
from . import _pipeline as spans
from ._advice import takes_spans
from ._package import SentryUnavailable
from ._propagation import propagate_beside
from ._settings import DECLARED, Sentry, check_sentry
from ._settings_in_force import SentrySettings, different, settings_in_force

if TYPE_CHECKING:
    from sentry_sdk.client import BaseClient

    from .._core.shared_circuit import SharedCircuit
    from .._spans import CircuitBreakerSpanExporter
    from .._wiring.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Connection:
    """The process's Sentry client, and the pipeline that brings it spans, if there is one.

    Attributes:
        client: The client.
        pipeline: That of spans.
        provider: The provider that the spans are of.
        circuit: The circuit that spans and log records share; ``None`` where no log records go to Sentry.
    """

    client: BaseClient
    pipeline: Pipeline | None
    provider: TracerProvider | None
    circuit: SharedCircuit | None = None

    @property
    def exporter(self) -> CircuitBreakerSpanExporter | None:
        """The exporter that sends spans, where it is one of this package."""
        return cast("CircuitBreakerSpanExporter | None", self.pipeline and self.pipeline.exporter)

    def pipelines(self, settings: Settings, environment: Environment) -> tuple[Pipeline, ...]:
        """Make what brings Sentry the items of another signal than traces, by the settings of that signal.

        Raises:
            TelemetryError: It cannot be made, where strict.
        """
        if settings.signal is not LOGS or self.circuit is None:
            return ()
        try:
            with metered(environment):
                return (logs.pipeline(self.client, settings, self.circuit),)
        except Exception as error:
            environment.complain(f"Sentry gets no log records: {origin(error)}")
            return ()

    def forget(self) -> None:
        """Allow the provider to be connected anew: this connection has stopped."""
        if self.provider is not None:
            _connected.pop(self.provider, None)

    def flush(self, seconds: float) -> None:
        """Send the events that are queued, within the time given."""
        clients.flush(self.client, seconds)


@dataclass(frozen=True, slots=True)
class _Connected:
    """The connection of a provider, as it was made.

    Attributes:
        settings: What Sentry was set up with.
        exporter: The exporter that sends spans, if there is one.
        pid: The process whose ``Telemetry`` connected it. ``None``: the application did, and a forked child
            inherits that.
    """

    settings: SentrySettings
    exporter: CircuitBreakerSpanExporter | None
    pid: int | None


_connected: WeakKeyDictionary[TracerProvider, _Connected] = WeakKeyDictionary()


def connect_provider(provider: TracerProvider, given: Sentry | None) -> CircuitBreakerSpanExporter | None:
    """Connect Sentry to a provider of the application's; see :func:`breaker_exporter.sentry.connect_sentry`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: The provider is connected already, and `given` sets something to another value.
        TelemetryError: Sentry cannot be used, or a variable is bad, where strict.
    """
    check_provider(provider)
    given = Sentry() if given is None else check_sentry(given)
    environment = Environment()
    sentry = settings_in_force(given, environment, provider)
    if sentry is None:
        return None
    if before := _connected_here(provider):
        if others := ", ".join(different(before.settings, sentry, given)):
            raise ValueError(f"this provider is connected to Sentry already, with another {others}")
        return before.exporter
    environment.check_names(ours((*declared.DECLARED, *DECLARED)))
    if sentry.logs:
        say(logging.INFO, "log records go to Sentry by the Gunicorn hooks or Telemetry alone, not from here")
    settings = with_listener(Arguments().settings(environment, PROFILES[Profile.PRODUCTION]), sentry)
    connection = _connect(replace(sentry, logs=False), settings, environment, provider)
    if connection is None:
        return None
    if connection.pipeline:
        say_where_off(settings.retention, [settings.signal.unit])
        provider.add_span_processor(connection.pipeline.processor)
    _connected[provider] = _Connected(sentry, connection.exporter, None)
    return connection.exporter


def connect_telemetry(
    sentry: SentrySettings, settings: Settings, environment: Environment, provider: TracerProvider | None
) -> Connection | None:
    """Connect Sentry for a ``Telemetry``, which feeds the pipeline itself.

    Args:
        sentry: Sentry's settings.
        settings: Those of the circuit and the batches.
        environment: The variables.
        provider: The provider that the telemetry exports. ``None`` where it exports none.

    Returns:
        ``None`` where Sentry is off.

    Raises:
        TelemetryError: Something is wrong, where strict.
    """
    if provider is None and isinstance(current_or_none(), TracerProvider):
        say(
            logging.INFO,
            "Sentry gets errors, but no spans of the provider that was set already: "
            "breaker_exporter.sentry.connect_sentry(trace.get_tracer_provider()) sends it those",
        )
    if provider is not None and _connected_here(provider):
        say(logging.INFO, "the application has connected Sentry to the provider already")
        provider = None
    connection = _connect(sentry, settings, environment, provider)
    if connection is not None and provider is not None:
        _connected[provider] = _Connected(sentry, connection.exporter, os.getpid())
    return connection


def with_listener(settings: Settings, sentry: SentrySettings) -> Settings:
    """`settings` with a listener that reports circuits to Sentry, where that is asked for."""
    if not sentry.report_transitions:
        return settings
    return replace(settings, listeners=(*settings.listeners, clients.report_transition))


def _connect(
    sentry: SentrySettings, settings: Settings, environment: Environment, provider: TracerProvider | None
) -> Connection | None:
    """Find or make the client, and the pipeline for the spans of `provider`; ``None`` where Sentry is off.

    Whatever fails is one WARNING, and the rest of Sentry works.

    Raises:
        TelemetryError: Something is wrong, where strict.
    """
    client = _client(sentry, environment)
    if client is None:
        return None
    pipeline, circuit, failure = None, None, None
    if sentry.logs and logs.are_wanted(client, sentry.mode):
        from .._core.shared_circuit import SharedCircuit

        circuit = SharedCircuit(
            name="sentry of traces, logs",
            failure_threshold=settings.failure_threshold,
            cooldown=settings.cooldown,
            max_cooldown=settings.max_cooldown,
        )
    try:
        propagate_beside(spans.propagator(sentry.mode))
        if provider is not None and takes_spans(client, sentry.mode):
            with metered(environment):
                pipeline = spans.pipeline(client, sentry, settings, environment, provider, circuit)
    except SentryUnavailable as error:
        failure = str(error)
    except Exception as error:
        failure = origin(error)
    if failure:
        environment.complain(f"Sentry gets errors, and no spans: {failure}")
    return Connection(client, pipeline, provider, circuit)


def _client(sentry: SentrySettings, environment: Environment) -> BaseClient | None:
    """The client that is there, or a new one; ``None``, with a log line, where Sentry is off."""
    try:
        client = clients.connect(sentry)
    except SentryUnavailable as error:
        failure = str(error)
    except Exception as error:
        failure = origin(error)
    else:
        if client is None:
            say(
                logging.INFO,
                "Sentry is off: there is no DSN, and sentry_sdk.init was not called before. Set SENTRY_DSN, "
                "give Sentry(dsn=...), or call sentry_sdk.init first",
            )
        return client
    state = "no spans go to Sentry" if clients.is_initialised() else "Sentry is off"
    environment.complain(f"{state}: {failure}")
    return None


def _connected_here(provider: TracerProvider) -> _Connected | None:
    found = _connected.get(provider)
    return found if found and found.pid in (None, os.getpid()) else None
