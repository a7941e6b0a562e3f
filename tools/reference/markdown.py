"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table, without the columns that are empty in every row."""
    lines = [tuple(header), *map(tuple, rows)]
    used = [any(cell for cell in column[1:]) for column in zip(*lines, strict=True)]
    cells = [[cell for cell, is_used in zip(line, used, strict=True) if is_used] for line in lines]
    cells.insert(1, ["---"] * len(cells[0]))
    return "".join("".join(f"| {cell} " if cell else "| " for cell in line) + "|\n" for line in cells)
