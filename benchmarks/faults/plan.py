"""What is measured: the faults, the ways of running, and how long a cell takes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Literal

from breaker_exporter.testing import Fault

from .front import Fronting

WARM_UP = 1.0
HEALTHY, FAULTY, RECOVERING = 2.0, 4.0, 4.0
"""Seconds of the phases."""
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


@dataclass(frozen=True, slots=True)
class Step:
    """A fault, from so many seconds after the begin of the faulty phase on."""

    fault: Fault | Fronting
    settings: Mapping[str, object] = field(default_factory=dict)
    at: float = 0.0

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
    """

    name: str
    steps: tuple[Step, ...]
    by: tuple[str, ...] = ("http", "grpc")
    front: Literal["plain", "tls"] | None = None
    """Whether something stands before the collector, and speaks TLS."""


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
    """

    name: str
    worker: str = "gevent"
    wiring: str = "hooks"
    protocol: str = "http"
    preload: bool = False


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
        return WARM_UP + HEALTHY + FAULTY + RECOVERING + _AROUND


def _status(status: int, **settings: object) -> tuple[Step, ...]:
    return (Step(Fault.STATUS, {"status": status, **settings}),)


ROWS = (
    Row("refuse", (Step(Fault.REFUSE),)),
    Row("SYN dropped", (Step(Fronting.FULL),), front="plain"),
    Row("TLS handshake hangs", (Step(Fronting.NO_HANDSHAKE),), front="tls"),
    Row("certificate expired", (Step(Fronting.EXPIRED),), front="tls"),
    Row("silence", (Step(Fault.BLACKHOLE),)),
    Row("drip", (Step(Fault.DRIP),)),
    Row("reset", (Step(Fault.RESET),)),
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
    Row(
        "flapping every second",
        tuple(Step(Fault.REFUSE if second % 2 == 0 else Fault.NONE, at=float(second)) for second in range(4)),
    ),
    Row(
        "back for a moment",
        (Step(Fault.BLACKHOLE), Step(Fault.NONE, at=2.5), Step(Fault.BLACKHOLE, at=2.9)),
    ),
    Row(
        "every other batch 400",
        tuple(
            Step(Fault.STATUS, {"status": 400}, at) if number % 2 == 0 else Step(Fault.NONE, at=at)
            for number, at in enumerate(second / 5 for second in range(20))
        ),
    ),
)
COLUMNS = (
    Column("gevent HTTP"),
    Column("gevent gRPC", protocol="grpc"),
    Column("gthread HTTP", worker="gthread"),
    Column("sync HTTP", worker="sync"),
    Column("gevent HTTP, preload_app", preload=True),
    Column("gevent, official HTTP wrapped", wiring="wrapped"),
    Column("gevent, wrapped, SimpleSpanProcessor", wiring="simple"),
)
_QUICK_ROWS = ("refuse", "silence", "drip", "400", "429, Retry-After 3 s")
_QUICK_COLUMNS = 3


def cells(rows: Iterable[str] = (), columns: Iterable[str] = ()) -> list[Cell]:
    """All that can be, or those of these rows and columns."""
    rows, columns = set(rows), set(columns)
    return [
        Cell(row, column)
        for column in COLUMNS
        for row in ROWS
        if column.protocol in row.by
        and (not rows or row.name in rows)
        and (not columns or column.name in columns)
    ]


def quick_cells() -> list[Cell]:
    """A few of each, for less than four minutes."""
    return cells(_QUICK_ROWS, (column.name for column in COLUMNS[:_QUICK_COLUMNS]))
