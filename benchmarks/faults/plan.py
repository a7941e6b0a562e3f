"""The plan of the matrix: the ways of running, and the cells in the order in which they are measured."""

from __future__ import annotations

from collections.abc import Iterable

from .cell import Cell, Column, Row
from .rows import ROWS

_ON_DISK = (
    *("refuse", "silence", "drip", "503", "taken, then reset", "partial success"),
    *("SIGTERM, idle, in silence", "SIGKILL to the worker, in silence", "max_requests, in silence"),
)
"""Names of the rows without a fault of the disk in which a directory makes a difference."""
_ALL_SIGNALS = (
    *(
        "refuse",
        "silence",
        "drip",
        "503",
        "taken, then reset",
        "partial success",
        "404 for log records alone",
    ),
    *("SIGTERM, idle, in silence", "SIGKILL to the worker, in silence", "max_requests, in silence"),
)
"""Names of the rows in which log records and metrics are exported too."""
COLUMNS = (
    Column("gevent HTTP"),
    Column("gevent gRPC", protocol="grpc"),
    Column("gevent gRPC, init_gevent()", protocol="grpc", init_gevent=True),
    Column("gthread HTTP", worker="gthread"),
    Column("sync HTTP", worker="sync"),
    Column("gevent HTTP, preload_app", preload=True),
    Column("gevent, official HTTP wrapped", wiring="wrapped"),
    Column("gevent, wrapped, SimpleSpanProcessor", wiring="simple"),
    Column("gevent HTTP, on disk", on_disk=True, rows=_ON_DISK),
    Column("gevent gRPC, on disk", protocol="grpc", on_disk=True, rows=_ON_DISK),
    Column("gthread HTTP, on disk", worker="gthread", on_disk=True, rows=_ON_DISK),
    Column("gevent HTTP, all signals", all_signals=True, rows=_ALL_SIGNALS),
    Column("gevent gRPC, all signals", protocol="grpc", all_signals=True, rows=_ALL_SIGNALS),
    Column("gevent, official HTTP, all signals", wiring="official", all_signals=True, rows=_ALL_SIGNALS),
)
_QUICK = {
    "silence": ("gevent HTTP, all signals", "gevent gRPC"),
    "drip": ("gthread HTTP",),
    "429, Retry-After 3 s": ("gevent HTTP",),
    "SIGKILL to the worker, in silence": ("gthread HTTP", "gevent HTTP, on disk"),
    "disk EIO": ("gevent HTTP, on disk",),
}
"""Each way of failing and the ways of running that are most unlike."""


def cells(rows: Iterable[str] = (), columns: Iterable[str] = ()) -> list[Cell]:
    """Return all cells, or those of these rows and columns."""
    rows, columns = set(rows), set(columns)
    return [
        Cell(row, column)
        for column in COLUMNS
        for row in ROWS
        if column.protocol in row.by
        and _meet(row, column)
        and (not rows or row.name in rows)
        and (not columns or column.name in columns)
    ]


def _meet(row: Row, column: Column) -> bool:
    if column.on_disk:
        return row.name in column.rows or (row.disk is not None and column.worker != "gthread")
    if column.rows:
        return row.name in column.rows
    return row.disk is None and (not row.ways or column.name in row.ways)


def quick_cells() -> list[Cell]:
    """Return a few cells, which take less than two minutes."""
    return [cell for row, columns in _QUICK.items() for cell in cells([row], columns)]
