"""The circuit of an exporter: one of its own settings, or a given pybreaker one."""

from __future__ import annotations

import time
from collections.abc import Callable

import pybreaker

from .._base import checks as check
from .circuit import Circuit
from .circuit_settings import COOLDOWN, FAILURE_THRESHOLD, JITTER, MAX_COOLDOWN
from .cooldown import GrowingCooldown, OpenPeriod
from .given_breaker import GivenCircuit
from .state_machine import StateMachine


def circuit_of(
    name: str,
    *,
    failure_threshold: int | None,
    cooldown: float | None,
    max_cooldown: float | None,
    jitter: float | None,
    clock: Callable[[], float] | None,
    breaker: pybreaker.CircuitBreaker | None,
) -> Circuit:
    """The circuit that these settings ask for; ``None`` is the default of each.

    Raises:
        TypeError: A setting is of the wrong type, or was given together with `breaker`.
        ValueError: A number is out of its range.
    """
    if breaker is not None:
        given = {
            "failure_threshold": failure_threshold,
            "cooldown": cooldown,
            "max_cooldown": max_cooldown,
            "jitter": jitter,
            "clock": clock,
        }
        _check_breaker(breaker, [setting for setting, value in given.items() if value is not None])
        return GivenCircuit(name, breaker)
    first = COOLDOWN.accept(cooldown)
    longest = max(MAX_COOLDOWN.default, first) if max_cooldown is None else MAX_COOLDOWN.accept(max_cooldown)
    if longest < first:
        raise ValueError(f"max_cooldown must not be below cooldown, {first!r}, not {max_cooldown!r}")
    clock = check.function("clock", time.monotonic if clock is None else clock)
    period = OpenPeriod(GrowingCooldown(first, longest, JITTER.accept(jitter)), clock)
    breaker = pybreaker.CircuitBreaker(FAILURE_THRESHOLD.accept(failure_threshold), first)
    return Circuit(name, StateMachine(breaker), period, clock)


def _check_breaker(breaker: object, settings: list[str]) -> None:
    if not isinstance(breaker, pybreaker.CircuitBreaker):
        raise TypeError(f"breaker must be a pybreaker.CircuitBreaker, not {breaker!r}")
    if settings:
        raise TypeError(f"{', '.join(settings)} cannot be given together with breaker, which has its own")
