"""The retention in force: one for all exporters of a process, so that they share its memory (K6)."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .._base.log import say
from .._base.redaction import shown
from .._core.retention import Retention
from .._core.retention_settings import (
    REPLAY_RATE,
    RETAIN_DIRECTORY,
    RETAIN_DISK,
    RETAIN_MAX_AGE,
    RETAIN_MEMORY,
)

if TYPE_CHECKING:
    from .._base.environment import Environment

_of_variables: dict[tuple[object, ...], Retention] = {}
"""By the values of the variables: equal values share one retention."""


def check_retention(value: object) -> None:
    """Check an argument named ``retention``.

    Raises:
        TypeError: It is no :class:`Retention`.
    """
    if value is not None and not isinstance(value, Retention):
        raise TypeError(f"retention must be a Retention, such as Retention(memory=0), not {shown(value)}")


def in_force(given: Retention | None, environment: Environment) -> Retention:
    """The retention given in code, else the one that the variables describe.

    Raises:
        TelemetryError: A variable is bad, where strict.
    """
    if given is not None:
        return given
    memory = environment.in_force(RETAIN_MEMORY)
    max_age = environment.in_force(RETAIN_MAX_AGE)
    replay_rate = environment.in_force(REPLAY_RATE)
    directory, disk = environment.in_force(RETAIN_DIRECTORY), environment.in_force(RETAIN_DISK)
    made = Retention(memory=memory, directory=directory, disk=disk, max_age=max_age, replay_rate=replay_rate)
    return _of_variables.setdefault((memory, directory, disk, max_age, replay_rate), made)


def say_where_off(retention: Retention, units: Iterable[str]) -> None:
    """Log one INFO line where nothing is kept of the items with these names."""
    if not retention.is_on:
        text = "retention is off, its memory is 0 bytes: %s that a backend cannot take now are lost"
        say(logging.INFO, text, ", ".join(units))
