"""Kept items that have to go during an outage: one line as that begins, and their number for its end."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from .._base.log import Line, counted

if TYPE_CHECKING:
    from .loss import Loss


class Drops:
    """Counts what is dropped in one outage after the other.

    Args:
        unit: The name of an item, in the plural.

    Attributes:
        items: Dropped in this outage.
    """

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self.items = 0
        self._said: set[Loss] = set()
        self._lines: deque[Line] = deque()

    def begin(self) -> None:
        """An outage begins."""
        self.items = 0
        self._said.clear()

    def add(self, items: int, reason: str, kind: Loss) -> None:
        """So many items had to go."""
        self.items += items
        if kind not in self._said:
            self._said.add(kind)
            text = "%s dropped: %s; the line at the end of this outage counts all of them"
            self._lines.append(Line(logging.WARNING, text, (counted(items, self._unit), reason)))

    def due(self) -> Line | None:
        """The next line that is due: the first of each kind in an outage."""
        return self._lines.popleft() if self._lines else None


def of_them_dropped(items: int) -> str:
    """The part of a line behind a number of lost items that says how many of these were dropped."""
    return f", {items} of them dropped" if items else ""
