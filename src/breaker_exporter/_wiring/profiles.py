"""The defaults that a profile sets: the one table."""

from __future__ import annotations

import enum
import logging
from dataclasses import dataclass

from .batch_settings import SCHEDULE_DELAY
from .provider_variables import SAMPLER


class Profile(enum.StrEnum):
    """Defaults for a kind of surroundings; any explicit setting wins over them."""

    DEVELOPMENT = "development"
    """Every span, within a second, and every line that this package logs."""
    PRODUCTION = "production"
    """The parent's sampling decision, batches of five seconds, and a line where a circuit opens or closes."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """The defaults of a profile.

    Attributes:
        sampler: As ``OTEL_TRACES_SAMPLER`` names it.
        schedule_delay: Milliseconds between two exports, as ``OTEL_BSP_SCHEDULE_DELAY``.
        log_level: Of the logger ``breaker_exporter``, where it has none.
    """

    sampler: str
    schedule_delay: int
    log_level: int


PROFILES = {
    Profile.DEVELOPMENT: Defaults("always_on", 500, logging.DEBUG),
    Profile.PRODUCTION: Defaults(SAMPLER.default, SCHEDULE_DELAY.default, logging.INFO),
}
