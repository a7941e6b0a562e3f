"""The settings of a batch processor, with OpenTelemetry's defaults."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from .._base.environment import Environment
from .._base.setting import COUNT, Setting

QUEUE_SIZE = Setting(
    variables=("OTEL_BSP_MAX_QUEUE_SIZE",),
    kind=COUNT,
    default=2048,
    unit="spans",
    about="most spans in the queue; further ones are dropped",
)
BATCH_SIZE = Setting(
    variables=("OTEL_BSP_MAX_EXPORT_BATCH_SIZE",),
    kind=COUNT,
    default=512,
    unit="spans",
    about="most spans in one export; not above the size of the queue",
)
SCHEDULE_DELAY = Setting(
    variables=("OTEL_BSP_SCHEDULE_DELAY",),
    kind=COUNT,
    default=5000,
    unit="ms",
    about="time between two exports of batches that are not full; the profile sets the default",
)
EXPORT_TIMEOUT = Setting(
    variables=("OTEL_BSP_EXPORT_TIMEOUT",),
    kind=COUNT,
    default=30000,
    unit="ms",
    about="OpenTelemetry Python reads it and does nothing with it: the export timeout is the limit",
)
DECLARED = (QUEUE_SIZE, BATCH_SIZE, SCHEDULE_DELAY, EXPORT_TIMEOUT)


class Batching(NamedTuple):
    """The arguments of a ``BatchSpanProcessor``; times in milliseconds, as OpenTelemetry has them."""

    max_queue_size: int
    max_export_batch_size: int
    schedule_delay_millis: int
    export_timeout_millis: int


def batching(environment: Environment, schedule_delay: int) -> Batching:
    """The values in force.

    Args:
        environment: The variables.
        schedule_delay: Milliseconds, where the environment has none.

    Raises:
        TelemetryError: A variable is bad, where strict.
    """
    batch, queue = environment.in_force(BATCH_SIZE), environment.in_force(QUEUE_SIZE)
    timeout = environment.in_force(EXPORT_TIMEOUT)
    delay = environment.in_force(replace(SCHEDULE_DELAY, default=schedule_delay))
    if batch > queue:
        environment.reject(
            (BATCH_SIZE.variable, QUEUE_SIZE.variable),
            f"{BATCH_SIZE.variable} ({batch}) must not be above {QUEUE_SIZE.variable} ({queue})",
            f"using {BATCH_SIZE.default} and {QUEUE_SIZE.default}",
        )
        batch, queue = BATCH_SIZE.default, QUEUE_SIZE.default
    return Batching(queue, batch, delay, timeout)
