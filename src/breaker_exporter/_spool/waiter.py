"""A wait with a deadline for a call that knows none, such as the kernel's wait for a lock."""

from __future__ import annotations

from collections.abc import Callable

from .._concurrency.native import new_lock
from .._concurrency.state_lock import new_state_lock


class Waiter:
    """Makes one call on a thread of its own, for somebody who may leave before it is over.

    Args:
        take: Returns when it has got what is waited for. An ``OSError`` says that it never will.
        give_back: Called where it got it and nobody waits any more.
        give_up: Called where it never will.
    """

    def __init__(
        self, take: Callable[[], None], give_back: Callable[[], None], give_up: Callable[[], None]
    ) -> None:
        self._take = take
        self._give_back = give_back
        self._give_up = give_up
        self._lock = new_state_lock()
        self._ended = new_lock()
        self._ended.acquire()
        self._is_awaited = True
        self._has_it = False
        self._is_over = False

    def run(self) -> None:
        """Make the call: the thread's target."""
        try:
            self._take()
        except OSError:
            with self._lock:
                self._is_over = True
                self._give_up()
        else:
            with self._lock:
                self._has_it = self._is_awaited
                if not self._has_it:
                    self._is_over = True
                    self._give_back()
        self._ended.release()

    @property
    def is_over(self) -> bool:
        """True once it gave back what it got, or gave up."""
        with self._lock:
            return self._is_over

    def join(self) -> bool:
        """Wait again after having left; false where it is over, and only another one can get it."""
        with self._lock:
            self._is_awaited = not self._is_over
            return self._is_awaited

    def wait(self, seconds: float) -> bool:
        """Wait, and leave after `seconds`; true where it got it."""
        self._ended.acquire(timeout=seconds)
        with self._lock:
            self._is_awaited = False
            return self._has_it
