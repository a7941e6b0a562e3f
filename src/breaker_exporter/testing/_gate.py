"""The gate of a scripted exporter: calls that hang wait at it until it is opened."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ._native import native


class Gate:
    """Blocks the operating system threads that pass, as a hanging exporter does, until it is opened.

    It is closed at first. A greenlet that passes blocks its whole thread, gevent's hub included.
    """

    def __init__(self) -> None:
        self._allocate_lock: Callable[[], threading.Lock] = native("_thread", "allocate_lock")
        self._guard = self._allocate_lock()
        self._waiting: list[threading.Lock] = []
        self._is_open = False

    def open(self) -> None:
        """Let all that wait continue, and later ones pass; any thread or greenlet may call this."""
        with self._guard:
            self._is_open = True
            waiting, self._waiting = self._waiting, []
        for lock in waiting:
            lock.release()

    def close(self) -> None:
        """Block what passes from now on."""
        with self._guard:
            self._is_open = False

    def wait(self) -> None:
        """Return at once where the gate is open, else once it is opened."""
        with self._guard:
            if self._is_open:
                return
            lock = self._allocate_lock()
            lock.acquire()
            self._waiting.append(lock)
        lock.acquire()

    def forked(self) -> None:
        """Replace the guard in a forked child: another thread may have held it at the fork."""
        self._guard = self._allocate_lock()
