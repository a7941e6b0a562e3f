"""The plan of the matrix: the ways of running, and the cells in the order in which they are measured."""

from __future__ import annotations

from collections.abc import Iterable

from .cell import Cell, Column
from .rows import ROWS

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
    """Return all cells, or those of these rows and columns."""
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
    """Return a few cells, which take less than four minutes."""
    return cells(_QUICK_ROWS, _QUICK_COLUMNS)
