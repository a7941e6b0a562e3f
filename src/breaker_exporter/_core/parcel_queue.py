"""The parcels of one exporter that wait for a call, in order: which came first, which to probe with.

New ones wait for a first call that is due at once. Kept ones are in the order in which they came, whatever
happened to them since.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from operator import attrgetter

from .budget import Budget
from .parcel import Parcel, Place

_number = attrgetter("number")


class ParcelQueue:
    """The parcels that wait.

    Args:
        budget: Its lock guards each method; those that change the queue are called with it held.

    Attributes:
        size: Bytes of all that wait.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._new: deque[Parcel] = deque()
        self._kept: list[Parcel] = []
        self._unpacked: deque[Parcel] = deque()
        self.size = 0

    @property
    def is_empty(self) -> bool:
        return not (self._new or self._kept)

    @property
    def oldest_at(self) -> float | None:
        """Unix seconds at which the oldest of them came."""
        with self._budget.lock:
            return min((parcel.came for parcel in self._ends(0)), default=None)

    def has_any_until(self, number: int) -> bool:
        """True where one waits that came no later than the parcel of this number."""
        with self._budget.lock:
            return any(parcel.number <= number for parcel in self._ends(0))

    def first_new(self) -> Parcel | None:
        """The new parcel that came first."""
        with self._budget.lock:
            return self._new[0] if self._new else None

    def oldest_kept(self) -> Parcel | None:
        """The kept parcel that came first."""
        with self._budget.lock:
            return self._kept[0] if self._kept else None

    def kept(self) -> list[Parcel]:
        """The kept parcels, oldest first."""
        with self._budget.lock:
            return list(self._kept)

    def parcels(self) -> list[Parcel]:
        """The new parcels, then the kept ones, oldest first."""
        with self._budget.lock:
            return [*self._new, *self._kept]

    def has_unprobed(self, since: int) -> bool:
        """True where a parcel waits with which no probe failed after the call of this number."""
        with self._budget.lock:
            return bool(self._new) or any(parcel.probed_at <= since for parcel in self._kept)

    def to_probe(self, since: int, *, oldest: bool = False) -> Parcel | None:
        """The newest (or oldest) kept parcel with which no probe failed after the call of this number.

        Where one did with each, it is the parcel whose probe was the first of these.
        """
        with self._budget.lock:
            kept = self._kept if oldest else self._kept[::-1]
            unprobed = (parcel for parcel in kept if parcel.probed_at <= since)
            return next(unprobed, None) or min(self._kept, key=attrgetter("probed_at"), default=None)

    def to_evict(self, *, newest: bool) -> Parcel | None:
        """The newest or the oldest parcel. The lock is held."""
        return (max if newest else min)(self._ends(-1 if newest else 0), key=_number, default=None)

    def keep_new(self, before: float) -> None:
        """Keep the new parcels that came before this time (monotonic seconds) for later."""
        with self._budget.lock:
            while self._new and self._new[0].came_at < before:
                self._keep(self._new.popleft())

    def next_unpacked(self) -> Parcel | None:
        """The next parcel that was kept and is not packed yet, once; it may be gone by now."""
        with self._budget.lock:
            return self._unpacked.popleft() if self._unpacked else None

    def add(self, parcel: Parcel, size: int, *, is_new: bool = False) -> None:
        """Let a parcel of so many bytes wait. The lock is held."""
        self.size += size
        if is_new:
            parcel.place = Place.NEW
            self._new.append(parcel)
        else:
            self._keep(parcel)

    def remove(self, parcel: Parcel, size: int, place: Place) -> bool:
        """Put a parcel of so many bytes in another place; false where it does not wait. The lock is held."""
        if parcel.place is Place.NEW:
            self._new.remove(parcel)
        elif parcel.place is Place.KEPT:
            self._kept.remove(parcel)
        else:
            return False
        parcel.place = place
        self.size -= size
        return True

    def _keep(self, parcel: Parcel) -> None:
        parcel.place = Place.KEPT
        parcel.was_kept = True
        insort(self._kept, parcel, key=_number)
        self._unpacked.append(parcel)

    def _ends(self, index: int) -> list[Parcel]:
        """The first (0) or the last (-1) of the new and of the kept parcels."""
        return [parcels[index] for parcels in (self._kept, self._new) if parcels]
