"""The time that a circuit stays open: the cooldown, its growth, and the running period."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable
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


class OpenPeriod:
    """The time from the opening of a circuit to its next probe.

    Args:
        cooldown: The length of the period, unless the backend asks for more.
        clock: Monotonic seconds.
    """

    def __init__(self, cooldown: Cooldown, clock: Callable[[], float]) -> None:
        self._cooldown = cooldown
        self._clock = clock
        self._began = clock()
        self._length = 0.0
        self._asked_until = -math.inf
        self._asked = 0.0

    @property
    def cooldown(self) -> float:
        """Seconds, before jitter; longer where the backend has asked for it."""
        return max(self._cooldown.seconds, self._asked)

    @property
    def left(self) -> float:
        """Seconds until the probe; 0.0 where it may run."""
        # A clock that was set back must not lengthen the period.
        return max(0.0, self._length - max(0.0, self._clock() - self._began))

    def lengthen(self, seconds: float) -> None:
        """Let no period that begins within `seconds` end before them: the backend wants to be left alone."""
        self._asked_until = max(self._asked_until, self._clock() + self.pause(seconds))

    def pause(self, seconds: float | None) -> float:
        """Seconds to leave the backend alone for that asks for `seconds`; for none: the cooldown."""
        return min(seconds, self._cooldown.longest) if seconds else self.cooldown

    def take_back(self) -> None:
        """Forget what the backend asked for: it has answered since."""
        self._asked_until = -math.inf

    def begin(self, now: float) -> None:
        """The circuit has opened."""
        self._began = now
        # A clock that was set back must not lengthen what the backend asked for.
        self._asked = min(max(0.0, self._asked_until - now), self._cooldown.longest)
        self._length = max(self._cooldown.draw(), self._asked)

    def grow(self) -> None:
        """A probe has failed: the next period is longer."""
        self._cooldown.grow()

    def end(self) -> None:
        """A probe may run at once."""
        self._length = 0.0

    def reset(self) -> None:
        """The circuit has closed: the next period is as long as the first."""
        self._cooldown.reset()
        self._asked = 0.0

    def copied(self) -> OpenPeriod:
        """The same period, for a forked child."""
        return copy.copy(self)
