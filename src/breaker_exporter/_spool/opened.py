"""What a process has open of a spool, which its children must not use."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .folders import Folders
from .lease import LeaseFile
from .shelf import Shelf


@dataclass(frozen=True, slots=True)
class Opened:
    """An open spool.

    Attributes:
        folders: Its folders.
        shelf: Its batches.
        lease: Its lease.
        pid: The process.
    """

    folders: Folders
    shelf: Shelf
    lease: LeaseFile
    pid: int

    @property
    def is_mine(self) -> bool:
        """False in a child of the process that has opened it."""
        return self.pid == os.getpid()

    @property
    def is_current(self) -> bool:
        """True where this process has opened it, and it is still in its place."""
        return self.is_mine and self.folders.still_there()
