"""The observer of one cell: it goes through the phases, and records what processes and collector report."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

from breaker_exporter._harness.line_reader import LineReader
from breaker_exporter._harness.processes import Child
from breaker_exporter.testing import Fault, FaultyCollector

from ..measure import CellFailed
from .cell import Cell, Event, Step
from .conditions import FAULTY, HEALTHY, RECOVERING, WARM_UP
from .disk.directory import Directory
from .front import Front, Fronting
from .happenings import GRACE, Happenings
from .observations import Observations, Service
from .other_signals import received_by

LOAD = "load"
"""Name of the load among the processes whose lines are read."""
LAST_ANSWERS = 5.0
"""Seconds that the load waits for answers after its last request."""
_READ_EVERY = 0.1
"""Seconds between two readings of the collector's counts."""
_TICK = 0.02
"""Longest time, in seconds, between two checks for an interruption."""
_UNDER_WAY = 0.3
"""Seconds after which a request is in the application."""


class Observer:
    """The observer of a cell whose processes are up."""

    def __init__(
        self,
        cell: Cell,
        collector: FaultyCollector,
        front: Front | None,
        children: dict[str, Child],
        ports: dict[str, int],
        load: Child,
        reader: LineReader,
        check: Callable[[], None],
        disk: Directory | None = None,
    ) -> None:
        self._raw = Observations(cell, {name: Service() for name in children})
        self._disk = disk
        self._row = cell.row
        self._collector = collector
        self._front = front
        self._children = children
        self._load = load
        self._reader = reader
        self._check = check
        self._start = 0.0
        self._looked = 0.0
        self._happenings = Happenings(self._raw.services, ports, disk)

    def observe(self) -> Observations:
        """Lead the cell through its phases and stop its services."""
        while not self._start:
            self._pump()
        self._until(HEALTHY)
        if self._disk:
            self._raw.lay_there = frozenset(self._disk.ids_before)
            self._raw.files_while_healthy = len(self._disk.files() - self._disk.files_before)
        for step in self._row.steps:
            self._until(HEALTHY + step.at)
            self._switch(step)
            if step.requests:
                self._until_requests(step.requests)
        if self._disk:
            self._until(HEALTHY + self._row.disk_at)
            self._disk.spoil()
        if self._row.event:
            self._until(HEALTHY + self._row.at)
            self._happenings.begin(self._row.event)
            self._until(HEALTHY + self._row.at + _UNDER_WAY)
        if not self._row.ends:
            self._until(HEALTHY + FAULTY)
            self._switch(Step(Fronting.RELAY if self._front else Fault.NONE))
            self._happenings.end()
            self._until(HEALTHY + FAULTY + RECOVERING)
        deadline = time.monotonic() + LAST_ANSWERS + 2
        while not self._load.ended and time.monotonic() < deadline:
            self._pump()
        self._stop()
        self._happenings.join()
        self._raw.taken, self._raw.duplicates = self._collector.span_ids, self._collector.duplicates
        if self._raw.cell.column.all_signals:
            self._raw.others = received_by(self._collector)
        for name, service in self._raw.services.items():
            service.output = self._children[name].output
        if self._disk:
            self._raw.left, self._raw.littered = self._disk.contents(), tuple(self._disk.broken())
        return self._raw

    def _switch(self, step: Step) -> None:
        if isinstance(step.fault, Fault):
            step.put_on(self._collector)
        else:
            assert self._front is not None
            self._front.switch(step.fault)

    def _until_requests(self, more: int) -> None:
        wanted = self._collector.counts().requests + more
        while time.monotonic() < self._start + HEALTHY + FAULTY:
            self._pump()
            if self._collector.counts().requests >= wanted:
                break

    def _stop(self) -> None:
        """Stop both services as an orchestrator does, and time their ends."""
        self._pump()
        for name, child in self._children.items():
            service = self._raw.services[name]
            begun = time.monotonic()
            child.send(signal.SIGQUIT if self._row.event is Event.QUIT else signal.SIGTERM)
            while not child.ended and time.monotonic() < begun + GRACE + 5:
                self._pump(ending=True)
            service.seconds_to_end = time.monotonic() - begun
            service.returncode = child.returncode
        self._pump(ending=True)

    def _until(self, moment: float) -> None:
        while time.monotonic() < self._start + moment:
            self._pump()

    def _pump(self, *, ending: bool = False) -> None:
        self._check()
        if not ending and (self._load.failed or any(child.ended for child in self._children.values())):
            said = "\n".join(child.output for child in (*self._children.values(), self._load))
            raise CellFailed(f"{self._raw.cell.key}:\n{said}")
        for name, line in self._reader.read(_TICK):
            self._take(name, line)
        if self._start and time.monotonic() - self._looked >= _READ_EVERY:
            self._looked = time.monotonic()
            counts = self._collector.counts()
            self._raw.delivered.append((self._looked - self._start, counts.spans - counts.duplicates))

    def _take(self, name: str, line: dict[str, Any]) -> None:
        kind = line["kind"]
        if kind == "load":
            self._start = line["start"] + WARM_UP
        elif kind == "requests":
            for target, index, latency, status in line["done"]:
                self._raw.services[target].latencies[index] = (latency, status)
        else:
            service = self._raw.services[name]
            at = line["at"] - self._start
            if kind == "last":
                service.lasts.append(line)
            elif self._start and kind == "change":
                service.changes.append((at, line["new"]))
            elif self._start:
                service.latest = line
                service.failed.append((at, (line["health"] or {}).get("failed", 0)))
                if line["gap"] is not None:
                    service.gaps.append((at, line["gap"]))
                if at <= HEALTHY:
                    service.first = line
