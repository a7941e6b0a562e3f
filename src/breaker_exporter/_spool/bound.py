"""The bytes that all spools of a service may take: counted, kept to, and made room for."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

from .counting import FRESH, Usage, shares
from .figure import Figure
from .opened import Opened
from .space import refusal
from .stamp import Stamp
from .tidying import Removed, Tidying


class Full(Exception):
    """A batch does not fit; the text says what is full."""


class TooLarge(Full):
    """A batch that does not fit however much room there is."""


class Bound:
    """One spool's part in keeping to the bound.

    Args:
        limit: Bytes for all spools of the service on this host.
        keep_newest: True where the oldest batches make room for new ones.
        now: The clock.

    Attributes:
        removed: Batches that were removed and that nobody has asked for yet.
        usage: What this process knows of the bytes used.
    """

    def __init__(self, limit: int, keep_newest: bool, now: Callable[[], Stamp]) -> None:
        self._limit = limit
        self._keep_newest = keep_newest
        self._now = now
        self.removed: list[Removed] = []
        self.usage = Usage()

    def find_room(
        self,
        here: Opened,
        size: int,
        leased: Callable[[], AbstractContextManager[bool]],
        rest: Callable[[], None],
    ) -> None:
        """Make room for `size` bytes.

        Args:
            here: The open spool.
            size: Bytes.
            leased: Gives the lease for a moment; false where another process has it.
            rest: Called every hundred files.

        Raises:
            Full: There is no room.
            TooLarge: There never will be.
        """
        if size > self._limit:
            raise TooLarge(f"a batch of {size} bytes is larger than the bound of {self._limit}")
        now = self._now()
        self.usage.share(here.lease.figure())
        used = self.usage.at(now)
        if used is None or (used + size > self._limit and self._may_evict(now)):
            with leased() as has_lease:
                if has_lease:
                    self.tidy(here, math.inf, size, rest)
                elif used is None:  # its holder may have been stopped
                    total = sum(share.bytes for share in shares(here.folders.service, rest).values())
                    self.usage.set(Figure(total, now))
            used = self.usage.total
            if has_lease and used + size > self._limit:
                self.usage.found_no_room(now)
        if used + size > self._limit:
            raise Full(f"{used} of {self._limit} bytes are used")
        if reason := refusal(os.statvfs(here.folders.spool), size):
            raise Full(reason)

    def tidy(self, here: Opened, max_age: float, room: int, rest: Callable[[], None]) -> None:
        """With the lease held, remove what is too old or too much, and count the rest for all processes.

        Args:
            here: The open spool.
            max_age: Seconds.
            room: Bytes that are to fit besides.
            rest: Called every hundred files.
        """
        tidying = Tidying(here.folders, here.shelf, self._now, rest)
        try:
            tidying.expire(max_age)
            figure = tidying.evict(self._limit if self._keep_newest else sys.maxsize, room)
        finally:
            self.removed += tidying.removed
        self.usage.share(figure)
        with suppress(OSError):  # where there is no room for it, each process counts by itself
            here.lease.set_figure(figure)

    def is_count_old(self, here: Opened) -> bool:
        """True where the shared count is soon too old, or there is none."""
        figure = here.lease.figure()
        return figure is None or not figure.is_fresh_at(self._now(), FRESH / 2)

    def _may_evict(self, now: Stamp) -> bool:
        return self._keep_newest and self.usage.may_have_room(now)
