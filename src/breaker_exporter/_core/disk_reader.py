"""Reads the batches of one spool: which file is next, and what lies in it. On the disk thread."""

from __future__ import annotations

import os
import time as wall
from collections import deque
from collections.abc import Set as AbstractSet

from .._concurrency.disk_thread import rest
from .._spool.names import FileName
from .._spool.spool import Removed, Spool
from .._spool.stamp import Stamp
from . import deadline_clock as time
from .disk_order import Census, Found, Order, Read, Reading
from .payload import StoringEncoder


class DiskReader:
    """Knows the files of a spool, and reads one at a time, under the lease.

    Args:
        spool: The files.
        encoder: Makes payloads of bytes.
        max_age: Seconds after which a batch is dropped.
        longest_call: Seconds that a call may take.
        in_order: True where a file waits for an older one that may be in another process's call.
    """

    def __init__(
        self, spool: Spool, encoder: StoringEncoder, max_age: float, longest_call: float, *, in_order: bool
    ) -> None:
        self._spool = spool
        self._encoder = encoder
        self._max_age = max_age
        self._longest_call = longest_call
        self._in_order = in_order
        self._names: deque[str] = deque()

    @property
    def files(self) -> int:
        """Number of files, where it is known that there are any."""
        return max(1, len(self._names))

    def read(self, order: Order, unwanted: AbstractSet[str], found: Found) -> None:
        """Read the file that `order` is for, if the lease can be had; give that back where none is in hand.

        Args:
            order: What to read, and what not.
            unwanted: Names of files that are not read either.
            found: Is told what was read.
        """
        if order.read is not None and self._spool.has_any():
            found.files = self.files
            self._spool.open()
            if self._spool.try_lease():
                if self._spool.needs_tidying():
                    self.tidy(found)
                elif order.read is Reading.NEWEST:
                    self._list()  # the newest of those that are known may be old
                found.read = self._first_of(order, unwanted, found)
                if found.read is None and not self._names:  # only what has gone was known
                    self._list()
                    found.read = self._first_of(order, unwanted, found)
                found.files = len(self._names)
        elif order.read is not None:
            found.files = 0
            self._names.clear()
        if found.read is None and not order.keeps_lease:
            self._spool.give_back()

    def tidy(self, found: Found) -> None:
        """With the lease held, remove what is too old or too much, and count what is left, for all."""
        found.dropped += self._spool.tidy(self._max_age, rest)
        self._list()
        oldest = FileName.parsed(self._names[0]) if self._names else None
        found.census = Census(
            len(self._names), self._spool.used, None if oldest is None else oldest.written.unix / 1e9
        )

    def _list(self) -> None:
        self._names = deque(self._spool.names(rest))

    def _first_of(self, order: Order, unwanted: AbstractSet[str], found: Found) -> Read | None:
        """Read the file that is wanted; those that are gone are forgotten."""
        for name in self._in_turn(order):
            if name in order.skip or name in unwanted:
                continue
            read = self._read_file(name, found)
            if read is None:
                self._names.remove(name)
            elif not (read.may_be_there and self._may_be_in_a_call(name)):
                return read
            elif self._in_order:
                return None
        return None

    def _in_turn(self, order: Order) -> list[str]:
        names = list(reversed(self._names)) if order.read is Reading.NEWEST else list(self._names)
        if order.read is Reading.OLDEST:
            return names
        avoided = [name for name in order.avoid if name in names]
        return [*(name for name in names if name not in avoided), *avoided]

    def _may_be_in_a_call(self, name: str) -> bool:
        """True where another process may be sending the batch right now, and has written it meanwhile."""
        file = FileName.parsed(name)
        if file is None or file.pid == os.getpid():
            return False
        return file.written.age_at(Stamp.now()) < self._longest_call

    def _read_file(self, name: str, found: Found) -> Read | None:
        record = self._spool.read(name)
        if record is None:
            return None
        age = record.written.age_at(Stamp.now())
        if age > self._max_age:
            if self._spool.remove(name):
                found.dropped.append(Removed(record.items, "expired"))
            return None
        try:
            payload = self._encoder.load_payload(record.payload, rest)
        except ValueError:
            self._spool.put_aside(name)
            return None
        return Read(name, payload, time.monotonic() - age, wall.time() - age, record.may_be_there)
