"""Waits of tests: for calls in threads of their own, at native gates, for conditions with a deadline."""

from __future__ import annotations

import _thread
import contextlib
import importlib
import sys
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PATIENCE = 20.0
"""Seconds after which something counts as never happening; generous, for machines under load."""


def until(condition: Callable[[], object], *, within: float = PATIENCE) -> None:
    """Return as soon as ``condition`` holds; fail where it still does not after ``within`` seconds."""
    began = time.monotonic()
    while not condition():
        waited = time.monotonic() - began
        assert waited < within, f"still not so after {within} s: {condition}"
        time.sleep(min(0.02, 0.001 + waited / 20))  # asking the collector all the time would cost a core


def start(call: Callable[[], T]) -> Future[T]:
    """Run ``call`` on a thread of its own (a greenlet where the process is patched)."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # whatever came out is the test's to see
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def native_lock() -> _thread.LockType:
    """Return a lock of the operating system, in a process that gevent has patched as well."""
    lock: _thread.LockType = native("_thread", "allocate_lock")()
    return lock


def native(module: str, name: str) -> Callable[..., Any]:
    """Return the original of what gevent may have replaced."""
    monkey = sys.modules.get("gevent.monkey")
    found: Callable[..., Any] = (
        getattr(importlib.import_module(module), name)
        if monkey is None
        else monkey.get_original(module, name)
    )
    return found


class Gate:
    """Stays shut until opened; waiting at it blocks a whole native thread."""

    def __init__(self) -> None:
        self._lock = native_lock()
        self._lock.acquire()

    def wait(self, seconds: float = 3 * PATIENCE) -> bool:
        """Return whether the gate opened within ``seconds``."""
        if not self._lock.acquire(timeout=seconds):
            return False
        self.open()
        return True

    def open(self) -> None:
        """End all waits, those to come as well."""
        # Python 3.14 hands a lock to its waiter, which holds it for a moment: a second call may come first.
        with contextlib.suppress(RuntimeError):
            self._lock.release()
