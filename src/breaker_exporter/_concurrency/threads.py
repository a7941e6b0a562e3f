"""Native threads that nobody joins: start, interruption, and the end of their hubs."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable

from .one_a_hub import leave_hub
from .patched import gevent_module, is_patched

_WARM = (
    "encodings.idna",
    "gevent.pool",
    "gevent.resolver.thread",
    "gevent.threadpool",
    "gevent.util",
    "netrc",
)
"""Imported by sockets, DNS and requests at first use. A native thread must not: import locks are patched."""


def start_thread(target: Callable[[], None]) -> None:
    """Run `target` on a new native thread that nobody joins.

    Raises:
        RuntimeError: No thread can be started (any more).
    """
    if is_patched():
        for module in _WARM:
            importlib.import_module(module)
        monkey = gevent_module("monkey")
        assert monkey is not None
        monkey.get_original("_thread", "start_new_thread")(target, ())
    else:
        threading.Thread(target=target, name="breaker-exporter", daemon=True).start()


def interrupter(is_busy: Callable[[], bool]) -> Callable[[], None] | None:
    """A function that ends the current wait of this native thread, from any thread, in a patched process.

    Calls on such a thread wait in a hub of the thread's own, so another greenlet of that hub can throw.

    Args:
        is_busy: Returns true while the thread is in a call, which alone may be interrupted.
    """
    if not is_patched():
        return None
    import gevent
    import greenlet

    loop = gevent.get_hub().loop
    waiting = greenlet.getcurrent()

    def throw() -> None:
        _ = waiting.throw(gevent.GreenletExit) if is_busy() else None

    def interrupt() -> None:
        loop.run_callback_threadsafe(throw)

    return interrupt


def end_own_hub() -> None:
    """Destroy the hub of the current native thread, if it has one, so that no descriptors leak."""
    if gevent_module("hub") is not None:
        import gevent

        leave_hub()
        gevent.get_hub().destroy(destroy_loop=True)
