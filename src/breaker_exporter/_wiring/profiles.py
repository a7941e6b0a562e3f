"""The defaults that a profile sets: the one table."""

from __future__ import annotations

import enum
import logging
from dataclasses import dataclass

from ..otlp._signals import LOGS
from .batch_settings import BY_SIGNAL, METRIC_INTERVAL, SCHEDULE_DELAY
from .provider_variables import SAMPLER


class Profile(enum.StrEnum):
    """Defaults for a kind of surroundings; any explicit setting wins over them."""

    DEVELOPMENT = "development"
    """Every span and log record within a second, metrics every five, and every line of this package."""
    PRODUCTION = "production"
    """The parent's sampling decision, batches of five seconds, and a line where a circuit opens or closes."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """The defaults of a profile.

    Attributes:
        sampler: As ``OTEL_TRACES_SAMPLER`` names it.
        schedule_delay: Milliseconds between two exports of spans, as ``OTEL_BSP_SCHEDULE_DELAY``.
        log_delay: The same for log records, as ``OTEL_BLRP_SCHEDULE_DELAY``.
        metric_interval: The same for metrics, as ``OTEL_METRIC_EXPORT_INTERVAL``.
        log_level: Of the logger ``breaker_exporter``, where it has none.
    """

    sampler: str
    schedule_delay: int
    log_delay: int
    metric_interval: float
    log_level: int


PROFILES = {
    Profile.DEVELOPMENT: Defaults("always_on", 500, 500, 5000, logging.DEBUG),
    Profile.PRODUCTION: Defaults(
        SAMPLER.default,
        SCHEDULE_DELAY.default,
        BY_SIGNAL[LOGS].schedule_delay.default,
        METRIC_INTERVAL.default,
        logging.INFO,
    ),
}
