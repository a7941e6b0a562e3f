"""The start in one process: exporters, circuits, processors and Sentry, all of it or nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._all_settings import OURS
from .._base.environment import any_set
from .._base.log import set_level
from .._base.meter_provider import metered
from .._wiring.switches import METRICS
from ..sentry._settings import DSN, MODE, Sentry
from ..sentry._settings_in_force import settings_in_force

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from .._base.environment import Environment
    from .._spans import CircuitBreakerSpanExporter
    from .._wiring.profiles import Defaults
    from .._wiring.settings import Settings
    from .._wiring.switchable_processor import SwitchableProcessor
    from ..sentry._connection import Connection
    from ._setup import Setup


@dataclass(frozen=True, slots=True)
class Started:
    """Everything that a start has made.

    Attributes:
        settings: The settings that it was made of.
        processor: Feeds the exporters, and shuts them down.
        exporters: The exporters with a circuit.
        sentry: The connection to Sentry, if there is one.
        restore_log_level: Gives the logger the level that it had.
    """

    settings: Settings
    processor: SwitchableProcessor
    exporters: tuple[CircuitBreakerSpanExporter, ...]
    sentry: Connection | None
    restore_log_level: Callable[[], None]


def start(
    setup: Setup,
    environment: Environment,
    defaults: Defaults,
    provider: TracerProvider | None,
    processor_on: Callable[[TracerProvider | None], SwitchableProcessor],
) -> Started | None:
    """Make everything that exports, or take back what was made and raise.

    Args:
        setup: What was given in code.
        environment: The variables.
        defaults: Those of the profile.
        provider: The provider whose spans are exported. ``None``: there is none, and only Sentry starts.
        processor_on: Gives the processor that is on that provider.

    Returns:
        ``None`` where there is nothing to start.

    Raises:
        TelemetryError: A variable is bad, where strict.
    """
    from .._wiring.gunicorn_log import ensure_heard
    from .._wiring.pipeline import build
    from .._wiring.provider import mend_native_locks
    from .._wiring.switchable_processor import shut_down

    sentry = None
    if setup.sentry or any_set((*DSN.variables, *MODE.variables)):
        from ..sentry import _connection

        sentry = settings_in_force(setup.sentry or Sentry(), environment, provider)
    if provider is None and sentry is None:
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
        seconds = settings.shutdown_timeout
        pipelines = build(settings, environment) if provider else ()
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
        exporters = tuple(pipeline.exporter for pipeline in pipelines if pipeline.exporter)
        if environment.strict and provider is not None:
            for exporter in exporters:
                if (reason := exporter._open_disk(provider.resource)) is not None:
                    environment.complain(f"nothing can be kept on disk: {reason}")
        if environment.in_force(METRICS):
            from ..instrumentation import observe

            with metered(environment):
                for exporter in exporters:
                    observe(exporter)
        undo.pop_all()
    return Started(settings, processor, exporters, connection, restore_log_level)
