"""The total of a counter, as a backend adds it up from data points of several processes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._values import ReceivedDataPoint


def total(points: Iterable[ReceivedDataPoint]) -> float:
    """Return the sum over all series of one counter's data points, in any order, duplicates included.

    A cumulative point says what its series has counted since its start: the latest of each start counts. A
    delta point counts for itself.
    """
    latest: dict[object, tuple[int, float]] = {}
    for point in points:
        if point.value is not None:
            own = point.time_unix_nano if point.temporality == "delta" else None
            around = json.dumps([point.resource, point.attributes], sort_keys=True)
            interval = (around, point.scope, point.start_time_unix_nano, own)
            latest[interval] = max((point.time_unix_nano, point.value), latest.get(interval, (-1, 0)))
    return sum(value for _, value in latest.values())
