"""The observations of a cell: the reports of both services, and what the collector took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .cell import Cell
from .disk.contents import NOTHING, Contents
from .disk.journal import Ended
from .other_signals import NOTHING_RECEIVED, Received

OURS, NONE = "ours", "none"
"""Names of the two services: one exports with this package, the other not at all; more may be like ours."""


@dataclass(slots=True)
class Service:
    """The observations of one of the two services; times in seconds from the start of the first phase."""

    latencies: dict[int, tuple[float, int]] = field(default_factory=dict)
    """Seconds from when a request was due to its answer, and its status, by the request's number."""
    gaps: list[tuple[float, float]] = field(default_factory=list)
    """Pairs: a second, and the longest delay of the hub since the pair before."""
    changes: list[tuple[float, str]] = field(default_factory=list)
    failed: list[tuple[float, int]] = field(default_factory=list)
    """Pairs: a second, and the spans whose export had failed by then."""
    first: dict[str, Any] = field(default_factory=dict)
    latest: dict[str, Any] = field(default_factory=dict)
    lasts: list[dict[str, Any]] = field(default_factory=list)
    """The last report of each worker."""
    killed: dict[int, float] = field(default_factory=dict)
    """Monotonic seconds at which workers were killed, by process id."""
    frozen: list[int] = field(default_factory=list)
    """Process ids of the workers that were stopped for a while."""
    output: str = ""
    told: int | None = None
    """Status of the request that asked the application for the event; 0: no answer."""
    returncode: int | None = None
    seconds_to_end: float = 0.0


@dataclass(slots=True)
class Observations:
    """The observations of a cell."""

    cell: Cell
    services: dict[str, Service] = field(default_factory=lambda: {OURS: Service(), NONE: Service()})
    delivered: list[tuple[float, int]] = field(default_factory=list)
    """Pairs: a second, and the different spans that the collector had taken by then."""
    taken: frozenset[str] = frozenset()
    """Ids of the spans that the collector took."""
    duplicates: int = 0
    others: Received = NOTHING_RECEIVED
    """The log records and metrics that the collector took, where there are any."""
    ended: Mapping[str, Ended] = field(default_factory=dict)
    """The spans that ended in services with an exporter, where batches are kept on disk."""
    left: Contents = NOTHING
    """The batches that lie on disk at the end."""
    files_while_healthy: int = 0
    """Number of batches on disk when the fault begins, without those that lay there before the start."""
    lay_there: frozenset[str] = frozenset()
    """Ids of the spans that lay on disk before the start."""
    littered: tuple[str, ...] = ()
    """The files that were treated as they must not be, a sentence each."""

    @property
    def exporting(self) -> list[Service]:
        """The services with an exporter."""
        return [service for name, service in self.services.items() if name != NONE]

    @property
    def output(self) -> str:
        """The output of all of these."""
        return "".join(service.output for service in self.exporting)
