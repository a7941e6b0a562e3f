"""The spool: batches of one exporter on disk, which a host's processes write and one at a time replays."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .bound import Bound, Full, TooLarge
from .cannot_use import CannotUse, cannot_use
from .files import no_rest, size_of, taken
from .lease import NAME as LEASE
from .lease import can_lock, lease_in
from .opened import Opened
from .place import Place
from .record import LARGEST, Record
from .shelf import Shelf
from .stamp import Stamp
from .tidying import Removed

__all__ = ["CannotUse", "Full", "Removed", "Spool", "TooLarge"]


class Spool:
    """One exporter's batches below a directory. The methods block: they are called on one disk thread.

    Nothing is touched before :meth:`open`. Until then, in a forked child, and after the folder has vanished,
    the others raise ``FileNotFoundError``, which is an ``OSError``; :meth:`open` helps.

    Args:
        directory: The user's directory.
        service: ``namespace/name`` of the service, or its name.
        signal: Name of the signal: up to 16 small letters.
        exporter: The exporter's name.
        limit: Bytes for all spools of the service on this host.
        keep_newest: True where the oldest batches make room for new ones.
        now: The clock.

    Attributes:
        path: The spool's folder, for messages.
        warning: Text about the directory after it was opened, or ``None``.
    """

    def __init__(
        self,
        directory: str,
        service: str,
        signal: str,
        exporter: str,
        *,
        limit: int,
        keep_newest: bool,
        now: Callable[[], Stamp] = Stamp.now,
    ) -> None:
        self._place = Place(directory, service, signal, exporter)
        self._signal = signal
        self._now = now
        self._bound = Bound(limit, keep_newest, now)
        self._opened: Opened | None = None
        self._set_aside = 0
        self.path = self._place.path
        self.warning: str | None = None

    @classmethod
    def at(cls, directory: str, path: str, signal: str) -> Spool:
        """A spool that was found, be it of another host. It has no bound.

        Args:
            directory: The user's.
            path: The spool's folder, somewhere in it.
            signal: Name of the signal.
        """
        spool = cls(directory, "", signal, "", limit=sys.maxsize, keep_newest=False)
        spool._place = Place.at(directory, path)
        spool.path = spool._place.path
        return spool

    @property
    def set_aside(self) -> int:
        """Number of damaged files that this process has set aside."""
        return self._set_aside + (self._opened.shelf.set_aside if self._opened else 0)

    @property
    def is_leased(self) -> bool:
        """True while this spool may replay and tidy."""
        return self._opened is not None and self._opened.is_leased

    def open(self) -> None:
        """Make and check the folders, also after they have vanished; nothing where they are open.

        Raises:
            CannotUse: They cannot be used.
        """
        if not can_lock():
            raise self._cannot_lock()
        if self._opened and self._opened.is_current:
            return
        self.close()
        folders = self._place.made()
        try:
            lease = lease_in(folders.spool, self)
        except OSError as error:
            folders.close()
            raise cannot_use(os.path.join(folders.path, LEASE), error) from error
        self.path, self.warning = folders.path, folders.warning
        self._opened = Opened(folders, Shelf(folders.spool, self._signal, self._now), lease, os.getpid())

    def check(self) -> None:
        """Find out whether :meth:`open` would fail, and make nothing for that.

        Raises:
            CannotUse: It would.
        """
        if not can_lock():
            raise self._cannot_lock()
        if not (self._opened and self._opened.is_current):
            self._place.check()

    def close(self) -> None:
        """Give the lease back, and close everything."""
        if self._opened is not None:
            self._opened.close(self)
        self._set_aside = self.set_aside
        self._opened = None

    def has_any(self, rest: Callable[[], None] = no_rest) -> bool:
        """True where a batch lies there; false where there is no folder, or none that can be used.

        Args:
            rest: Called every hundred files that are no batches, or not ours to send.
        """
        try:
            if self._opened and self._opened.is_current:
                return self._opened.shelf.has_any(rest)
            folders = self._place.found() if can_lock() else None
            if folders is None:
                return False
            try:
                return Shelf(folders.spool, self._signal, self._now).has_any(rest)
            finally:
                folders.close()
        except OSError:
            return False

    def write(
        self,
        payload: bytes,
        items: int,
        written: Stamp,
        rest: Callable[[], None] = no_rest,
        *,
        may_be_there: bool = False,
    ) -> str:
        """Write a batch; whatever fails, no file of it is left.

        Args:
            payload: The encoded batch.
            items: Number of items, 1 or more.
            written: The moment from which its age is counted.
            rest: Called every hundred files, where files have to be looked at.
            may_be_there: True where the backend may have it.

        Returns:
            Name of its file.

        Raises:
            Full: The bound is reached, or the file system has no room to spare.
            TooLarge: It never fits.
            OSError: The disk does not take it.
        """
        here = self._current()
        if len(payload) > LARGEST:
            raise TooLarge(f"a batch may have {LARGEST} bytes, not {len(payload)}")
        data = Record(items, payload, written, self._signal, may_be_there).to_bytes()
        size = taken(len(data))
        self._bound.find_room(here, size, self._lease_for_a_moment, rest)
        name = here.shelf.write(data, written)
        self._bound.usage.add(size)
        return name

    def names(self, rest: Callable[[], None]) -> list[str]:
        """Names of the batches, oldest first; without those that :meth:`read` has left alone.

        Args:
            rest: Called every hundred files.
        """
        return self._here.shelf.names(rest)

    def read(self, name: str) -> Record | None:
        """Read a batch that is to be sent; until it is removed or the lease given back, it is not evicted.

        Returns:
            ``None`` where it is gone, set aside since it is damaged, or left alone since it is not ours.

        Raises:
            OSError: The disk cannot read it; :meth:`names` has it last from now on.
        """
        return self._here.shelf.read(name)

    def put_aside(self, name: str) -> None:
        """Set a batch aside that was read and makes no sense, as a damaged one."""
        self._here.shelf.put_aside(name)

    def remove(self, name: str) -> bool:
        """Remove a batch that is settled; false where it was gone already, and nothing is to be counted."""
        here = self._here
        size = size_of(name, here.folders.spool)
        if not here.shelf.remove(name):
            return False
        self._bound.usage.add(-size)
        return True

    def try_lease(self) -> bool:
        """Take the lease if nobody has it; true where this spool has it.

        Raises:
            OSError: The folder has vanished, or cannot be locked.
        """
        here = self._current()
        return (here.has_lease or here.lease.claim()) and self._took_lease(here)

    def wait_for_lease(self, seconds: float) -> bool:
        """Take the lease as soon as its holder gives it back; false where that takes longer than `seconds`.

        Raises:
            OSError: The folder has vanished.
        """
        here = self._current()
        return (here.has_lease or here.lease.wait(seconds)) and self._took_lease(here)

    def give_back(self) -> None:
        """Give the lease back, if it is held."""
        if self._opened is not None:
            self._opened.give_back()

    def needs_tidying(self) -> bool:
        """True where nobody has tidied for 5 s."""
        return self._bound.is_count_old(self._here)

    def tidy(self, max_age: float, rest: Callable[[], None]) -> list[Removed]:
        """With the lease held, remove what is too old or too much, and count the rest for all processes.

        Args:
            max_age: Seconds.
            rest: Called every hundred files.

        Returns:
            Batches removed, with those that :meth:`write` has evicted.
        """
        self._bound.tidy(self._here, max_age, 0, rest)
        return self.evicted_by_writing()

    @property
    def used(self) -> int:
        """Bytes of all spools of the service, as last counted, with what this process has changed since."""
        return self._bound.usage.total

    def evicted_by_writing(self) -> list[Removed]:
        """Batches that :meth:`write` has evicted since the last call."""
        removed, self._bound.removed = self._bound.removed, []
        return removed

    @contextmanager
    def _lease_for_a_moment(self) -> Iterator[bool]:
        had_it = self.is_leased
        try:
            yield self.try_lease()
        finally:
            if not had_it:
                self.give_back()

    @property
    def _here(self) -> Opened:
        if self._opened is None or not self._opened.is_mine:
            raise self._vanished()
        return self._opened

    def _current(self) -> Opened:
        if not self._here.is_current:
            raise self._vanished()
        return self._here

    def _took_lease(self, here: Opened) -> bool:
        if not here.took_lease():  # somebody has removed its file
            self.close()
            raise self._vanished()
        return True

    def _cannot_lock(self) -> CannotUse:
        text = f"{self.path!r} cannot be used: this system has no fcntl to share it by; keep memory alone"
        return CannotUse(text)

    def _vanished(self) -> FileNotFoundError:
        return FileNotFoundError(errno.ENOENT, "not open, or gone since", self.path)
