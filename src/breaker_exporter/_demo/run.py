"""One run: starts collectors, services and load, goes through the phases, and stops all of them."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from .._harness.line_reader import LineReader
from .._harness.processes import Child, allow_many_sockets, start_load
from .._harness.received import is_of_work, requests_counted
from ..testing import FaultyCollector
from .figures import item_figures
from .intake import note_kill, take
from .plan import LABELS, WARM_UP, Plan
from .recording import Delivered, Recording
from .services import GRACE, start

_READ_EVERY = 0.25
"""Seconds between two readings of the collectors' counts, and between two frames of the display."""
_READ_BODIES_EVERY = 1.0
"""Seconds between two readings of the log records, which are told from those of others by their texts."""
_TICK = 0.05
"""Longest time, in seconds, between two checks for an interruption."""
_LINE = 1.0
"""Seconds in which a line comes from a worker whose hub does not stand still."""
_LAST_ANSWERS = 10.0
"""Seconds that the load waits for answers after its last request."""
_LOAD = "load"
"""Name of the load among the processes whose lines are read."""
_EXTRA = 2.0
"""Seconds after which a service that outlives Gunicorn's own grace is killed."""


class RunFailed(RuntimeError):
    """The run is not possible; the text says why, with the output of the failed process."""


def perform(plan: Plan, watch: Callable[[Recording], None], check: Callable[[], None]) -> Recording:
    """Run the plan; no process is left over, even if it fails.

    Args:
        plan: The plan.
        watch: Called with the recording a few times a second, once requests are under way.
        check: Called about every 50 ms; an exception of it ends the run.

    Raises:
        RuntimeError: A process could not start, or ended before its time.
    """
    allow_many_sockets()
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="breaker-exporter-demo-")))
        collectors = {}
        for name in LABELS:
            check()
            collectors[name] = stack.enter_context(FaultyCollector())
        kept = directory / "kept"
        kept.mkdir(mode=0o700)
        services, ports = {}, {}
        for name, collector in collectors.items():
            service, ports[name] = start(name, plan, collector, directory / name, kept)
            services[name] = stack.enter_context(service)
        seconds = WARM_UP + plan.total
        load = stack.enter_context(start_load(directory / "load", ports, plan.rate, seconds, _LAST_ANSWERS))
        children = {**services, _LOAD: load}
        reader = stack.enter_context(LineReader({name: child.lines for name, child in children.items()}))
        run = _Run(plan, collectors, services, load, reader, watch, check)
        run.boot()
        run.through_phases()
        run.until_all_has_arrived()
        run.stop()
        return run.recording


class _Run:
    """A run whose processes have been started."""

    def __init__(
        self,
        plan: Plan,
        collectors: Mapping[str, FaultyCollector],
        services: Mapping[str, Child],
        load: Child,
        reader: LineReader,
        watch: Callable[[Recording], None],
        check: Callable[[], None],
    ) -> None:
        self.recording = Recording(plan)
        self._collectors = collectors
        self._services = services
        self._load = load
        self._reader = reader
        self._watch = watch
        self._check = check
        self._looked = self._looked_at_bodies = 0.0

    def boot(self) -> None:
        """Wait until the load has had its first answers; it ends by itself if none come."""
        while not self.recording.start:
            self._pump()
            for name, service in self._services.items():
                if service.ended:
                    raise RunFailed(f"the service with the {LABELS[name]} did not start:\n{service.output}")

    def through_phases(self) -> None:
        """Go through all phases, then wait until the load has ended."""
        for phase in self.recording.plan.phases:
            self._pump_until(phase.begin)
            for collector in self._collectors.values():
                collector.fault = phase.fault
            kill_at = self.recording.plan.kill_at
            if kill_at is not None and phase.begin <= kill_at < phase.end:
                self._pump_until(kill_at)
                self._kill()
        self._pump_until(self.recording.plan.total)
        while _LOAD in self._reader.open:
            self._pump()

    def _kill(self) -> None:
        """Kill both workers, each when its next line has come: then its counts are exact."""
        deadline = time.monotonic() + _LINE
        waiting = {name: len(self.recording.contenders[name].beats) for name in self._services}
        while waiting:
            self._pump(0.002)
            is_late = time.monotonic() > deadline  # a worker that stands still counts nothing either
            for name, contender in self.recording.contenders.items():
                if name in waiting and (is_late or len(contender.beats) > waiting[name]):
                    del waiting[name]
                    assert contender.worker is not None
                    os.kill(contender.worker, signal.SIGKILL)
                    note_kill(self.recording, name)
        self.recording.killed = time.monotonic() - self.recording.start

    def until_all_has_arrived(self) -> None:
        """Wait for what the guarded service has kept, as long as the plan has patience."""
        deadline = time.monotonic() + self.recording.plan.patience
        while not self._have_all_arrived() and time.monotonic() < deadline:
            self._pump()

    def _have_all_arrived(self) -> bool:
        ours = self.recording.ours
        return all(item_figures(items).have_arrived for items in (ours, ours.log_records))

    def stop(self) -> None:
        """Tell both services to stop, and wait until they have ended."""
        self._look()
        told = time.monotonic()
        self.recording.told_to_stop = self.recording.now
        for service in self._services.values():
            service.terminate()
        going = dict(self._services)
        while (going or self._reader.open) and time.monotonic() < told + GRACE + _EXTRA:
            self._pump()
            for name in [name for name, service in going.items() if service.ended]:
                del going[name]
                self.recording.contenders[name].stopped_after = time.monotonic() - told
        self._look()
        self._look_at_bodies()
        for name, collector in self._collectors.items():
            received = requests_counted(collector.latest_data_points)
            self.recording.contenders[name].counts_received = received

    def _pump_until(self, moment: float) -> None:
        while (left := self.recording.start + moment - time.monotonic()) > 0:
            self._pump(min(left, _TICK))

    def _pump(self, timeout: float = _TICK) -> None:
        """Read the lines of the processes, and the counts of the collectors every 0.25 s."""
        self._check()
        if self._load.failed:
            outputs = "\n".join(child.output for child in (self._load, *self._services.values()))
            raise RunFailed(f"the load ended before its time:\n{outputs}")
        for name, line in self._reader.read(timeout):
            take(self.recording, name, line)
        if self.recording.start and time.monotonic() - self._looked >= _READ_EVERY:
            self._look()
            self._watch(self.recording)

    def _look(self) -> None:
        self._looked = time.monotonic()
        self.recording.now = self._looked - self.recording.start
        for name, collector in self._collectors.items():
            counts = collector.counts()
            self.recording.contenders[name].delivered.append(
                Delivered(self.recording.now, counts.spans - counts.duplicates, counts.duplicates)
            )
        if self._looked - self._looked_at_bodies >= _READ_BODIES_EVERY:
            self._look_at_bodies()

    def _look_at_bodies(self) -> None:
        self._looked_at_bodies = self._looked
        for name, collector in self._collectors.items():
            bodies = sum(map(is_of_work, collector.log_bodies))
            self.recording.contenders[name].log_records.delivered.append(
                Delivered(self.recording.now, bodies, 0)
            )
