"""The answer of the command: a row for each service, signal and exporter, as text or as JSON."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from .._base.log import counted

if TYPE_CHECKING:
    from .._spool.listing import Found

_HEADINGS = (
    "service",
    "signal",
    "exporter",
    "items",
    "batches",
    "bytes",
    "oldest",
    "newest",
    "aside",
    "newer",
)
_LEFT = 3
"""Columns of text; the others are numbers and times, on the right."""


def lines_of(rows: Iterable[Found]) -> Iterator[str]:
    """The rows as a table, and below it what its last columns mean where they are not zero."""
    rows = list(rows)
    cells = [_HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        left = [cell.ljust(width) for cell, width in zip(line[:_LEFT], widths, strict=False)]
        right = [cell.rjust(width) for cell, width in zip(line[_LEFT:], widths[_LEFT:], strict=True)]
        yield "  ".join([*left, *right]).rstrip()
    for row in rows:
        if row.set_aside:
            files = counted(row.set_aside, "files")
            yield f"{files} damaged, set aside and never sent: {_printable(row.path)}"
        if row.newer:
            files = counted(row.newer, "files")
            yield f"{files} left alone, of a newer version of breaker-exporter: {_printable(row.path)}"


def as_json(rows: Iterable[Found]) -> list[dict[str, object]]:
    """The rows for machines; docs/reference/commands.md shows their shape."""
    return [
        {
            "service": row.service,
            "signal": row.signal,
            "exporter": row.exporter,
            "host": row.host,
            "items": row.items,
            "batches": row.batches,
            "bytes": row.bytes,
            "oldest": row.oldest,
            "newest": row.newest,
            "set_aside": row.set_aside,
            "newer": row.newer,
            "path": row.path,
        }
        for row in rows
    ]


def _cells(row: Found) -> tuple[str, ...]:
    service = row.service if row.host is None else f"{row.service} ({row.host})"
    counts = (f"{row.items:,}", f"{row.batches:,}", f"{row.bytes:,}")
    return (
        *(_printable(text) for text in (service, row.signal, row.exporter)),
        *counts,
        *(_utc(row.oldest), _utc(row.newest)),
        *(f"{row.set_aside:,}", f"{row.newer:,}"),
    )


def _utc(seconds: float | None) -> str:
    return "-" if seconds is None else time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(seconds))


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in text)
