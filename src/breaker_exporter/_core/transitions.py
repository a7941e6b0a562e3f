"""The changes of a circuit's state that nobody has been told of yet."""

from __future__ import annotations

import time

from .._base.values import CircuitState, CircuitTransition


class Transitions:
    """Keeps transitions until they are taken.

    Args:
        name: The exporter's name.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._kept: list[CircuitTransition] = []

    def add(self, old: CircuitState, new: CircuitState, reason: str, cooldown: float, failures: int) -> None:
        """Keep the transition that happens now, with the cooldown in seconds and the failures in a row."""
        self._kept.append(
            CircuitTransition(
                name=self._name,
                old=old,
                new=new,
                at=time.time(),
                reason=reason,
                cooldown=cooldown,
                consecutive_failures=failures,
            )
        )

    def take(self) -> list[CircuitTransition]:
        """The transitions since the last call of this, oldest first."""
        if not self._kept:
            return []
        taken, self._kept = self._kept, []
        return taken
