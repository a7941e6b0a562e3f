"""Counts the items kept in an outage that are settled, for the log line when all of them are."""

from __future__ import annotations

import logging

from .._base.log import Line, counted


class Replay:
    """Counts what is settled of that which was kept when the circuit closed.

    Args:
        unit: The name of an item, in the plural.
    """

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._items = 0
        self._delivered = 0
        self._lost = 0

    def begin(self, items: int) -> None:
        """An outage has ended, and so many items are kept."""
        self._items, self._delivered, self._lost = items, 0, 0

    def settle(self, delivered: int, lost: int) -> None:
        """So many of them are settled."""
        self._delivered += delivered
        self._lost += lost

    def due(self) -> Line | None:
        """The line at the end, once."""
        if not self._items or self._delivered + self._lost < self._items:
            return None
        # More than was counted where a batch was on its way to be kept when the circuit closed.
        items, self._items = max(self._items, self._delivered + self._lost), 0
        text = "backlog of %s: %d delivered, %d lost"
        return Line(logging.WARNING, text, (counted(items, self._unit), self._delivered, self._lost))
