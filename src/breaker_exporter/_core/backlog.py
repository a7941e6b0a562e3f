"""The batches of one exporter that are in its custody: waiting, being written to disk, or in a call.

Where there is a disk, those that are kept for later are on their way to it.
"""

from __future__ import annotations

from collections.abc import Callable

from .budget import Budget
from .parcel import Parcel, Place
from .parcel_queue import ParcelQueue
from .payload import Payload


class Backlog:
    """The parcels of one exporter in one process.

    Args:
        budget: Their memory. Its lock guards each method.
        evicted: Called, outside the lock, with each parcel that had to go for want of memory.

    Attributes:
        size: Bytes of all parcels.
        queue: Those that wait.
    """

    def __init__(self, budget: Budget, evicted: Callable[[Parcel], None]) -> None:
        self._budget = budget
        self.evicted = evicted
        self.queue = ParcelQueue(budget)
        self._in_call: set[Parcel] = set()
        self._in_writing: set[Parcel] = set()
        self._number = 0
        self._is_closed = False
        self.size = 0
        budget.join(self)

    @property
    def has_calls(self) -> bool:
        """True where a parcel is in a call."""
        return bool(self._in_call)

    @property
    def is_idle(self) -> bool:
        """True where nothing waits, and nothing is being written or in a call."""
        with self._budget.lock:
            return self.queue.is_empty and not self._in_call and not self._in_writing

    @property
    def has_left(self) -> bool:
        """True where a parcel is in a call that its ``export`` did not wait for."""
        with self._budget.lock:
            return any(parcel.is_left for parcel in self._in_call)

    @property
    def last_number(self) -> int:
        """Of the parcel that came last."""
        return self._number

    def has_any_until(self, number: int) -> bool:
        """True where a parcel that came no later than this one is still in custody."""
        with self._budget.lock:
            others = (*self._in_call, *self._in_writing)
            return self.queue.has_any_until(number) or any(parcel.number <= number for parcel in others)

    def take_in(self, payload: Payload, now: float, came: float, outage: int) -> Parcel | None:
        """A new parcel, as if it were in a call; ``None`` after :meth:`take_all`.

        :meth:`make_room` has to follow, once the parcel is where it belongs.
        """
        size = payload.size
        with self._budget.lock:
            if self._is_closed:
                return None
            self._number += 1
            parcel = Parcel(payload, self._number, now, came, outage)
            self._in_call.add(parcel)
            self.size += size
        return parcel

    def lend(self, payload: Payload, file: str, came_at: float, came: float) -> Parcel | None:
        """A parcel for a file that was read, as if it were in a call; ``None`` after :meth:`take_all`."""
        size = payload.size
        with self._budget.lock:
            if self._is_closed:
                return None
            parcel = Parcel(payload, 0, came_at, came, 0)  # before all that came to this process
            parcel.file, parcel.is_left, parcel.was_kept = file, True, True
            self._in_call.add(parcel)
            self.size += size
        return parcel

    def take(self, parcel: Parcel) -> bool:
        """Take a parcel that waits into a call; false where it is gone."""
        size = parcel.payload.size
        with self._budget.lock:
            if not self.queue.remove(parcel, size, Place.CALL):
                return False
            self._in_call.add(parcel)
            return True

    def end_call(self, parcel: Parcel, left: Payload | None, *, is_new: bool = False) -> bool:
        """End the call of a parcel. :meth:`make_room` has to follow.

        Args:
            parcel: In a call.
            left: What is left of it, which waits now; ``None`` ends its custody.
            is_new: True where its first call is due at once.

        Returns:
            False where it was in no call.
        """
        # Sizes first: a signal handler that comes in as one is computed may be here too.
        change, size = -parcel.payload.size, 0 if left is None else left.size
        with self._budget.lock:
            if parcel.place is not Place.CALL:
                return False
            self._in_call.discard(parcel)
            self.size += change + size
            if left is None:
                parcel.place = Place.GONE
            else:
                parcel.payload = left
                self.queue.add(parcel, size, is_new=is_new)
            return True

    def take_for_disk(self, most: int) -> list[Parcel]:
        """Take kept parcels out to be written, oldest first, of so many bytes about."""
        taken: list[Parcel] = []
        with self._budget.lock:
            for parcel in self.queue.kept():
                if most <= 0:
                    break
                if parcel.stays:
                    continue
                size = parcel.payload.size
                self.queue.remove(parcel, size, Place.WRITING)
                self._in_writing.add(parcel)
                most -= size
                taken.append(parcel)
        return taken

    def end_writing(self, parcel: Parcel, *, is_written: bool) -> bool:
        """End the writing of a parcel: it is on disk, or kept here as before.

        Returns:
            False where it was not being written (any more).
        """
        size = parcel.payload.size
        with self._budget.lock:
            if parcel.place is not Place.WRITING:
                return False
            self._in_writing.discard(parcel)
            if is_written:
                parcel.place = Place.GONE
                self.size -= size
            else:
                self.queue.add(parcel, size)
            return True

    def attach(self, parcel: Parcel, file: str, items: int) -> bool:
        """So many items of a parcel in a call lie in a file now; false where it is in no call, or shorter."""
        with self._budget.lock:
            if parcel.place is not Place.CALL or parcel.payload.items != items:
                return False
            parcel.file = file
            return True

    def has_call_since(self, before: float) -> bool:
        """True where a parcel is in a call that came to this process before this time (monotonic seconds)."""
        with self._budget.lock:
            return any(each.number and each.came_at < before for each in self._in_call)

    def calls_since(self, before: float) -> list[Parcel]:
        """The parcels in calls that came before this time (monotonic seconds), and are in no file."""
        with self._budget.lock:
            return [each for each in self._in_call if not (each.file or each.stays) and each.came_at < before]

    def remove(self, parcel: Parcel) -> bool:
        """End the custody of a parcel that waits; false where none of these is it."""
        size = parcel.payload.size
        with self._budget.lock:
            if not self.queue.remove(parcel, size, Place.GONE):
                return False
            self.size -= size
            return True

    def take_expired(self, before: float) -> list[Parcel]:
        """Remove the kept parcels that came before this time (monotonic seconds)."""
        expired: list[Parcel] = []
        with self._budget.lock:
            while (oldest := self.queue.oldest_kept()) is not None and oldest.came_at < before:
                expired.append(oldest)
                self.remove(oldest)
        return expired

    def take_all(self) -> tuple[list[Parcel], list[Parcel]]:
        """Remove all parcels, and take none in any more: those that waited, and those in calls."""
        with self._budget.lock:
            self._is_closed = True
            for parcel in list(self._in_writing):
                self.end_writing(parcel, is_written=False)
            waiting, in_call = self.queue.parcels(), list(self._in_call)
            for parcel in waiting:
                self.remove(parcel)
            for parcel in in_call:
                self.end_call(parcel, None)
        return waiting, [parcel for parcel in in_call if parcel.file is None]

    def make_room(self) -> None:
        """Evict what does not fit."""
        self._budget.make_room()

    def evict(self, *, newest: bool) -> Parcel | None:
        """Remove the newest or the oldest parcel that waits. The lock is held."""
        parcel = self.queue.to_evict(newest=newest)
        return parcel if parcel is not None and self.remove(parcel) else None

    def pack(self, rest: Callable[[], None]) -> None:
        """Pack what is kept and not packed yet.

        Args:
            rest: Called between two pieces of work: lets others run.
        """
        while (parcel := self.queue.next_unpacked()) is not None:
            payload = parcel.payload
            if parcel.place is not Place.KEPT:
                continue
            packed = payload.packed(rest)
            change = packed.size - payload.size
            with self._budget.lock:
                if parcel.place is Place.KEPT and parcel.payload is payload:
                    self.queue.size += change
                    self.size += change
                    parcel.payload = packed
