"""The settings in force: where they come from, and every finding about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..._wiring.exporter_names import chosen, listed
from ..._wiring.provider_variables import check_provider
from ..._wiring.settings import Settings
from ..._wiring.switches import SDK_DISABLED
from ...otlp import _credentials
from ...otlp import _environment as otlp
from ...otlp._signals import LOGS, METRICS, SIGNALS, TRACES, Signal
from ..report import Setting, Steps, warning
from . import exporters, instance_id, log_handler, names, service_name, shell_syntax, sources, values
from .given import Given
from .recording import RecordingEnvironment
from .routes import Route


@dataclass(frozen=True, slots=True)
class EffectiveSettings:
    """The settings in force.

    Attributes:
        settings: Their values, for spans where signals differ.
        given: What was given in code.
        environment: The variables.
        service: ``namespace/name`` of the service, or its name, as far as the environment tells.
        routes: The ways of all signals by OTLP; empty where nothing goes by it.
        rows: The table for the report, without Sentry's.
    """

    settings: Settings
    given: Given
    environment: RecordingEnvironment
    service: str
    routes: tuple[Route, ...]
    rows: tuple[Setting, ...]


def examine(given: Given, environment: RecordingEnvironment) -> Steps[EffectiveSettings]:
    """Find what is wrong with the settings, and return them."""
    with environment.recording_log():
        defaults = given.arguments.defaults(environment)
        check_provider(environment, defaults.sampler)
        is_off = environment.in_force(SDK_DISABLED)
        on = () if is_off else _on(environment)
        settings = given.arguments.settings(environment, defaults)
        others = (each for each in on if each is not TRACES)
        signals = (
            settings,
            *(given.arguments.settings(environment, defaults, signal) for signal in others),
        )
        routes = () if is_off else (yield from _routes(signals, environment))
    service = service_name.of(given, environment)
    rows = [*sources.rows(signals, given, environment, defaults)]
    rows.append(Setting("service_name", service[0], "", service[1]))
    variables = environment.everything()
    yield from shell_syntax.check(variables, environment.complaints, environment.strict)
    yield from values.check_complaints(environment, reported=shell_syntax.quoted(variables))
    if is_off:
        yield warning(
            "sdk-disabled",
            "OTEL_SDK_DISABLED is true: no telemetry is made or sent, and the collector is not asked here",
            "remove the variable where that is not meant",
        )
    elif on:
        yield from service_name.check(service, sees_code=given.seen)
        yield from service_name.check_attributes(environment)
    if LOGS in on:
        yield from log_handler.check(environment)
    if METRICS in on:
        yield from instance_id.check(environment)
    yield from values.check_times(signals, environment)
    yield from values.check_sampler(environment)
    yield from values.check_credentials(routes)
    yield from values.check_endpoints(given, routes)
    yield from names.check(variables, strict=environment.strict)
    named = service_name.with_namespace(service[0], environment)
    return EffectiveSettings(settings, given, environment, named, routes, tuple(rows))


def _routes(signals: Iterable[Settings], environment: RecordingEnvironment) -> Steps[tuple[Route, ...]]:
    """Find what is wrong with the exporters, and return the ways of those that go by OTLP."""
    yield from exporters.check_none(environment)
    routes: list[Route] = []
    for settings in signals:
        protocols = yield from exporters.examine(environment, settings)
        routes += (Route(settings, protocol, environment) for protocol in protocols)
    yield from exporters.check_zero_code(environment)
    for route in routes:
        otlp.check(environment, route.protocol, route.signal)
        _credentials.check(environment, route.protocol, route.signal)
    return tuple(routes)


def _on(environment: RecordingEnvironment) -> tuple[Signal, ...]:
    """Return the signals for which an exporter is named, be it one that is unknown."""
    return tuple(signal for signal in SIGNALS if any(chosen(listed(environment, signal), signal)))
