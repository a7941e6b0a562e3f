"""Carries out the orders of one backlog: on the disk thread, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from .._concurrency.disk_thread import rest
from .._spool.spool import Full, Removed, Spool, TooLarge
from .._spool.stamp import Stamp
from . import deadline_clock as time
from .disk_order import Found, Order, Removal, Written
from .disk_reader import DiskReader
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
        self._reader = DiskReader(spool, encoder, max_age, longest_call, in_order=in_order)
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
                found.files = self._reader.files if self.spool.has_any() else 0
            if order.opens or order.remove or order.write or order.write_calls:
                self.spool.open()
            self._remove(order.remove, found)
            self._write(order, found, is_given_up)
            self._reader.read(order, self._unwanted, found)
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
            self._reader.tidy(found)

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
        found.files = self._reader.files

    def _file_of(self, payloads: Sequence[Payload], came_at: float, *, may_be_there: bool) -> str:
        payload = payloads[0] if len(payloads) == 1 else self._encoder.join_payloads(payloads, rest)
        data = self._encoder.dump_payload(payload.packed(rest))
        written = _earlier(time.monotonic() - came_at)
        return self.spool.write(data, payload.items, written, rest, may_be_there=may_be_there)


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
