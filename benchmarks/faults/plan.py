"""The plan of the matrix: the faults, the ways of running, and how long a cell takes."""

from __future__ import annotations

import enum
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Literal

from breaker_exporter.testing import Connections, Fault

from .front import Fronting

WARM_UP = 1.0
HEALTHY, FAULTY, RECOVERING = 2.0, 4.0, 4.0
"""Seconds of the phases."""
IDLE = 0.5
"""Seconds from the end of the load to the end of a service that ends in the fault."""
RATE = 40.0
"""Requests a second to each of the two services, ten spans each."""
_AROUND = 4.0
"""Seconds in which the processes of a cell start and end, about."""

SETTINGS = {
    "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    "OTEL_BSP_SCHEDULE_DELAY": "200",
    "BREAKER_EXPORTER_COOLDOWN": "1",
    "BREAKER_EXPORTER_MAX_COOLDOWN": "2",
    "BREAKER_EXPORTER_SHUTDOWN_TIMEOUT": "2",
}
"""Short times, so that an outage and the way back fit into a cell."""
TIMEOUT, MAX_COOLDOWN, SHUTDOWN_TIMEOUT = 1.0, 2.0, 2.0
"""Seconds; the same, for the verdict."""


class Event(enum.Enum):
    """An event of the processes of both services in the middle of a fault."""

    STOP = "SIGTERM, idle"
    STOP_BUSY = "SIGTERM, a request in flight"
    QUIT = "SIGQUIT"
    KILL = "SIGKILL to the worker"
    FORK = "os.fork in a request"
    CLOCK = "the clock set back an hour"

    @property
    def ends(self) -> bool:
        """True if the service ends with it."""
        return self in (Event.STOP, Event.STOP_BUSY, Event.QUIT)

    @property
    def path(self) -> str | None:
        """The request by which the application is told, if it is."""
        return _PATHS.get(self)


_PATHS = {Event.STOP_BUSY: "/slow", Event.FORK: "/fork", Event.CLOCK: "/clock"}


@dataclass(frozen=True, slots=True)
class Step:
    """A fault, from so many seconds after the begin of the faulty phase on.

    Attributes:
        connections: What becomes of those that are open; ``None``: as with any such fault.
        requests: The next step comes after so many requests at the collector, where not 0.
    """

    fault: Fault | Fronting
    settings: Mapping[str, object] = field(default_factory=dict)
    at: float = 0.0
    requests: int = 0
    connections: Connections | None = None

    def settings_now(self) -> dict[str, object]:
        """With a ``Retry-After`` that is a date counted from now."""
        found = dict(self.settings)
        if isinstance(seconds := found.pop("retry_at", None), int):
            found["retry_after"] = formatdate(time.time() + seconds, usegmt=True)
        return found


@dataclass(frozen=True, slots=True)
class Row:
    """One fault.

    Attributes:
        name: As the table has it.
        steps: What the collector does, one after the other; then it is healthy again.
        by: The protocols that can have it.
        front: Whether something stands before the collector, and speaks TLS or has a name.
        environment: Of both services, on top of the matrix's own.
        event: What happens to the processes, and when in the fault, in seconds.
        ways: The columns that can have it; any, where empty.
        replaces: Whether another worker takes over in the fault.
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
    """One way of running.

    Attributes:
        name: As the table has it.
        worker: Gunicorn's worker class.
        wiring: ``hooks``, ``wrapped`` (around the official exporter) or ``simple`` (that, with a
            ``SimpleSpanProcessor``).
        protocol: ``http`` or ``grpc``.
        preload: Whether the arbiter loads the application.
        init_gevent: Whether the application calls ``grpc.experimental.gevent.init_gevent()``.
    """

    name: str
    worker: str = "gevent"
    wiring: str = "hooks"
    protocol: str = "http"
    preload: bool = False
    init_gevent: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A row in a column."""

    row: Row
    column: Column

    @property
    def key(self) -> str:
        return f"{self.row.name} / {self.column.name}"

    @property
    def estimate(self) -> float:
        """Seconds it takes, about."""
        return self.row.load + _AROUND


def _status(status: int, **settings: object) -> tuple[Step, ...]:
    return (Step(Fault.STATUS, {"status": status, **settings}),)


_PROCESSES = ("gevent HTTP", "gevent gRPC", "gthread HTTP", "gevent, official HTTP wrapped")
"""The ways of running in which what happens to processes is measured."""

ROWS = (
    Row("refuse", (Step(Fault.REFUSE),)),
    Row("SYN dropped", (Step(Fronting.FULL),), front="plain"),
    Row("DNS hangs", (Step(Fronting.NAME_HANGS),), front="name"),
    Row("DNS fails", (Step(Fronting.NAME_FAILS),), front="name"),
    Row("TLS handshake hangs", (Step(Fronting.NO_HANDSHAKE),), front="tls"),
    Row("certificate expired", (Step(Fronting.EXPIRED),), front="tls"),
    Row("silence", (Step(Fault.BLACKHOLE),)),
    Row("drip", (Step(Fault.DRIP),)),
    Row("reset", (Step(Fault.RESET),)),
    Row("taken, then reset", (Step(Fault.TAKEN_THEN_RESET, connections=Connections.KEEP),)),
    Row("garbage", (Step(Fault.GARBAGE),)),
    Row("truncated", (Step(Fault.TRUNCATED),)),
    Row("slow, 3 s", (Step(Fault.SLOW, {"seconds": 3}),)),
    Row("slow, just under the timeout", (Step(Fault.SLOW, {"seconds": 0.7}),)),
    Row("slow, just over the timeout", (Step(Fault.SLOW, {"seconds": 1.3}),)),
    *(Row(str(status), _status(status)) for status in (400, 401, 404, 413, 500, 502, 503)),
    Row("429, Retry-After 3 s", _status(429, retry_after=3)),
    Row("429, Retry-After a date", _status(429, retry_at=3), ("http",)),
    Row("partial success", (Step(Fault.PARTIAL_SUCCESS, {"rejected": 5}),)),
    Row("unavailable", (Step(Fault.UNAVAILABLE),), ("grpc",)),
    Row("deadline", (Step(Fault.DEADLINE),), ("grpc",)),
    Row("GOAWAY", (Step(Fronting.GOAWAY),), ("grpc",), front="plain"),
    Row(
        "flapping every second",
        tuple(Step(Fault.REFUSE if second % 2 == 0 else Fault.NONE, at=float(second)) for second in range(4)),
    ),
    Row(
        "back for a moment",
        (Step(Fault.BLACKHOLE), Step(Fault.NONE, at=2.5), Step(Fault.BLACKHOLE, at=2.9)),
    ),
    Row(
        "back for one request",
        (Step(Fault.BLACKHOLE), Step(Fault.NONE, at=2.0, requests=1), Step(Fault.BLACKHOLE)),
    ),
    Row(
        "every other batch 400",
        tuple(
            Step(Fault.STATUS, {"status": 400}, at) if number % 2 == 0 else Step(Fault.NONE, at=at)
            for number, at in enumerate(second / 5 for second in range(20))
        ),
    ),
    Row("all log by a handler that yields", (Step(Fault.REFUSE),), environment={"FAULTS_LOG": "yields"}),
    Row("stderr on a full disk", (Step(Fault.REFUSE),), environment={"FAULTS_STDERR": "full"}),
    Row("stderr closed", (Step(Fault.REFUSE),), environment={"FAULTS_STDERR": "closed"}),
    Row(
        "connection pools finalised anywhere",
        (Step(Fault.SLOW, {"seconds": 0.3}),),
        environment={"FAULTS_POOLS": "1"},
        ways=("gevent, official HTTP wrapped", "gevent, wrapped, SimpleSpanProcessor"),
    ),
    *(
        row
        for name, fault in (("silence", Fault.BLACKHOLE), ("drip", Fault.DRIP))
        for row in (
            *(
                Row(f"{event.value}, in {name}", (Step(fault),), event=event, ways=_PROCESSES)
                for event in (Event.STOP, Event.STOP_BUSY, Event.QUIT)
            ),
            Row(
                f"{Event.KILL.value}, in {name}",
                (Step(fault),),
                event=Event.KILL,
                ways=_PROCESSES,
                replaces=True,
            ),
            Row(
                f"max_requests, in {name}",
                (Step(fault),),
                environment={"FAULTS_MAX_REQUESTS": str(int(RATE * (WARM_UP + HEALTHY + 1.5)))},
                ways=_PROCESSES,
                replaces=True,
            ),
            Row(f"{Event.FORK.value}, in {name}", (Step(fault),), event=Event.FORK, ways=_PROCESSES, at=0.5),
        )
    ),
    Row(
        "SIGTERM, a call in its backoff",
        _status(503),
        # With a timeout this long the official exporters wait between attempts, for seconds.
        environment={"OTEL_EXPORTER_OTLP_TIMEOUT": "10"},
        event=Event.STOP,
        at=1.2,
        ways=_PROCESSES,
    ),
    # As Python sees it: gRPC, which hands Python's clock to its own in C, would be set apart from itself.
    Row(Event.CLOCK.value, (Step(Fault.BLACKHOLE),), ("http",), event=Event.CLOCK, ways=_PROCESSES),
)
COLUMNS = (
    Column("gevent HTTP"),
    Column("gevent gRPC", protocol="grpc"),
    Column("gevent gRPC, init_gevent()", protocol="grpc", init_gevent=True),
    Column("gthread HTTP", worker="gthread"),
    Column("sync HTTP", worker="sync"),
    Column("gevent HTTP, preload_app", preload=True),
    Column("gevent, official HTTP wrapped", wiring="wrapped"),
    Column("gevent, wrapped, SimpleSpanProcessor", wiring="simple"),
)
_QUICK_ROWS = ("silence", "drip", "429, Retry-After 3 s", "SIGKILL to the worker, in silence")
_QUICK_COLUMNS = ("gevent HTTP", "gevent gRPC", "gthread HTTP")


def cells(rows: Iterable[str] = (), columns: Iterable[str] = ()) -> list[Cell]:
    """All that can be, or those of these rows and columns."""
    rows, columns = set(rows), set(columns)
    return [
        Cell(row, column)
        for column in COLUMNS
        for row in ROWS
        if column.protocol in row.by
        and (not row.ways or column.name in row.ways)
        and (not rows or row.name in rows)
        and (not columns or column.name in columns)
    ]


def quick_cells() -> list[Cell]:
    """A few of each, for less than four minutes."""
    return cells(_QUICK_ROWS, _QUICK_COLUMNS)
