"""What a collector has received of the log records and metrics of :class:`~.work.Work`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Protocol

from .work import COUNTER, HISTOGRAM, PROCESS, body_of


class Point(Protocol):
    """A data point that a collector has received."""

    @property
    def metric(self) -> str:
        """The name of its metric."""

    @property
    def value(self) -> float | None:
        """The number of a counter's point."""

    @property
    def count(self) -> int | None:
        """The number of values in a histogram's point."""

    @property
    def attributes(self) -> Mapping[str, object]:
        """Its attributes."""


def requests_counted(points: Iterable[Point]) -> dict[int, tuple[int, int]]:
    """Return the requests that each worker has counted by what was received: by counter, by histogram.

    Args:
        points: Data points of cumulative metrics, those of other metrics among them.

    Returns:
        Both sums over all series, by the worker's process id.
    """
    latest: dict[tuple[str, int, object], int] = {}
    for point in points:
        if point.metric in (COUNTER, HISTOGRAM):
            pid = int(str(point.attributes[PROCESS]))
            series = (point.metric, pid, point.attributes["shop.shelf"])
            latest[series] = max(latest.get(series, 0), int(point.value or point.count or 0))
    sums: Counter[tuple[str, int]] = Counter()
    for (metric, pid, _), count in latest.items():
        sums[metric, pid] += count
    return {pid: (sums[COUNTER, pid], sums[HISTOGRAM, pid]) for _, pid in sums}


def written_by(pid: int, log_records: int) -> set[str]:
    """Return the texts of so many log records of a worker, from its first one on."""
    return {body_of(pid, number) for number in range(log_records)}


def is_of_work(body: str) -> bool:
    """Return whether a log record of this text is one of the application's."""
    return body.startswith(body_of(0, 0).partition(" ")[0] + " ")
