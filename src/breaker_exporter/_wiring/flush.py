"""One call of ``force_flush``: the items that it waits for, and the wait."""

from __future__ import annotations

import time

from .._concurrency.parker import new_parker
from .._concurrency.thrown import passing_on


class Flush:
    """Waits until every item that came before it is exported, refused or dropped.

    Args:
        seconds: The longest wait.
    """

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        # Ids of objects, alive or gone: an earlier item that is still queued cannot have the same id.
        self._later: set[int] = set()
        self._exported: bool | None = None
        self._parker = new_parker()

    @property
    def is_over(self) -> bool:
        """True once it has ended, or its time is over."""
        return self._exported is not None or time.monotonic() >= self._deadline

    @property
    def left(self) -> float:
        """Seconds that are left of its time."""
        return max(0.0, self._deadline - time.monotonic())

    def ignore(self, item: object) -> None:
        """Not wait for an item that comes only now."""
        if not self.is_over:
            self._later.add(id(item))

    def ignores(self, item: object) -> bool:
        """True where the item came after the flush had begun."""
        return id(item) in self._later

    def end(self, *, exported: bool) -> None:
        """Wake the caller. The first call counts."""
        if self._exported is None:
            self._exported = exported
            self._parker.unpark()

    def wait(self) -> bool:
        """Wait for the end; true where the items were exported in time."""
        with passing_on():
            while self._exported is None and self.left > 0:
                self._parker.park(self.left)
        return self._exported is True
