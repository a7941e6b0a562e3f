"""The files that the sender sends: the one it wants, those in hand, and what calls with them have shown."""

from __future__ import annotations

from collections.abc import Iterable

from .._concurrency.state_lock import new_state_lock
from .backlog import Backlog
from .disk_order import Order, Read, Reading
from .parcel import Parcel, Past

_ASK_AGAIN = 1.0
"""Seconds until the lease, or a batch where there was none, is asked for again."""


class DiskReplay:
    """One file at a time is read and lent to the sender, under the lease.

    Args:
        backlog: Of the exporter, in memory; lends the parcels.

    Attributes:
        ahead: The parcel that was read and waits to be sent.
        failed: By the names of files of which a call has failed, the last one last: what it has shown.
        is_over: True where nothing is read any more.
    """

    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog
        self._lock = new_state_lock()
        self._wanted: Reading | None = None
        self._ask_at = 0.0
        self._is_leased = False
        self._lent: Parcel | None = None
        self._in_hand: set[str] = set()
        self._answered: set[str] = set()
        self.ahead: Parcel | None = None
        self.failed: dict[str, Past] = {}
        self.is_over = False

    @property
    def has_lent(self) -> bool:
        """True where a file was read for the sender, which has not put it down yet."""
        return self._lent is not None

    @property
    def is_wanted(self) -> bool:
        """True where the sender waits for a file."""
        return self._wanted is not None

    @property
    def has_spare_lease(self) -> bool:
        """True where the lease is held, and for nothing."""
        return self._is_leased and self._lent is None

    @property
    def tried(self) -> int:
        """Number of files of which a call has failed or is out."""
        return len({*self.failed, *self._in_hand})

    def want(self, reading: Reading) -> bool:
        """Have a file read, unless one is; false then."""
        if self._lent is not None or self.is_over:
            return False
        self._wanted = reading
        return True

    def want_nothing(self) -> Parcel | None:
        """Nothing can be sent now; the parcel that was read for that, which is to be left."""
        self._wanted = None
        return self.take_ahead()

    def take_ahead(self) -> Parcel | None:
        """The parcel that was read: the caller sends it."""
        with self._lock:
            parcel, self.ahead = self.ahead, None
        return parcel

    def order(self, now: float) -> Order:
        """An order to read what is wanted, if anything is."""
        with self._lock:
            may_read = now >= self._ask_at and self._lent is None and not self.is_over
            wanted = self._wanted if may_read else None
            return Order(
                read=wanted,
                skip=frozenset(self._in_hand),
                avoid=tuple(
                    name for name in self.failed if wanted is not Reading.FIRST or name in self._answered
                ),
                keeps_lease=self._lent is not None,
            )

    def take_up(self, read: Read | None, now: float, *, has_files: bool) -> None:
        """Take the file that was read; ``None`` if there is none, or another process holds the lease."""
        self._wanted = None
        if read is None:
            self._ask_at = now + _ASK_AGAIN if has_files else now
        elif not self.is_over:
            parcel = self._backlog.lend(read.payload, read.name, read.came_at, read.came)
            if parcel is not None:
                parcel.may_be_there = read.may_be_there
                parcel.learn_from(self.failed.get(read.name))
                with self._lock:
                    self._in_hand.add(read.name)
                    self._lent = self.ahead = parcel

    def settle(self, parcel: Parcel) -> None:
        """All of a file is delivered or lost: it stays in hand until it is removed."""
        self._forget(parcel)
        with self._lock:
            if self._lent is parcel:
                self._lent = None

    def fail(self, parcel: Parcel, *, was_answered: bool) -> None:
        """A call with all of a file has failed: it stays there, to be read again."""
        name = self._forget(parcel)
        self.failed[name] = parcel.past  # last
        if was_answered:
            self._answered.add(name)
        self.put_down(parcel)
        self._ask_at = 0.0  # there is one to be read

    def put_down(self, parcel: Parcel) -> None:
        """Let the process that holds the lease read the parcel's file again."""
        with self._lock:
            if self._lent is parcel:
                self._lent = None
            self._in_hand.discard(parcel.file or "")

    def hold(self, name: str) -> None:
        """A file is not to be read: its batch is in a call."""
        with self._lock:
            self._in_hand.add(name)

    def let_go(self, names: Iterable[str]) -> None:
        """Files are gone, or may be read again."""
        with self._lock:
            self._in_hand.difference_update(names)

    def learn_lease(self, *, is_leased: bool) -> None:
        """Learn whether the lease is held now."""
        self._is_leased = is_leased

    def forget(self) -> None:
        """Nothing lies on disk any more."""
        self.failed.clear()
        self._answered.clear()

    def _forget(self, parcel: Parcel) -> str:
        """Forget what calls with the file of a parcel have shown: its name."""
        assert parcel.file is not None
        self._answered.discard(parcel.file)
        self.failed.pop(parcel.file, None)
        return parcel.file
