"""All that one exporter keeps in one process: in memory, and on disk once the service's name is known."""

from __future__ import annotations

from .backlog import Backlog
from .no_disk import Disk, NoDisk


class Store:
    """Memory and disk as one.

    Args:
        backlog: In memory.

    Attributes:
        backlog: In memory.
        disk: On disk.
    """

    def __init__(self, backlog: Backlog) -> None:
        self.backlog = backlog
        self.disk: Disk = NoDisk()

    @property
    def is_empty(self) -> bool:
        """True where nothing waits: in memory, or as last seen on disk."""
        return self.backlog.queue.is_empty and not self.disk.has_files

    def has_nothing(self) -> bool:
        """True where nothing is in memory, and nothing can be on disk."""
        return self.backlog.is_idle and not self.disk.may_have_files

    @property
    def is_settled(self) -> bool:
        """True where all that came is delivered or lost, and nothing is left on disk, as last seen."""
        return self.backlog.is_idle and self.disk.is_clear

    def is_settled_until(self, number: int) -> bool:
        """The same for all that came no later than the parcel of this number."""
        return not self.backlog.has_any_until(number) and self.disk.is_clear
