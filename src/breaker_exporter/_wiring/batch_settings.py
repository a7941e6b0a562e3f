"""The settings of batch processors and of the reader of metrics, with OpenTelemetry's defaults."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from .._base.environment import Environment
from .._base.setting import COUNT, POSITIVE, Setting
from ..otlp._signals import LOGS, TRACES, Signal


@dataclass(frozen=True)
class _Declared:
    """The settings of the batch processor of one signal."""

    queue_size: Setting[int]
    batch_size: Setting[int]
    schedule_delay: Setting[int]
    export_timeout: Setting[int]

    @property
    def all(self) -> tuple[Setting[int], ...]:
        return self.queue_size, self.batch_size, self.schedule_delay, self.export_timeout


def _declared(prefix: str, signal: Signal, delay: int) -> _Declared:
    return _Declared(
        Setting(
            variables=(f"OTEL_{prefix}_MAX_QUEUE_SIZE",),
            kind=COUNT,
            default=2048,
            unit=signal.unit,
            about=f"most {signal.unit} in the queue; further ones are dropped",
        ),
        Setting(
            variables=(f"OTEL_{prefix}_MAX_EXPORT_BATCH_SIZE",),
            kind=COUNT,
            default=512,
            unit=signal.unit,
            about=f"most {signal.unit} in one export; not above the size of the queue",
        ),
        Setting(
            variables=(f"OTEL_{prefix}_SCHEDULE_DELAY",),
            kind=COUNT,
            default=delay,
            unit="ms",
            about="time between two exports of batches that are not full; the profile sets the default",
        ),
        Setting(
            variables=(f"OTEL_{prefix}_EXPORT_TIMEOUT",),
            kind=COUNT,
            default=30000,
            unit="ms",
            about="OpenTelemetry Python reads it and does nothing with it: the export timeout is the limit",
        ),
    )


BY_SIGNAL = {TRACES: _declared("BSP", TRACES, 5000), LOGS: _declared("BLRP", LOGS, 1000)}
BATCH_SIZE, SCHEDULE_DELAY = BY_SIGNAL[TRACES].batch_size, BY_SIGNAL[TRACES].schedule_delay
METRIC_INTERVAL = Setting(
    variables=("OTEL_METRIC_EXPORT_INTERVAL",),
    kind=POSITIVE,
    default=60000.0,
    unit="ms",
    about="time between two exports of metrics; the profile sets the default",
)
METRIC_TIMEOUT = Setting(
    variables=("OTEL_METRIC_EXPORT_TIMEOUT",),
    kind=POSITIVE,
    default=30000.0,
    unit="ms",
    about="time for collecting metrics, and for one export where the export timeout is longer",
)
DECLARED = (
    *(setting for declared in BY_SIGNAL.values() for setting in declared.all),
    METRIC_INTERVAL,
    METRIC_TIMEOUT,
)


class Batching(NamedTuple):
    """The arguments of OpenTelemetry's batch processors; times in milliseconds, as it has them."""

    max_queue_size: int
    max_export_batch_size: int
    schedule_delay_millis: int
    export_timeout_millis: int


class Reading(NamedTuple):
    """When metrics are collected and exported; times in seconds."""

    interval: float
    timeout: float


def batching(
    environment: Environment, schedule_delay: int | None = None, signal: Signal = TRACES
) -> Batching:
    """The values in force.

    Args:
        environment: The variables.
        schedule_delay: Milliseconds, where the environment has none; ``None``: OpenTelemetry's default.
        signal: Traces or logs.

    Raises:
        TelemetryError: A variable is bad, where strict.
    """
    declared = BY_SIGNAL[signal]
    batch, queue = environment.in_force(declared.batch_size), environment.in_force(declared.queue_size)
    timeout = environment.in_force(declared.export_timeout)
    default = declared.schedule_delay.default if schedule_delay is None else schedule_delay
    delay = environment.in_force(replace(declared.schedule_delay, default=default))
    if batch > queue:
        sizes = declared.batch_size, declared.queue_size
        names = tuple(setting.variable for setting in sizes)
        defaults = tuple(setting.default for setting in sizes)
        environment.reject(
            names,
            f"{names[0]} ({batch}) must not be above {names[1]} ({queue})",
            f"using {defaults[0]} and {defaults[1]}",
        )
        batch, queue = defaults
    return Batching(queue, batch, delay, timeout)


def reading(environment: Environment, interval: float | None) -> Reading:
    """The values in force.

    Args:
        environment: The variables.
        interval: Milliseconds, where the environment has none; ``None``: OpenTelemetry's default.

    Raises:
        TelemetryError: A variable is bad, where strict.
    """
    default = METRIC_INTERVAL.default if interval is None else interval
    milliseconds = environment.in_force(replace(METRIC_INTERVAL, default=default))
    return Reading(milliseconds / 1000, environment.in_force(METRIC_TIMEOUT) / 1000)
