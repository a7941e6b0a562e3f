"""Counts what becomes of the items that were kept, for the log line when all of them are settled."""

from __future__ import annotations

import logging

from .._base.log import Line, counted
from .drops import of_them_dropped


class Replay:
    """Counts what is settled of that which was kept when the circuit closed, and of what lay on disk.

    Args:
        unit: The name of an item, in the plural.

    Attributes:
        on_disk: Items that this process has written to disk, less those that it has settled from there.
    """

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._items = 0
        self._delivered = 0
        self._lost = 0
        self._dropped = 0
        self.on_disk = 0
        self._from_disk = [0, 0]  # delivered, lost
        self._is_disk_empty = False

    def begin(self, items: int) -> None:
        """An outage has ended, and so many items are kept in memory."""
        self._items, self._delivered, self._lost, self._dropped = items, 0, 0, 0

    def settle(self, delivered: int, lost: int, *, dropped: int = 0) -> None:
        """So many of them are settled; `dropped` of those that are lost had to go before a call."""
        self._delivered += delivered
        self._lost += lost
        self._dropped += dropped

    def spool(self, items: int, *, were_kept: bool) -> None:
        """So many items lie on disk now, from where any process may deliver them."""
        self.on_disk += items
        self._is_disk_empty = False
        if were_kept:
            self._items = max(0, self._items - items)

    def recover(self, delivered: int, lost: int) -> None:
        """So many items from the disk are settled."""
        self.on_disk = max(0, self.on_disk - delivered - lost)
        self._from_disk[0] += delivered
        self._from_disk[1] += lost

    def disk_is_empty(self) -> None:
        """Nothing lies there any more."""
        self.on_disk = 0
        self._is_disk_empty = True

    def due(self) -> Line | None:
        """The line at the end, once."""
        if self._is_disk_empty and any(self._from_disk):
            delivered, gone = self._from_disk
            self._from_disk = [0, 0]
            text = "nothing is left on disk; of what lay there this process has delivered %s, %d lost"
            return Line(logging.WARNING, text, (counted(delivered, self._unit), gone))
        if not self._items or self._delivered + self._lost < self._items:
            return None
        # More than was counted where a batch was on its way to be kept when the circuit closed.
        items, self._items = max(self._items, self._delivered + self._lost), 0
        text = "backlog of %s: %d delivered, %d lost%s"
        lost = (self._lost, of_them_dropped(self._dropped))
        return Line(logging.WARNING, text, (counted(items, self._unit), self._delivered, *lost))
