"""The circuit of an exporter: one of its own settings, of those of a shared one, or a given pybreaker one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pybreaker

from .._base import checks as check
from .circuit import Circuit
from .circuit_settings import COOLDOWN, FAILURE_THRESHOLD, JITTER, MAX_COOLDOWN
from .cooldown import GrowingCooldown, OpenPeriod
from .given_breaker import GivenCircuit
from .state_machine import StateMachine


@dataclass(frozen=True, slots=True)
class CircuitSettings:
    """Settings of a circuit that have been checked."""

    failure_threshold: int
    cooldown: float
    max_cooldown: float
    jitter: float
    clock: Callable[[], float]

    @classmethod
    def of(
        cls,
        *,
        failure_threshold: int | None,
        cooldown: float | None,
        max_cooldown: float | None,
        jitter: float | None,
        clock: Callable[[], float] | None,
    ) -> CircuitSettings:
        """Check settings; ``None`` is the default of each.

        Raises:
            TypeError: A setting is of the wrong type.
            ValueError: A number is out of its range.
        """
        first = COOLDOWN.accept(cooldown)
        longest = (
            max(MAX_COOLDOWN.default, first) if max_cooldown is None else MAX_COOLDOWN.accept(max_cooldown)
        )
        if longest < first:
            raise ValueError(f"max_cooldown must not be below cooldown, {first!r}, not {max_cooldown!r}")
        clock = check.function("clock", time.monotonic if clock is None else clock)
        return cls(FAILURE_THRESHOLD.accept(failure_threshold), first, longest, JITTER.accept(jitter), clock)

    def circuit(self, name: str) -> Circuit:
        """A circuit of these settings, which is closed."""
        period = OpenPeriod(GrowingCooldown(self.cooldown, self.max_cooldown, self.jitter), self.clock)
        breaker = pybreaker.CircuitBreaker(self.failure_threshold, self.cooldown)
        return Circuit(name, StateMachine(breaker), period, self.clock)


def circuit_of(
    name: str,
    *,
    failure_threshold: int | None,
    cooldown: float | None,
    max_cooldown: float | None,
    jitter: float | None,
    clock: Callable[[], float] | None,
    breaker: pybreaker.CircuitBreaker | None,
    shared: CircuitSettings | None = None,
) -> Circuit:
    """The exporter's own circuit that these settings ask for; ``None`` is the default of each.

    Args:
        name: The exporter's name.
        failure_threshold: As the next four, see :class:`CircuitSettings`.
        cooldown: Seconds.
        max_cooldown: Seconds.
        jitter: Share of the cooldown.
        clock: Monotonic seconds.
        breaker: Instead of the settings.
        shared: Those of the circuit that the exporter shares, instead of all of these.

    Raises:
        TypeError: A setting is of the wrong type, or was given together with `breaker` or a shared circuit.
        ValueError: A number is out of its range.
    """
    given = {
        "failure_threshold": failure_threshold,
        "cooldown": cooldown,
        "max_cooldown": max_cooldown,
        "jitter": jitter,
        "clock": clock,
    }
    if shared is not None:
        _check_alone("circuit", {**given, "breaker": breaker})
        return shared.circuit(name)
    if breaker is not None:
        if not isinstance(breaker, pybreaker.CircuitBreaker):
            raise TypeError(f"breaker must be a pybreaker.CircuitBreaker, not {breaker!r}")
        _check_alone("breaker", given)
        return GivenCircuit(name, breaker)
    return CircuitSettings.of(
        failure_threshold=failure_threshold,
        cooldown=cooldown,
        max_cooldown=max_cooldown,
        jitter=jitter,
        clock=clock,
    ).circuit(name)


def _check_alone(argument: str, others: Mapping[str, object]) -> None:
    if names := [name for name, value in others.items() if value is not None]:
        raise TypeError(f"{', '.join(names)} cannot be given together with {argument}, which has its own")
