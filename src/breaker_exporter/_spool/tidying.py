"""The work of a lease's holder for all processes: it removes what is too old or too much, and counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .counting import Share, shares
from .figure import Figure
from .files import named, resting, size_of
from .folders import Folders
from .names import BATCH
from .shelf import Shelf
from .stamp import Stamp

_TIDY = 0.95
"""The part of the limit that is used after tidying: the rest is for spools that hold less than this one."""
_FORSAKEN = 3_600.0
"""Seconds: a spool that is not tidied for longer makes no room, since its exporter is gone."""


@dataclass(frozen=True, slots=True)
class Removed:
    """A batch that was removed without being sent.

    Attributes:
        items: Number of items, 1 or more.
        reason: Why.
    """

    items: int
    reason: Literal["expired", "evicted"]


class Tidying:
    """One time of tidying.

    Args:
        folders: The open folders.
        shelf: The spool's batches.
        now: The clock.
        rest: Called every hundred files.
    """

    def __init__(
        self, folders: Folders, shelf: Shelf, now: Callable[[], Stamp], rest: Callable[[], None]
    ) -> None:
        self._folders = folders
        self._shelf = shelf
        self._now = now
        self._rest = rest
        self.removed: list[Removed] = []

    def expire(self, max_age: float) -> None:
        """Remove batches older than `max_age` seconds, and what dead writers have left."""
        now = self._now()
        found = list(named(self._folders.spool, self._rest))
        self._shelf.remove_leftovers(found, max_age, self._rest)
        if math.isinf(max_age):
            return
        for text, name in resting(found, self._rest):
            if name.suffix == BATCH and name.written.age_at(now) > max_age:
                self._note(self._shelf.drop(text, older_than=max_age), "expired")

    def evict(self, limit: int, room: int) -> Figure:
        """Count, and evict the oldest batches where there is no room, if no other spool holds more.

        Args:
            limit: Bytes for all spools of the service.
            room: Bytes that are to fit besides.

        Returns:
            The count.
        """
        at = self._now()
        found = shares(self._folders.service, self._rest)
        total = sum(share.bytes for share in found.values())
        excess = total - min(int(limit * _TIDY), limit - room)
        if excess > 0 and self._is_fullest(found):
            total -= self._evicted(excess)
        return Figure(total, at)

    def _is_fullest(self, found: dict[str, Share]) -> bool:
        """True where no other holds more, among those that somebody tends to."""
        own = found.get(self._folders.name, Share(0, 0.0))
        return all(
            share.bytes <= own.bytes or share.tidied < own.tidied - _FORSAKEN for share in found.values()
        )

    def _evicted(self, excess: int) -> int:
        gone = 0
        for text in resting(self._shelf.names(self._rest), self._rest):
            if gone >= excess:
                break
            size = size_of(text, self._folders.spool)
            if self._note(self._shelf.drop(text), "evicted"):
                gone += size
        return gone

    def _note(self, items: int, reason: Literal["expired", "evicted"]) -> bool:
        if items:
            self.removed.append(Removed(items, reason))
        return items > 0
