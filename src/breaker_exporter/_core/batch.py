"""A batch that the engine is responsible for: how many of its items are still to be accounted for."""

from __future__ import annotations


class Batch:
    """A batch on its way: the number of items that are still to be accounted for."""

    __slots__ = ("owed",)

    def __init__(self) -> None:
        self.owed = 0

    def take(self) -> int:
        """The number of items, to be accounted for by the caller: each of them once."""
        items, self.owed = self.owed, 0
        return items
