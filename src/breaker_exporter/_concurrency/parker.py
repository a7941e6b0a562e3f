"""A place where one caller waits, a greenlet or a native thread, until another thread wakes it."""

from __future__ import annotations

import importlib
import sys
from typing import Protocol

from . import hub
from .native import new_lock
from .patched import gevent_module
from .thrown import waiting


class Parker(Protocol):
    """One caller's place to wait. `unpark` may come from any thread, early or more than once."""

    def park(self, timeout: float) -> None: ...

    def unpark(self) -> None: ...


def new_parker() -> Parker:
    """A place for the current caller to wait."""
    return _HubParker() if hub.is_cooperative() else _ThreadParker()


def new_blocking_parker() -> Parker:
    """A place for the current thread to wait, with all its greenlets: for where nobody may switch."""
    return _ThreadParker()


class _ThreadParker:
    def __init__(self) -> None:
        self._lock = new_lock()
        self._lock.acquire()

    def park(self, timeout: float) -> None:
        with waiting():
            self._lock.acquire(True, max(0.0, timeout))

    def unpark(self) -> None:
        try:
            self._lock.release()
        except RuntimeError:
            pass  # unparked already


class _HubParker:
    """gevent's events are for one thread; what crosses threads is the loop's own callback (R8)."""

    def __init__(self) -> None:
        event = gevent_module("event") or importlib.import_module("gevent.event")
        self._loop = sys.modules["gevent"].get_hub().loop
        self._event = event.Event()

    def park(self, timeout: float) -> None:
        with waiting():
            self._event.wait(max(0.0, timeout))
        self._event.clear()

    def unpark(self) -> None:
        try:
            self._loop.run_callback_threadsafe(self._event.set)
        except Exception:
            pass  # its hub is destroyed, as a native thread's is that ends: nobody waits there any more
