"""The processes of a soak: Gunicorn, which is killed, restarted and replaced, and the load on its port."""

from __future__ import annotations

import contextlib
import enum
import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from breaker_exporter._harness.line_reader import LineReader
from breaker_exporter._harness.processes import Child, listen, start_load, start_service_on

from ..measure import CellFailed
from .disk.journal import VARIABLE
from .measure import gunicorn_for
from .soak_observations import Soak

RATE = 100.0
"""Requests a second, to all workers together."""
_WORKERS = "2"
_MAX_REQUESTS = 3_000
"""A worker is replaced after a minute."""


class Blow(enum.Enum):
    """An event of the processes in the middle of a fault."""

    STOP = "SIGTERM to a worker"
    KILL = "SIGKILL to a worker"
    KILL_ALL = "SIGKILL to all of Gunicorn, and a new one"
    RELOAD = "SIGHUP"


class SoakRun:
    """The services and the load of a soak, and what is seen of them.

    Args:
        folder: An empty one.
        environment: Variables of the services.
        seconds: Duration of the load.
        chance: Chooses workers.
        check: Called many times a second; an exception of it ends the run.

    Attributes:
        seen: What was observed.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        seconds: float,
        chance: random.Random,
        check: Callable[[], None],
    ) -> None:
        self.seen = Soak()
        self._folder = folder
        self._environment = {**environment, "FAULTS_MAX_REQUESTS": str(_MAX_REQUESTS)}
        self._seconds = seconds
        self._chance = chance
        self._check = check
        self._stack = contextlib.ExitStack()
        self._services: list[Child] = []

    def __enter__(self) -> SoakRun:
        with self._stack:
            self._listener = self._stack.enter_context(listen())
            self._reader = self._stack.enter_context(LineReader({}))
            self._start_service()
            ports = {"it": int(self._listener.getsockname()[1])}
            load = start_load(self._folder / "load", ports, RATE, self._seconds, wait=10.0)
            self._load = self._stack.enter_context(load)
            self._reader.add("load", self._load.lines)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def has_load(self) -> bool:
        """True until the load has ended."""
        return not self._load.ended

    def strike(self, blow: Blow) -> bool:
        """Let an event happen to the processes; return whether there was one for it."""
        service = self._services[-1]
        if blow is Blow.KILL_ALL:
            # Those of which no report was read yet, too.
            journals = {int(path.name) for path in Path(self._environment[VARIABLE]).iterdir()}
            self.seen.note_killed({*self.seen.alive, *journals - self.seen.workers.keys()})
            service.kill()
            self._start_service()
        elif blow is Blow.RELOAD:
            service.send(signal.SIGHUP)
        else:
            alive = self.seen.alive
            if not alive:
                return False
            pid = self._chance.choice(alive)
            try:
                os.kill(pid, signal.SIGTERM if blow is Blow.STOP else signal.SIGKILL)
            except ProcessLookupError:  # replaced this moment
                return False
            if blow is Blow.KILL:
                self.seen.note_killed([pid])
        return True

    def pump(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Record what the processes report for so many seconds, or until `until` is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            self._check()
            if self._load.failed or self._services[-1].failed:
                raise CellFailed(f"{self._services[-1].output}\n{self._load.output}")
            for _, line in self._reader.read(0.05):
                self.seen.record(line)

    def stop(self) -> None:
        """Stop Gunicorn as an orchestrator does."""
        last = self._services[-1]
        last.terminate()
        self.pump(20.0, until=lambda: last.ended)
        self.pump(0.2)
        self.seen.requests = int(RATE * self._seconds)
        self.seen.output = "".join(service.output for service in self._services)

    def _start_service(self) -> None:
        name = f"service {len(self._services) + 1}"
        child = start_service_on(
            self._listener,
            self._folder / name,
            self._environment,
            *gunicorn_for("gevent"),
            *("--workers", _WORKERS),
        )
        self._services.append(self._stack.enter_context(child))
        self._reader.add(name, child.lines)
