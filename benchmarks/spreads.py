"""Spreads: the median of a figure, and the interval that holds the true median."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import comb
from statistics import median

_DOUBT = 0.05
"""Share of the intervals that may not hold the true median."""


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the interval that holds the true median with 95 % confidence, for any distribution.

    By order statistics (the sign test turned around): of nine values it is the second to the eighth. Below
    six values no interval is that sure, and it is the least and the greatest. It narrows with more values.

    Raises:
        ValueError: No values.
    """
    if not values:
        raise ValueError("an interval needs at least one value")
    ordered = sorted(values)
    count = len(ordered)
    left_out = 0
    while 2 * sum(comb(count, k) for k in range(left_out + 2)) * 0.5**count <= _DOUBT:
        left_out += 1
    return ordered[left_out], ordered[count - 1 - left_out]


def spread(values: Iterable[float]) -> str:
    """Return the median as text, with the interval behind it where there are several values."""
    found = list(values)
    if not found:
        return "-"
    middle = short(median(found))
    if len(found) == 1:
        return middle
    low, high = interval(found)
    return f"{middle} ({short(low)}-{short(high)})"


def short(value: float) -> str:
    """Return `value` as text with three digits and no exponent."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
