"""Locks around state that greenlets, native threads, signal handlers and finalizers share."""

from __future__ import annotations

import _thread
import threading
import weakref
from typing import Any

_state_locks: dict[int, weakref.ref[threading.RLock]] = {}


def new_state_lock() -> threading.RLock:
    """A native reentrant lock for state that greenlets and native threads share.

    Native, because it is held for microseconds and never across anything that switches; reentrant, because
    a signal handler or a finalizer may interrupt any instruction and ask for our health. Code that interrupts
    the holder of such a lock must not wait for anybody: see :func:`holds_state_lock`.
    """
    return register_state_lock(_thread.RLock())


def register_state_lock(lock: threading.RLock) -> threading.RLock:
    """Make :func:`holds_state_lock` look at `lock` too."""
    key = id(lock)
    _state_locks[key] = weakref.ref(lock, lambda _: _state_locks.pop(key, None))
    return lock


def holds_state_lock() -> bool:
    """True where the caller has interrupted a section of its own thread that one of our locks guards.

    A signal handler or a finalizer that waits there would wait for threads that wait for that lock, and let
    other greenlets of its thread into the section.
    """
    locks = [lock for known in list(_state_locks.values()) if (lock := known())]
    return any(_is_owned(lock) for lock in locks)


def forget_locks_of_others() -> None:
    """In a forked child: those that threads of the parent held, whose numbers new threads here may get."""
    for key, known in list(_state_locks.items()):
        if (lock := known()) is None or not _is_owned(lock):
            _state_locks.pop(key, None)


def _is_owned(lock: Any) -> bool:
    """A private door, with a test: reentrant locks have no public way to ask (3.11 to 3.15, gevent's too)."""
    return bool(lock._is_owned())
