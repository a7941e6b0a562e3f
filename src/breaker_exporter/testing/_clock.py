"""A clock that tests move."""

from __future__ import annotations

import math


class ManualClock:
    """A monotonic clock that stands still until it is moved; pass it as ``clock=``.

    Args:
        start: The time it shows first, in seconds.

    Raises:
        ValueError: ``start`` is not a finite number.
    """

    def __init__(self, start: float = 0.0) -> None:
        if not math.isfinite(start):
            raise ValueError(f"start must be a finite number of seconds, not {start!r}")
        self._now = float(start)

    def __call__(self) -> float:
        """The time it shows, in seconds."""
        return self._now

    @property
    def now(self) -> float:
        """The time it shows, in seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward by ``seconds``.

        Raises:
            ValueError: ``seconds`` is negative or not finite; a monotonic clock never goes back.
        """
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError(f"seconds must be finite and at least 0, not {seconds!r}")
        self._now += seconds

    def __repr__(self) -> str:
        return f"ManualClock({self._now!r})"
