"""Native locks, queues, waits and thread identities, also where gevent has replaced them."""

from __future__ import annotations

import _thread
import queue
import threading
import time
from typing import Protocol

from .patched import gevent_module


class Lock(Protocol):
    """The part of a native lock that is used here."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...

    def release(self) -> None: ...


class Queue(Protocol):
    """The part of a native queue that is used here."""

    def put(self, item: None) -> None: ...

    def get(self) -> None: ...


def new_lock() -> Lock:
    """A native lock, in a patched process too."""
    monkey = gevent_module("monkey")
    lock: Lock = (monkey.get_original("_thread", "allocate_lock") if monkey else _thread.allocate_lock)()
    return lock


def new_queue() -> Queue:
    """A native queue: its ``get`` blocks the thread, its ``put`` may be called from a finalizer."""
    monkey = gevent_module("monkey")
    made: Queue = (monkey.get_original("queue", "SimpleQueue") if monkey else queue.SimpleQueue)()
    return made


def new_local() -> threading.local:
    """Attributes that each native thread has of its own, the same for all greenlets on it."""
    monkey = gevent_module("monkey")
    made: threading.local = (monkey.get_original("threading", "local") if monkey else threading.local)()
    return made


def thread_ident() -> int:
    """The identity of the native thread, the same for all greenlets on it."""
    monkey = gevent_module("monkey")
    ident: int = (monkey.get_original("_thread", "get_ident") if monkey else _thread.get_ident)()
    return ident


def sleep(seconds: float) -> None:
    """Block this thread for so many seconds, and let go of the GIL meanwhile."""
    monkey = gevent_module("monkey")
    (monkey.get_original("time", "sleep") if monkey else time.sleep)(seconds)
