"""Carries out the orders of one backlog: on the disk thread, one at a time."""

from __future__ import annotations

import os
import time as wall
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from .._concurrency.disk_thread import rest
from .._spool.names import FileName
from .._spool.spool import Full, Removed, Spool, TooLarge
from .._spool.stamp import Stamp
from . import deadline_clock as time
from .disk_order import Census, Found, Order, Read, Reading, Removal, Written
from .parcel import Parcel
from .payload import Payload, StoringEncoder

_ITEMS_IN_FILE = 512
"""Items of neighbours that share a file: a service that exports one by one would make thousands of files."""


class DiskWork:
    """Writes, reads and removes the files of one spool.

    Args:
        spool: The files.
        encoder: Makes bytes of payloads, and the reverse.
        max_age: Seconds after which a batch is dropped.
        longest_call: Seconds that a call may take.
        in_order: True where a file waits for an older one that may be in another process's call.

    Attributes:
        is_over: True where nothing more is wanted: what hangs now closes the files in the end.
    """

    def __init__(
        self,
        spool: Spool,
        encoder: StoringEncoder,
        max_age: float,
        longest_call: float,
        *,
        in_order: bool = False,
    ) -> None:
        self.spool = spool
        self._encoder = encoder
        self._max_age = max_age
        self._longest_call = longest_call
        self._in_order = in_order
        self._names: deque[str] = deque()
        self.is_over = False
        self._removed_unheard: set[str] = set()
        self._dropped_unheard: list[Removed] = []
        self._unwanted: set[str] = set()

    def carry_out(self, order: Order, is_given_up: Callable[[], bool]) -> Found:
        """Carry out `order`, or as much of it as can be."""
        found = Found()
        for name in list(self._unwanted):
            self._take_away(name)
        try:
            if order.checks:
                self.spool.check()
                found.files = max(1, len(self._names)) if self.spool.has_any() else 0
            if order.opens or order.remove or order.write or order.write_calls:
                self.spool.open()
            self._remove(order.remove, found)
            self._write(order, found, is_given_up)
            self._read(order, found)
        except Full:
            found.is_full = True
        except Exception as error:
            found.error = error
        found.dropped += self.spool.evicted_by_writing() + self._dropped_unheard
        self._dropped_unheard = []
        if order.closes:
            self.spool.close()
        found.is_leased, found.warning = self.spool.is_leased, self.spool.warning
        found.set_aside = self.spool.set_aside
        return found

    def undo(self, order: Order, found: Found) -> None:
        """Nobody has heard of what has come of `order`: what was written goes, what is gone is told later."""
        if not order.keeps_lease:
            self.spool.give_back()
        for written in found.written:
            self._take_away(written.name)
        self._removed_unheard.update(removal.name for removal in found.removed)
        self._dropped_unheard += found.dropped
        if self.is_over:
            self.spool.close()

    def _take_away(self, name: str) -> None:
        """Remove a file that nobody has counted. Where that fails it is not read, and tried again later."""
        self._unwanted.add(name)
        with suppress(OSError):
            self.spool.remove(name)
            self._unwanted.remove(name)

    def _remove(self, removals: tuple[Removal, ...], found: Found) -> None:
        for removal in removals:
            if removal.name in self._removed_unheard:
                self._removed_unheard.remove(removal.name)
                found.removed.append(removal)
                continue
            try:
                left = None
                if removal.left is not None:
                    left = self._file_of([removal.left], removal.came_at, may_be_there=removal.may_be_there)
            except (Full, ValueError):  # it stays as it is, until there is room for the rest of it
                found.is_full = True
                continue
            is_removed = False
            try:
                is_removed = self.spool.remove(removal.name)
            finally:
                if left is not None and not is_removed:  # who has removed it has accounted for all of it
                    self._take_away(left)
            (found.removed if is_removed else found.gone).append(removal)

    def _write(self, order: Order, found: Found, is_given_up: Callable[[], bool]) -> None:
        for parcels in (*_neighbours(order.write), *([parcel] for parcel in order.write_calls)):
            if is_given_up():
                return
            # What is in a call may get there, and nobody know of it.
            may_be_there = parcels[0].may_be_there or parcels[0] in order.write_calls
            self._write_together(parcels, found, may_be_there=may_be_there)
        if found.written and self.spool.needs_tidying() and self.spool.try_lease():
            self._tidy(found)

    def _write_together(self, parcels: list[Parcel], found: Found, *, may_be_there: bool) -> None:
        payloads = [parcel.payload for parcel in parcels]
        try:
            name = self._file_of(payloads, parcels[0].came_at, may_be_there=may_be_there)
        except (ValueError, TooLarge):
            if len(parcels) == 1:
                found.unwritable += parcels
            else:
                for parcel in parcels:
                    self._write_together([parcel], found, may_be_there=may_be_there)
            return
        found.written.append(Written(name, tuple(parcels), sum(payload.items for payload in payloads)))
        found.files = max(1, len(self._names))

    def _file_of(self, payloads: Sequence[Payload], came_at: float, *, may_be_there: bool) -> str:
        payload = payloads[0] if len(payloads) == 1 else self._encoder.join_payloads(payloads, rest)
        data = self._encoder.dump_payload(payload.packed(rest))
        written = _earlier(time.monotonic() - came_at)
        return self.spool.write(data, payload.items, written, rest, may_be_there=may_be_there)

    def _read(self, order: Order, found: Found) -> None:
        if order.read is not None and self.spool.has_any():
            found.files = max(1, len(self._names))
            self.spool.open()
            if self.spool.try_lease():
                if self.spool.needs_tidying():
                    self._tidy(found)
                elif order.read is Reading.NEWEST:
                    self._list()  # the newest of those that are known may be old
                found.read = self._first_of(order, found)
                if found.read is None and not self._names:  # only what has gone was known
                    self._list()
                    found.read = self._first_of(order, found)
                found.files = len(self._names)
        elif order.read is not None:
            found.files = 0
            self._names.clear()
        if found.read is None and not order.keeps_lease:
            self.spool.give_back()

    def _tidy(self, found: Found) -> None:
        """With the lease held, remove what is too old or too much, and count what is left, for all."""
        found.dropped += self.spool.tidy(self._max_age, rest)
        self._list()
        oldest = FileName.parsed(self._names[0]) if self._names else None
        found.census = Census(
            len(self._names), self.spool.used, None if oldest is None else oldest.written.unix / 1e9
        )

    def _list(self) -> None:
        self._names = deque(self.spool.names(rest))

    def _first_of(self, order: Order, found: Found) -> Read | None:
        """Read the file that is wanted; those that are gone are forgotten."""
        names = list(reversed(self._names)) if order.read is Reading.NEWEST else list(self._names)
        if order.read is not Reading.OLDEST:
            avoided = [name for name in order.avoid if name in names]
            names = [*(name for name in names if name not in avoided), *avoided]
        for name in names:
            if name in order.skip or name in self._unwanted:
                continue
            read = self._read_file(name, found)
            if read is None:
                self._names.remove(name)
            elif not (read.may_be_there and self._may_be_in_a_call(name)):
                return read
            elif self._in_order:
                return None
        return None

    def _may_be_in_a_call(self, name: str) -> bool:
        """True where another process may be sending the batch right now, and has written it meanwhile."""
        file = FileName.parsed(name)
        if file is None or file.pid == os.getpid():
            return False
        return file.written.age_at(Stamp.now()) < self._longest_call

    def _read_file(self, name: str, found: Found) -> Read | None:
        record = self.spool.read(name)
        if record is None:
            return None
        age = record.written.age_at(Stamp.now())
        if age > self._max_age:
            if self.spool.remove(name):
                found.dropped.append(Removed(record.items, "expired"))
            return None
        try:
            payload = self._encoder.load_payload(record.payload, rest)
        except ValueError:
            self.spool.put_aside(name)
            return None
        return Read(name, payload, time.monotonic() - age, wall.time() - age, record.may_be_there)


def _earlier(seconds: float) -> Stamp:
    """The moment so many seconds ago."""
    now, ns = Stamp.now(), int(max(0.0, seconds) * 1e9)
    return Stamp(now.boot, max(0, now.since_boot - ns), max(0, now.unix - ns))


def _neighbours(parcels: tuple[Parcel, ...]) -> Iterator[list[Parcel]]:
    """Parcels that together are no larger than a file should be; what may be there is by itself."""
    together: list[Parcel] = []
    items = 0
    for parcel in parcels:
        is_alike = not together or parcel.may_be_there == together[0].may_be_there
        if together and not (is_alike and items + parcel.payload.items <= _ITEMS_IN_FILE):
            yield together
            together, items = [], 0
        together.append(parcel)
        items += parcel.payload.items
    if together:
        yield together
