"""What a process has open of a spool, the lease included: its children must not use it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .folders import Folders
from .lease import LeaseFile
from .shelf import Shelf


@dataclass(slots=True)
class Opened:
    """An open spool.

    Attributes:
        folders: Its folders.
        shelf: Its batches.
        lease: The lease's file, which other spools of this process may use too.
        pid: The process.
        has_lease: True where this spool has the lease.
    """

    folders: Folders
    shelf: Shelf
    lease: LeaseFile
    pid: int
    has_lease: bool = False

    @property
    def is_mine(self) -> bool:
        """False in a child of the process that has opened it."""
        return self.pid == os.getpid()

    @property
    def is_current(self) -> bool:
        """True where this process has opened it, and it is still in its place."""
        return self.is_mine and self.folders.still_there()

    @property
    def is_leased(self) -> bool:
        """True where this process has opened it and has the lease."""
        return self.is_mine and self.has_lease

    def took_lease(self) -> bool:
        """Note that the lease was taken; false where its file is not the one in the folder any more."""
        self.has_lease = True
        return self.lease.is_in(self.folders.spool)

    def give_back(self) -> None:
        """Give the lease back, if it is held."""
        if self.is_leased:
            self.shelf.in_hand.clear()
            self.lease.give_back()
        self.has_lease = False

    def close(self, user: object) -> None:
        """Close everything, for the spool that uses it.

        In a child, the numbers of the files may be those of others by now: nothing is closed there.
        """
        if self.is_mine:
            self.give_back()
            self.lease.leave(user)
            self.folders.close()
