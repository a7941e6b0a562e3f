"""The limits of log records: OpenTelemetry reads them itself, and raises on a bad one."""

from __future__ import annotations

import contextlib

from .._base.environment import Environment
from .provider_variables import LIMITS, LOG_LIMITS


def usable_limits(environment: Environment) -> contextlib.AbstractContextManager[None]:
    """Inside, a logger provider can be made: variables that are bad are unset.

    Raises:
        TelemetryError: One is bad, where strict.
    """
    settings = (LIMITS["max_attributes"], LIMITS["max_attribute_length"], *LOG_LIMITS)
    return environment.hidden(
        [
            setting.variable
            for setting in settings
            if environment.value(setting.variable) is not None and environment.get(setting) is None
        ]
    )
