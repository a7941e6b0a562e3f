"""Sentry wired to a provider, once: client, exporter, propagator, in this order."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from opentelemetry.sdk.trace import TracerProvider

from .._base.log import say
from .._base.redaction import origin
from .._wiring.environment import Environment
from .._wiring.profiles import PROFILES, Profile
from .._wiring.provider import check_provider, current_or_none
from .._wiring.settings import Arguments, Settings
from . import _client as clients
from . import _pipeline as spans
from ._advice import takes_spans
from ._package import Unusable
from ._propagation import propagate_beside
from ._settings import Sentry, SentrySettings

if TYPE_CHECKING:
    from sentry_sdk.client import BaseClient

    from .._spans import CircuitBreakerSpanExporter
    from .._wiring.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Connection:
    """A process's Sentry, and what a provider is to feed for it, if anything."""

    client: BaseClient
    pipeline: Pipeline | None
    provider: TracerProvider | None

    @property
    def exporter(self) -> CircuitBreakerSpanExporter | None:
        """What brings it spans, where they go by one of ours."""
        return self.pipeline.exporter if self.pipeline else None

    def detach(self) -> None:
        """What was attached has stopped, and may be attached anew."""
        if self.provider is not None:
            _attached.pop(self.provider, None)

    def flush(self, seconds: float) -> None:
        """Sends the events that are queued, within the time given."""
        clients.flush(self.client, seconds)


def _connected(
    sentry: SentrySettings,
    settings: Settings,
    environment: Environment,
    provider: TracerProvider | None,
    *,
    may_initialise: bool = True,
) -> Connection | None:
    """Find or make the client, and what brings it the spans of `provider`; ``None`` where Sentry is off.

    Whatever is wrong is one WARNING, and as much of Sentry as can be had is there.

    Raises:
        TelemetryError: Something is wrong, where strict.
    """
    client, failure = None, None
    try:
        client = clients.connect(sentry)
    except Unusable as error:
        failure = str(error)
    except Exception as error:
        failure = origin(error)
    if failure:
        what = "no spans go to Sentry" if clients.is_initialised() else "Sentry is off"
        environment.complain(f"{what}: {failure}")
    elif client is None and may_initialise:
        say(logging.INFO, "Sentry is off: no DSN")
    elif client is None:
        environment.complain("Sentry is off: no client to attach to; call sentry_sdk.init first")
    if client is None:
        return None
    pipeline = None
    try:
        propagate_beside(spans.propagator(sentry.mode))
        if provider is not None and takes_spans(client, sentry.mode):
            with environment.metered():
                pipeline = spans.pipeline(client, sentry, settings, environment, provider)
    except Unusable as error:
        failure = str(error)
    except Exception as error:
        failure = origin(error)
    if failure:
        environment.complain(f"Sentry gets errors, and no spans: {failure}")
    return Connection(client, pipeline, provider)


def with_listener(settings: Settings, sentry: SentrySettings) -> Settings:
    """With Sentry told of each circuit, where that is asked for."""
    if not sentry.report_transitions:
        return settings
    return replace(settings, listeners=(*settings.listeners, clients.report_transition))


def connected_or_off(
    sentry: SentrySettings, settings: Settings, environment: Environment, provider: TracerProvider | None
) -> Connection | None:
    """As for a ``Telemetry``, whose own exporters are on `provider` already.

    Raises:
        TelemetryError: Something is wrong, where strict.
    """
    if provider is None and isinstance(current_or_none(), TracerProvider):
        say(
            logging.INFO,
            "Sentry gets errors, but no spans of the provider that was set already: "
            "breaker_exporter.sentry.attach_sentry(trace.get_tracer_provider()) brings it those",
        )
    if provider is not None and _found(provider):
        say(logging.INFO, "Sentry: the application has attached it to the provider already")
        provider = None
    connection = _connected(sentry, settings, environment, provider)
    if connection is not None and provider is not None:
        _attached[provider] = _Attached(sentry, connection.exporter, os.getpid())
    return connection


@dataclass(frozen=True, slots=True)
class _Attached:
    settings: SentrySettings
    exporter: CircuitBreakerSpanExporter | None
    pid: int | None
    """Of the one process whose telemetry it is; ``None``: a forked child has it too."""


_attached: WeakKeyDictionary[TracerProvider, _Attached] = WeakKeyDictionary()


def _found(provider: TracerProvider) -> _Attached | None:
    found = _attached.get(provider)
    return found if found and found.pid in (None, os.getpid()) else None


def attach(
    provider: TracerProvider, given: Sentry, *, may_initialise: bool
) -> CircuitBreakerSpanExporter | None:
    """Adds to `provider` what brings its spans to Sentry. The same once more changes nothing.

    Raises:
        TypeError: `provider` is no provider of the SDK.
        ValueError: It has Sentry already, set up otherwise.
        TelemetryError: Sentry cannot be had, or a variable is bad, where strict.
    """
    check_provider(provider)
    environment = Environment()
    sentry = given.settled(environment, provider)
    if sentry is None:
        return None
    if not may_initialise:
        sentry = replace(sentry, dsn=None)
    if before := _found(provider):
        _check_same(before.settings, sentry, may_initialise)
        return before.exporter
    settings = with_listener(Arguments().settings(environment, PROFILES[Profile.PRODUCTION]), sentry)
    connection = _connected(sentry, settings, environment, provider, may_initialise=may_initialise)
    if connection is None:
        return None
    if connection.pipeline:
        provider.add_span_processor(connection.pipeline.processor)
    _attached[provider] = _Attached(sentry, connection.exporter, None)
    return connection.exporter


def _check_same(before: SentrySettings, now: SentrySettings, init: bool) -> None:
    names = SentrySettings.__slots__ if init else ("mode", "traces_sample_rate", "report_transitions")
    others = [name for name in names if _comparable(before, name) != _comparable(now, name)]
    if others:
        raise ValueError(f"this provider has Sentry already, with another {', '.join(others)}")


def _comparable(settings: SentrySettings, name: str) -> object:
    """Integrations are made anew for each call, and equal where they are of the same type."""
    value = getattr(settings, name)
    if name == "options":
        return {key: list(map(type, of)) if key == "integrations" else of for key, of in value.items()}
    return value
