"""The memory that all exporters of a process may keep batches in, and what goes when it is full."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from .._concurrency.fork import renew_lock_in_child
from .._concurrency.state_lock import new_state_lock
from .retention_settings import Keep

if TYPE_CHECKING:
    from .backlog import Backlog
    from .parcel import Parcel


class Budget:
    """Bytes for the backlogs of one process.

    Args:
        limit: Bytes.
        keep: Which parcels stay where not all fit.

    Attributes:
        limit: Bytes.
        lock: Guards this and all backlogs that share it.
    """

    def __init__(self, limit: int, keep: Keep) -> None:
        self.limit = limit
        self._keep = keep
        # Weak: what an application drops is not kept alive by the budget that it shared.
        self._backlogs: weakref.WeakSet[Backlog] = weakref.WeakSet()
        self.lock = self._new_lock()
        renew_lock_in_child(self)

    @property
    def used(self) -> int:
        """Bytes taken now."""
        return sum(backlog.size for backlog in list(self._backlogs))

    def join(self, backlog: Backlog) -> None:
        """Share the memory with one more backlog."""
        with self.lock:
            self._backlogs.add(backlog)

    def make_room(self) -> None:
        """Evict parcels from the backlogs until the rest fits; what is in a call stays."""
        while (found := self._evicted()) is not None:
            backlog, parcel = found
            backlog.evicted(parcel)

    def _evicted(self) -> tuple[Backlog, Parcel] | None:
        with self.lock:
            if self.used <= self.limit:
                return None
            fullest = max(self._backlogs, key=lambda backlog: backlog.queue.size)
            parcel = fullest.evict(newest=self._keep is Keep.OLDEST)
            return None if parcel is None else (fullest, parcel)

    def _new_lock(self) -> threading.RLock:
        return new_state_lock()
