"""The time that a circuit stays open before a probe, and how it grows."""

from __future__ import annotations

import random
from typing import Protocol


class Cooldown(Protocol):
    """The interface that a circuit needs of its cooldown."""

    @property
    def seconds(self) -> float:
        """Seconds, before jitter."""
        ...

    @property
    def longest(self) -> float:
        """Seconds that no cooldown exceeds, even if the backend asks for more."""
        ...

    def reset(self) -> None:
        """The circuit has closed."""
        ...

    def grow(self) -> None:
        """A probe has failed."""
        ...

    def draw(self) -> float:
        """Seconds until the next probe, with jitter."""
        ...


class GrowingCooldown:
    """Doubled by each failed probe, shortened by jitter.

    Args:
        first: Seconds before the first probe.
        longest: Seconds that no cooldown exceeds.
        jitter: Each cooldown is drawn from ``[1 - jitter, 1]`` times its value.
    """

    def __init__(self, first: float, longest: float, jitter: float) -> None:
        self._first = first
        self.longest = longest
        self._jitter = jitter
        self.seconds = first

    def reset(self) -> None:
        self.seconds = self._first

    def grow(self) -> None:
        self.seconds = min(self.seconds * 2, self.longest)

    def draw(self) -> float:
        return self.seconds * (1 - self._jitter * random.random())
