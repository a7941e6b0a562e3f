"""One cell of the matrix: a fault (its row) that meets a way of running (its column)."""

from __future__ import annotations

import enum
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Literal

from breaker_exporter.testing import Connections, Fault, FaultyCollector, Signal

from .conditions import FAULTY, HEALTHY, IDLE, RECOVERING, WARM_UP
from .disk.directory import Directory
from .front import Fronting

_AROUND = 4.0
"""Seconds in which the processes of a cell start and end, about."""


class Event(enum.Enum):
    """An event of the processes of both services in the middle of a fault."""

    STOP = "SIGTERM, idle"
    STOP_BUSY = "SIGTERM, a request in flight"
    QUIT = "SIGQUIT"
    KILL = "SIGKILL to the worker"
    FREEZE = "SIGSTOP to the lease's holder"
    FORK = "os.fork in a request"
    CLOCK = "the clock set back an hour"

    @property
    def ends(self) -> bool:
        """True if the service ends with it."""
        return self in (Event.STOP, Event.STOP_BUSY, Event.QUIT)

    @property
    def path(self) -> str | None:
        """The path of the request that asks the application for the event; ``None``: there is none."""
        return _PATHS.get(self)


_PATHS = {Event.STOP_BUSY: "/slow", Event.FORK: "/fork", Event.CLOCK: "/clock"}


@dataclass(frozen=True, slots=True)
class Step:
    """A fault that begins at a moment of the faulty phase.

    Attributes:
        fault: Of the collector, or of the port before it.
        settings: Of the fault; ``retry_at`` stands for a ``Retry-After`` that is a date, in seconds from now.
        at: Seconds from the begin of the faulty phase.
        requests: Requests that the collector must get before the next step, where not 0.
        connections: The fate of open connections; ``None`` is this fault's default.
        signal: The signal that has the fault alone; ``None``: all of them.
    """

    fault: Fault | Fronting
    settings: Mapping[str, object] = field(default_factory=dict)
    at: float = 0.0
    requests: int = 0
    connections: Connections | None = None
    signal: Signal | None = None

    def put_on(self, collector: FaultyCollector) -> None:
        """Switch a collector to the fault, which is one of its own."""
        assert isinstance(self.fault, Fault)
        how: dict[str, Any] = {"connections": self.connections, "signal": self.signal, **self.settings_now()}
        collector.set_fault(self.fault, **how)

    def settings_now(self) -> dict[str, object]:
        """Return the settings, with a ``Retry-After`` that is a date counted from now."""
        found = dict(self.settings)
        if isinstance(seconds := found.pop("retry_at", None), int):
            found["retry_after"] = formatdate(time.time() + seconds, usegmt=True)
        return found


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the matrix: one fault.

    Attributes:
        name: The row's title in the table.
        steps: The faults of the collector, one after the other; then it is healthy again.
        by: The protocols that can have it.
        front: The kind of port before the collector: plain, with TLS, or found by a name; ``None``: there is
            no such port.
        environment: Variables of both services, on top of the matrix's own.
        event: An event of the services' processes in the fault.
        at: Seconds from the begin of the fault to the event.
        ways: Names of the columns that have this row; all of them where empty.
        replaces: True where another worker takes over in the fault.
        disk: The directory that batches are kept in, and its fault; ``None``: a healthy one, where the column
            has one.
        disk_at: Seconds from the begin of the fault to that of the disk.
        workers: Number of workers of each service.
        beside: Names of other services that keep batches in the same directory; ``shop`` is one more of the
            same service.
    """

    name: str
    steps: tuple[Step, ...]
    by: tuple[str, ...] = ("http", "grpc")
    front: Literal["plain", "tls", "name"] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    event: Event | None = None
    at: float = 2.0
    ways: tuple[str, ...] = ()
    replaces: bool = False
    disk: type[Directory] | None = None
    disk_at: float = 0.0
    workers: int = 1
    beside: tuple[str, ...] = ()

    @property
    def ends(self) -> bool:
        """True if the services end in the fault."""
        return self.event is not None and self.event.ends

    @property
    def load(self) -> float:
        """Seconds of load."""
        return WARM_UP + HEALTHY + (self.at - IDLE if self.ends else FAULTY + RECOVERING)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the matrix: one way of running the service.

    Attributes:
        name: The column's title in the table.
        worker: Gunicorn's worker class.
        wiring: ``hooks``, ``wrapped`` (around the official exporter), ``simple`` (that, with a
            ``SimpleSpanProcessor``) or ``official`` (nothing of this package, and so no promise).
        protocol: ``http`` or ``grpc``.
        preload: True where Gunicorn's arbiter loads the application.
        init_gevent: True where the application calls ``grpc.experimental.gevent.init_gevent()``.
        on_disk: True where a directory is given to keep batches in.
        all_signals: True where log records and metrics are exported too, and all loggers are at DEBUG.
        rows: Names of the rows that it has, those with a fault of the disk aside; all of them where empty.
    """

    name: str
    worker: str = "gevent"
    wiring: str = "hooks"
    protocol: str = "http"
    preload: bool = False
    init_gevent: bool = False
    on_disk: bool = False
    all_signals: bool = False
    rows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """A row in a column: one run of two services."""

    row: Row
    column: Column

    @property
    def key(self) -> str:
        return f"{self.row.name} / {self.column.name}"

    @property
    def disk(self) -> type[Directory] | None:
        """The directory that batches are kept in, and its fault; ``None``: there is no directory."""
        return (self.row.disk or Directory) if self.column.on_disk else None

    @property
    def estimate(self) -> float:
        """Seconds it takes, about."""
        return self.row.load + _AROUND
