"""The verdict on one target: what was measured in each round, and the limit."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from .spreads import interval


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target.

    Attributes:
        figure: The figure, and the contender that it is divided by.
        target: The limit as the report shows it; ``stated`` for a figure without one.
        limit: The limit as a number.
        values: The figure, once for each round.
        at_least: True where more is better.
    """

    figure: str
    target: str
    limit: float
    values: tuple[float, ...]
    at_least: bool = False

    @property
    def middle(self) -> float | None:
        """The median of the rounds; ``None`` where nothing was measured."""
        return median(self.values) if self.values else None

    @property
    def met(self) -> bool | None:
        """True if the whole spread is within the limit; ``None`` if nothing was measured."""
        if not self.values:
            return None
        low, high = interval(self.values)
        return low >= self.limit if self.at_least else high <= self.limit

    @property
    def is_decided(self) -> bool:
        """True if the whole spread is on one side of the limit: more rounds would say nothing new."""
        if not self.values:
            return False
        low, high = interval(self.values)
        return high <= self.limit or low >= self.limit
