"""Cells measured: backends, services and load up, through the phases, down again."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from breaker_exporter._harness import official
from breaker_exporter._harness.line_reader import LineReader
from breaker_exporter._harness.processes import Child, start_load, start_service
from breaker_exporter._harness.work import LOG_RECORDS_VARIABLE, SERIES_VARIABLE
from breaker_exporter.testing import FaultyCollector

from .backends import Backend, backend_for
from .contenders import ALL_SIGNALS
from .installed import Installed
from .plan import COUNTING_LOSSES, OF_ALL_SIGNALS, SIDE_BY_SIDE, WARM_UP, Cell

_READ_EVERY = 0.1
"""Seconds between two readings of the backend's counts."""
_TICK = 0.02
"""Longest time, in seconds, between two checks for an interruption."""
_GRACE = 2
"""Seconds that Gunicorn gives a worker to stop; with a bare exporter it would take any number of them."""
_LAST_ANSWERS = 5.0
"""Seconds that the load waits for answers after its last request."""
_LAST_SPANS = 15.0
"""Seconds that spans of the last requests have to arrive, where losses are counted."""
_LOAD = "load"
_SWITCHING = ("fault", "recovering")
"""Names of the phases at whose begin the fault is switched."""
_SHORT = {"BREAKER_EXPORTER_COOLDOWN": "1", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
"""Short times (s) for the hooks, so that an outage and the way back fit into a cell.

Not for the suite ``growth``: a worker whose core is busy may take a second for an export.
"""
_TUNED = {
    "hooks-no-freeze": {"BREAKER_EXPORTER_GC_FREEZE": "0"},
    "hooks-batch-64": {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "64"},
    "hooks-no-retention": {"BREAKER_EXPORTER_RETAIN_MEMORY": "0"},
}
_OTHER_SIGNALS = {
    "BENCH_SIGNALS": "1",
    LOG_RECORDS_VARIABLE: str(1_000 / 150),
    SERIES_VARIABLE: "200",
    "OTEL_METRIC_EXPORT_INTERVAL": "10000",
}
"""With 150 requests/s: 1,000 log records/s, and 200 series every 10 s."""
_FOR_TEN_MINUTES = {"BREAKER_EXPORTER_RETAIN_MEMORY": str(96 << 20), "BREAKER_EXPORTER_REPLAY_RATE": "8"}
"""More than ``python -m breaker_exporter retention --rate 1500 --minutes 10`` says, and a pace to match."""


class CellFailed(RuntimeError):
    """The cell could not be measured; the text says why."""


@dataclass(slots=True)
class Observations:
    """The observations of a cell; times in seconds from the start of the first phase."""

    cell: Cell
    latencies: dict[int, tuple[float, int]] = field(default_factory=dict)
    """Seconds from when a request was due to its answer, and its status, by the request's number."""
    beats: list[tuple[float, float]] = field(default_factory=list)
    """Pairs: the second at which the hub was due back, and the seconds it was late."""
    cpu: list[tuple[float, float]] = field(default_factory=list)
    """Pairs: a second, and the CPU seconds that the worker had used by then."""
    delivered: list[tuple[float, int]] = field(default_factory=list)
    changes: list[tuple[float, str]] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)
    """Pairs: a second, and the worker's resident bytes then."""
    started: int = 0
    late: float = 0.0
    """Largest number of seconds by which the load sent a request late."""
    ended: float = 0.0

    @property
    def is_delivered(self) -> bool:
        """True where all spans that were started have arrived, or where nobody exports."""
        arrived = self.delivered[-1][1] if self.delivered else 0
        return arrived >= self.started or not arrived


@dataclass(frozen=True, slots=True)
class _Run:
    raw: Observations
    backend: Backend
    service: Child


def measure_together(
    cells: Sequence[tuple[Cell, Installed | None]], collector: FaultyCollector, check: Callable[[], None]
) -> list[Observations]:
    """Measure cells side by side, under the same load in the same seconds; no process of them is left.

    Args:
        cells: The cells, all of the same rate and the same phases, each with the installed package that its
            service runs, ``None``: that of this environment.
        collector: The collector that their services export to.
        check: Called many times a second; an exception of it ends the cells.

    Raises:
        CellFailed: A backend, a service or the load did not run.
    """
    first = cells[0][0]
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="breaker-exporter-bench-")))
        runs: dict[str, _Run] = {}
        ports: dict[str, int] = {}
        for number, (cell, side) in enumerate(cells):
            name, folder = str(number), directory / str(number)
            folder.mkdir()
            try:
                backend = stack.enter_context(backend_for(cell.contender, collector, folder))
            except OSError as error:
                raise CellFailed(f"{cell.key}: no backend: {error}") from error
            service, ports[name] = _start_service(cell, backend, folder, side)
            runs[name] = _Run(Observations(cell), backend, stack.enter_context(service))
        seconds = WARM_UP + first.total
        load = stack.enter_context(start_load(directory / "load", ports, first.rate, seconds, _LAST_ANSWERS))
        lines = {name: run.service.lines for name, run in runs.items()}
        reader = stack.enter_context(LineReader({**lines, _LOAD: load.lines}))
        _Observer(runs, load, reader, check).observe()
        return [run.raw for run in runs.values()]


def _start_service(
    cell: Cell, backend: Backend, directory: Path, side: Installed | None
) -> tuple[Child, int]:
    environment = {
        **({} if side is None else {"PYTHONPATH": str(side.root)}),
        **backend.environment,
        "BENCH_CONTENDER": cell.contender,
        "BENCH_CPU_ONLY": "1" if cell.suite in SIDE_BY_SIDE else "",
        "BENCH_SHORT": "1" if cell.suite == "outage" else "",
        **(_SHORT if cell.contender.startswith("hooks") and cell.suite == "outage" else {}),
        "TMPDIR": str(directory),  # removed with what a killed worker leaves there
        **_TUNED.get(cell.contender, {}),
        **({"BREAKER_EXPORTER_RETAIN_DIRECTORY": str(directory / "spool")} if _keeps_on_disk(cell) else {}),
        **(_OTHER_SIGNALS if cell.suite in OF_ALL_SIGNALS else {}),
        **(official.ALL_SIGNALS if cell.contender in ALL_SIGNALS else {}),
        **(_FOR_TEN_MINUTES if cell.suite == "retention-long" else {}),
    }
    return start_service(
        *(directory / "service", environment, "benchmarks.service.conf", "benchmarks.service.app:app"),
        *("--worker-class", cell.worker, "--workers", "1"),
        *("--threads", "4" if cell.worker == "gthread" else "1", "--graceful-timeout", str(_GRACE)),
        python=sys.executable if side is None else str(side.python),
    )


def _keeps_on_disk(cell: Cell) -> bool:
    return cell.contender == "hooks-directory"


class _Observer:
    def __init__(
        self, runs: Mapping[str, _Run], load: Child, reader: LineReader, check: Callable[[], None]
    ) -> None:
        self._runs = runs
        self._cell = next(iter(runs.values())).raw.cell
        self._load = load
        self._reader = reader
        self._check = check
        self._start = 0.0
        self._looked = 0.0

    def observe(self) -> None:
        while not self._start:
            self._pump()
        for phase in self._cell.phases:
            self._until(phase.begin)
            if phase.name in _SWITCHING:
                for run in self._runs.values():
                    run.backend.switch(run.raw.cell.fault if phase.name == "fault" else "none")
        self._until(self._cell.total)
        for run in self._runs.values():
            run.raw.ended = self._cell.total
        deadline = time.monotonic() + _LAST_ANSWERS + 2
        while not self._load.ended and time.monotonic() < deadline:
            self._pump()
        self._pump()
        deadline = time.monotonic() + (_LAST_SPANS if self._cell.suite in COUNTING_LOSSES else 0)
        while time.monotonic() < deadline and not all(run.raw.is_delivered for run in self._runs.values()):
            self._pump()

    def _until(self, moment: float) -> None:
        while time.monotonic() < self._start + moment:
            self._pump()

    def _pump(self) -> None:
        self._check()
        for run in self._runs.values():
            if run.service.ended or self._load.failed:
                raise CellFailed(f"{run.raw.cell.key}:\n{run.service.output}\n{self._load.output}")
        for source, line in self._reader.read(_TICK):
            if source == _LOAD:
                self._take_from_load(line)
            elif self._start:
                self._take(self._runs[source].raw, line)
        if self._start and time.monotonic() - self._looked >= _READ_EVERY:
            self._looked = time.monotonic()
            for run in self._runs.values():
                delivered = run.backend.delivered()
                if delivered is not None:
                    run.raw.delivered.append((self._looked - self._start, delivered))

    def _take_from_load(self, line: dict[str, Any]) -> None:
        if line["kind"] == "load":
            self._start = line["start"] + WARM_UP
        elif line["kind"] == "requests":
            for name, index, latency, status in line["done"]:
                self._runs[name].raw.latencies[index] = latency, status
            for run in self._runs.values():
                run.raw.late = max(run.raw.late, line["late"])

    def _take(self, raw: Observations, line: dict[str, Any]) -> None:
        if line["kind"] == "change":
            raw.changes.append((line["at"] - self._start, line["new"]))
        elif line["kind"] == "meter":
            raw.beats += [(began - self._start, late) for began, late in line["beats"]]
            raw.cpu.append((line["at"] - self._start, line["cpu"]))
            raw.memory.append((line["at"] - self._start, line["resident"]))
            raw.started = line["started"]
