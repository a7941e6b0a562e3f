"""Percentiles of measured values."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least `percent` of all do not exceed; 0 where there are none.

    Args:
        ordered: The values, in ascending order.
        percent: From 0 to 100.
    """
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
