"""The batches of one exporter that are in its custody: new, kept for later, being written, or in a call.

New ones wait for a first call that is due at once. Kept ones are in the order in which they came, whatever
happened to them since. Where there is a disk, kept ones are on their way to it.
"""

from __future__ import annotations

import enum
from bisect import insort
from collections import deque
from collections.abc import Callable
from operator import attrgetter
from typing import NamedTuple

from .budget import Budget
from .payload import Payload


class Place(enum.Enum):
    """The place of a parcel."""

    NEW = enum.auto()
    KEPT = enum.auto()
    WRITING = enum.auto()
    CALL = enum.auto()
    GONE = enum.auto()


class Past(NamedTuple):
    """The calls with a parcel so far; the fields are those of :class:`Parcel`."""

    errors: int
    accepted: int
    may_be_there: bool
    probed_at: int


class Parcel:
    """A batch in custody.

    Args:
        payload: The batch, or what is left of it.
        number: Grows with each one of a backlog.
        came_at: Monotonic seconds.
        came: Unix seconds, for display.
        outage: Number of outages that had ended when it came.

    Attributes:
        place: Where it is.
        is_left: True where its ``export`` has returned.
        was_kept: True where it was kept for later at least once.
        may_be_there: True where the backend may have it, since nobody knows what became of a call.
        is_lost: True where it had to go.
        errors: Times the backend answered to it with an error of its own.
        accepted: Number of parcels that the backend had accepted when it last did so.
        probed_at: Number of the call that was a probe with it and failed; 0 where none was.
        stays: True where it cannot be written to disk.
        file: The file that it lies in on disk, which is then what is kept of it; ``None``: it does not.
    """

    __slots__ = (
        "accepted",
        "came",
        "came_at",
        "errors",
        "file",
        "is_left",
        "is_lost",
        "may_be_there",
        "number",
        "outage",
        "payload",
        "place",
        "probed_at",
        "stays",
        "was_kept",
    )

    def __init__(self, payload: Payload, number: int, came_at: float, came: float, outage: int) -> None:
        self.payload = payload
        self.number = number
        self.came_at = came_at
        self.came = came
        self.outage = outage
        self.place = Place.CALL
        self.is_left = False
        self.is_lost = False
        self.was_kept = False
        self.may_be_there = False
        self.errors = 0
        self.accepted = -1
        self.probed_at = 0
        self.stays = False
        self.file: str | None = None

    @property
    def past(self) -> Past:
        """The results of the calls with it so far, without its payload, which may then be freed."""
        return Past(self.errors, self.accepted, self.may_be_there, self.probed_at)

    def learn_from(self, past: Past | None) -> None:
        """Take over what calls with the same batch have shown before."""
        if past is not None:
            self.errors, self.accepted, self.may_be_there, self.probed_at = past


class Backlog:
    """The parcels of one exporter in one process.

    Args:
        budget: Their memory. Its lock guards each method.
        evicted: Called, outside the lock, with each parcel that had to go for want of memory.

    Attributes:
        size: Bytes of all parcels.
        waiting_bytes: Bytes of those that wait.
    """

    def __init__(self, budget: Budget, evicted: Callable[[Parcel], None]) -> None:
        self._budget = budget
        self.evicted = evicted
        self._new: deque[Parcel] = deque()
        self._kept: list[Parcel] = []
        self._in_call: set[Parcel] = set()
        self._in_writing: set[Parcel] = set()
        self._unpacked: deque[Parcel] = deque()
        self._number = 0
        self._is_closed = False
        self.waiting_bytes = 0
        self.size = 0
        budget.join(self)

    @property
    def is_empty(self) -> bool:
        """True where nothing waits for a call."""
        return not (self._new or self._kept)

    @property
    def has_calls(self) -> bool:
        """True where a parcel is in a call."""
        return bool(self._in_call)

    @property
    def is_idle(self) -> bool:
        """True where nothing waits, and nothing is being written or in a call."""
        return self.is_empty and not self._in_call and not self._in_writing

    @property
    def has_left(self) -> bool:
        """True where a parcel is in a call that its ``export`` did not wait for."""
        with self._budget.lock:
            return any(parcel.is_left for parcel in self._in_call)

    @property
    def last_number(self) -> int:
        """Of the parcel that came last."""
        return self._number

    @property
    def oldest_at(self) -> float | None:
        """Unix seconds at which the oldest parcel that waits came."""
        with self._budget.lock:
            return min((parcel.came for parcel in self._ends(0)), default=None)

    def has_any_until(self, number: int) -> bool:
        """True where a parcel that came no later than this one is still in custody."""
        with self._budget.lock:
            others = (*self._in_call, *self._in_writing)
            return any(parcel.number <= number for parcel in (*self._ends(0), *others))

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
                return True
            parcel.payload = left
            self.waiting_bytes += size
            if is_new:
                parcel.place = Place.NEW
                self._new.append(parcel)
            else:
                self._keep(parcel)
            return True

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

    def take_for_disk(self, most: int) -> list[Parcel]:
        """Take kept parcels out to be written, oldest first, of so many bytes about."""
        taken: list[Parcel] = []
        with self._budget.lock:
            for parcel in [each for each in self._kept if not each.stays]:
                if most <= 0:
                    break
                size = parcel.payload.size
                self.remove(parcel)
                parcel.place = Place.WRITING
                self._in_writing.add(parcel)
                self.size += size
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
                self.waiting_bytes += size
                self._keep(parcel)
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

    def make_room(self) -> None:
        """Evict what does not fit."""
        self._budget.make_room()

    def take(self, parcel: Parcel) -> bool:
        """Take a parcel that waits into a call; false where it is gone."""
        size = parcel.payload.size
        with self._budget.lock:
            if not self.remove(parcel):
                return False
            parcel.place = Place.CALL
            self._in_call.add(parcel)
            self.size += size
            return True

    def remove(self, parcel: Parcel) -> bool:
        """End the custody of a parcel that waits; false where none of these is it."""
        size = parcel.payload.size
        with self._budget.lock:
            if parcel.place is Place.NEW:
                self._new.remove(parcel)
            elif parcel.place is Place.KEPT:
                self._kept.remove(parcel)
            else:
                return False
            parcel.place = Place.GONE
            self.waiting_bytes -= size
            self.size -= size
            return True

    def keep_new(self, before: float) -> None:
        """Keep the new parcels that came before this time (monotonic seconds) for later."""
        with self._budget.lock:
            while self._new and self._new[0].came_at < before:
                self._keep(self._new.popleft())

    def take_expired(self, before: float) -> list[Parcel]:
        """Remove the kept parcels that came before this time (monotonic seconds)."""
        expired: list[Parcel] = []
        with self._budget.lock:
            while self._kept and self._kept[0].came_at < before:
                expired.append(self._kept[0])
                self.remove(self._kept[0])
        return expired

    def take_all(self) -> tuple[list[Parcel], list[Parcel]]:
        """Remove all parcels, and take none in any more: those that waited, and those in calls."""
        with self._budget.lock:
            self._is_closed = True
            for parcel in list(self._in_writing):
                self.end_writing(parcel, is_written=False)
            waiting, in_call = [*self._kept, *self._new], list(self._in_call)
            for parcel in waiting:
                self.remove(parcel)
            for parcel in in_call:
                self.end_call(parcel, None)
        return waiting, [parcel for parcel in in_call if parcel.file is None]

    def evict(self, *, newest: bool) -> Parcel | None:
        """Remove the newest or the oldest parcel that waits. The lock is held."""
        ends = self._ends(-1 if newest else 0)
        if not ends:
            return None
        chosen = (max if newest else min)(ends, key=_number)
        return chosen if self.remove(chosen) else None

    def first_new(self) -> Parcel | None:
        """The new parcel that came first."""
        with self._budget.lock:
            return self._new[0] if self._new else None

    def oldest_kept(self) -> Parcel | None:
        """The kept parcel that came first."""
        with self._budget.lock:
            return self._kept[0] if self._kept else None

    def waiting(self) -> list[Parcel]:
        """All that wait: the new ones, then the kept ones, oldest first."""
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

    def pack(self, rest: Callable[[], None]) -> None:
        """Pack what is kept and not packed yet.

        Args:
            rest: Called between two pieces of work: lets others run.
        """
        while True:
            with self._budget.lock:
                if not self._unpacked:
                    return
                parcel = self._unpacked.popleft()
                payload = parcel.payload
            if parcel.place is not Place.KEPT:
                continue
            packed = payload.packed(rest)
            change = packed.size - payload.size
            with self._budget.lock:
                if parcel.place is Place.KEPT and parcel.payload is payload:
                    self.waiting_bytes += change
                    self.size += change
                    parcel.payload = packed

    def _keep(self, parcel: Parcel) -> None:
        parcel.place = Place.KEPT
        parcel.was_kept = True
        insort(self._kept, parcel, key=_number)
        self._unpacked.append(parcel)

    def _ends(self, index: int) -> list[Parcel]:
        """The first (0) or the last (-1) of the new and of the kept parcels."""
        return [parcels[index] for parcels in (self._kept, self._new) if parcels]


_number = attrgetter("number")
