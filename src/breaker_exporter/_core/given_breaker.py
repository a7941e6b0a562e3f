"""A circuit around the user's own breaker, which may be shared or changed by hand (C10)."""

from __future__ import annotations

import time
from typing import ClassVar

import pybreaker

from .._base.values import CircuitState
from .circuit import Circuit
from .cooldown import OpenPeriod
from .state_machine import StateMachine


class GivenCooldown:
    """The breaker's own ``reset_timeout``, neither grown nor drawn (C10)."""

    def __init__(self, breaker: pybreaker.CircuitBreaker) -> None:
        self._breaker = breaker

    @property
    def longest(self) -> float:
        """Seconds that a backend may ask for at most; a breaker has no setting for that."""
        return max(60.0, self.seconds)

    @property
    def seconds(self) -> float:
        return self._breaker.reset_timeout

    def reset(self) -> None:
        """Nothing: no setting of a given breaker is changed."""

    def grow(self) -> None:
        """Nothing: no setting of a given breaker is changed."""

    def draw(self) -> float:
        return self.seconds


class GivenCircuit(Circuit):
    """A circuit whose breaker is the user's; its cooldown runs on real time.

    Args:
        name: Goes into every transition.
        breaker: The user's.
        seen: The state, where the breaker must not be asked: its storage may raise.
    """

    given: ClassVar[bool] = True

    def __init__(
        self, name: str, breaker: pybreaker.CircuitBreaker, *, seen: CircuitState | None = None
    ) -> None:
        period = OpenPeriod(GivenCooldown(breaker), time.monotonic)
        super().__init__(name, StateMachine(breaker), period, time.monotonic, seen=seen)
        self._breaker = breaker
        if self._seen is CircuitState.OPEN:
            period.begin(self.now)

    def forked(self) -> Circuit:
        """The same breaker for a forked child (R5)."""
        return GivenCircuit(self._name, self._breaker, seen=self._seen)

    def _notice(self) -> None:
        state = self._machine.state
        if state is not self._seen:
            self._probe_out = False
            self.opened += state is CircuitState.OPEN
            self._move(state, "changed outside this exporter")
