"""The start in one process: exporters, circuits, processors and Sentry, all of it or nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .._all_settings import OURS
from .._base.environment import any_set
from .._base.log import set_level
from .._base.meter_provider import metered
from .._wiring.switches import METRICS, SDK_DISABLED
from ..otlp._signals import LOGS
from ..sentry._settings import DSN, MODE, Sentry
from ..sentry._settings_in_force import settings_in_force
from ._others import named

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    from .._base.environment import Environment
    from .._wiring.pipeline import Exporter, Pipeline
    from .._wiring.profiles import Defaults
    from .._wiring.settings import Settings
    from .._wiring.switch import Switch
    from .._wiring.switchable_processor import SwitchableProcessor
    from ..sentry._connection import Connection
    from ._others import Others
    from ._setup import Setup


@dataclass(frozen=True, slots=True)
class Started:
    """Everything that a start has made.

    Attributes:
        signals: For each signal, traces first: its settings, and what feeds its exporters.
        resource: The resource of the service; ``None`` where nothing is exported but to Sentry.
        sentry: The connection to Sentry, if there is one.
        restore_log_level: Gives the logger the level that it had.
    """

    signals: tuple[tuple[Settings, Switch], ...]
    resource: Resource | None
    sentry: Connection | None
    restore_log_level: Callable[[], None]

    @property
    def shutdown_timeout(self) -> float:
        """Seconds that a stop may take."""
        return self.signals[0][0].shutdown_timeout

    @property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """All pipelines."""
        return tuple(pipeline for _, switch in self.signals for pipeline in switch.pipelines)

    @property
    def exporters(self) -> tuple[Exporter, ...]:
        """The exporters with a circuit."""
        return tuple(pipeline.exporter for pipeline in self.pipelines if pipeline.exporter)


def start(
    setup: Setup,
    environment: Environment,
    defaults: Defaults,
    provider: TracerProvider | None,
    processor_on: Callable[[TracerProvider | None], SwitchableProcessor],
    others: Others,
) -> Started | None:
    """Make everything that exports, or take back what was made and raise.

    Args:
        setup: What was given in code.
        environment: The variables.
        defaults: Those of the profile.
        provider: The provider whose spans are exported. ``None``: there is none.
        processor_on: Gives the processor that is on that provider.
        others: Exports log records and metrics.

    Returns:
        ``None`` where there is nothing to start.

    Raises:
        TelemetryError: A variable is bad, where strict.
    """
    from .._wiring.drain import shut_down
    from .._wiring.gunicorn_log import ensure_heard
    from .._wiring.native_locks import mend_native_locks
    from .._wiring.pipeline import build
    from .._wiring.shared_circuits import Circuits

    sentry = None
    if setup.sentry or any_set((*DSN.variables, *MODE.variables)):
        from ..sentry import _connection

        sentry = settings_in_force(setup.sentry or Sentry(), environment, provider)
    signals = () if environment.in_force(SDK_DISABLED) else named(environment)
    if sentry is not None and sentry.logs and LOGS not in signals and not environment.in_force(SDK_DISABLED):
        signals = (LOGS, *signals)
    if provider is None and sentry is None and not signals:
        return None
    with contextlib.ExitStack() as undo:
        mend_native_locks()
        ensure_heard()
        restore_log_level = set_level(defaults.log_level)
        undo.callback(restore_log_level)
        environment.check_names(OURS)
        settings = setup.arguments.settings(environment, defaults)
        if sentry is not None:
            settings = _connection.with_listener(settings, sentry)
        of_others = [
            replace(setup.arguments.settings(environment, defaults, signal), listeners=settings.listeners)
            for signal in signals
        ]
        circuits = Circuits([*([settings] if provider else ()), *of_others], environment)
        seconds = settings.shutdown_timeout
        pipelines = build(settings, environment, circuits) if provider else ()
        undo.callback(lambda: shut_down(pipelines, seconds))
        processor = processor_on(provider)
        undo.callback(processor.switch_to, (), seconds)
        processor.switch_to(pipelines, seconds)
        connection = None
        if sentry is not None:
            connection = _connection.connect_telemetry(sentry, settings, environment, provider)
            if connection is not None:
                undo.callback(connection.forget)
                if connection.pipeline:
                    pipelines = (*pipelines, connection.pipeline)
                    processor.switch_to(pipelines, seconds)
        started: list[tuple[Settings, Switch]] = [(settings, processor)]
        resource = _resource(setup, provider) if provider or signals else None
        if resource is not None:
            more = connection.pipelines if connection else lambda *_: ()
            for signal, switch in others.start(of_others, environment, circuits, resource, more):
                undo.callback(switch.close, seconds)
                started.append((signal, switch))
        made = Started(tuple(started), resource, connection, restore_log_level)
        _check_disk(made, environment)
        _observe(made, environment)
        undo.pop_all()
    return made


def _check_disk(made: Started, environment: Environment) -> None:
    """Complain of a directory that cannot be used, where that is fatal."""
    if environment.strict and made.resource is not None:
        for exporter in made.exporters:
            if (reason := exporter._open_disk(made.resource)) is not None:
                environment.complain(f"nothing can be kept on disk: {reason}")


def _observe(made: Started, environment: Environment) -> None:
    """Report health as metrics, where that is asked for."""
    if environment.in_force(METRICS):
        from ..instrumentation import observe

        with metered(environment):
            for exporter in made.exporters:
                observe(exporter)


def _resource(setup: Setup, provider: TracerProvider | None) -> Resource:
    """That of the provider; where that is the application's, the one given in code, or that of its spans."""
    from opentelemetry.sdk.resources import Resource

    from .._wiring.provider import current_or_none

    found = provider or (None if setup.resource else current_or_none())
    resource = getattr(found, "resource", None)
    return resource if isinstance(resource, Resource) else Resource.create(dict(setup.resource))
