"""gevent's hub: callers that depend on it, and work that is given to it."""

from __future__ import annotations

import _thread
import contextvars
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from .patched import gevent_module, is_patched
from .state_lock import holds_state_lock
from .thrown import waiting

if TYPE_CHECKING:
    import greenlet


StartGreenlet = Callable[[Callable[[], object]], object]

_SOON = 0.001
"""Seconds after which a task runs that came up where nobody may wait."""


def on_hub() -> bool:
    """True on the hub greenlet itself, which must never wait."""
    hub = gevent_module("hub")
    return hub is not None and isinstance(_current(), hub.Hub)


def must_not_wait() -> bool:
    """True where a wait would block the very code that it waits for."""
    return on_hub() or holds_state_lock()


def is_cooperative() -> bool:
    """True where the caller waits through its hub: in a greenlet, or the main thread of a patched process."""
    hub = gevent_module("hub")
    if hub is None:
        return False
    parent = _current().parent
    while parent is not None:
        if isinstance(parent, hub.Hub):
            return True
        parent = parent.parent
    return is_patched() and threading.current_thread() is threading.main_thread()


def is_on_main_hub() -> bool:
    """True where the caller waits through the hub of the main thread."""
    if not is_cooperative():
        return False
    import gevent

    return bool(gevent.get_hub().loop.default)


def caller() -> object:
    """The identity of the caller: the greenlet where there are greenlets, else the native thread.

    A signal handler or a finalizer runs with the identity of the code it interrupted.
    """
    return _thread.get_ident() if gevent_module("hub") is None else _current()


def yield_to_hub() -> None:
    """Let the hub run timers, sockets and other greenlets, where the caller is a greenlet and may wait."""
    if is_cooperative() and not must_not_wait():
        import gevent

        gevent.sleep(1e-6)  # 0 would run callbacks alone, and no timer nor socket


def run_soon(task: Callable[[], object]) -> None:
    """Run `task` after the code that the caller has interrupted: for callers that must not wait.

    Raises:
        RuntimeError: No thread can be started.
    """
    if on_hub() or is_cooperative():
        import gevent

        gevent.spawn_later(_SOON, task)
    else:
        timer = threading.Timer(_SOON, task)
        timer.daemon = True
        timer.start()


def run_beside(task: Callable[[], None]) -> Callable[[float], None]:
    """Run `task` beside the caller under gevent; without gevent, before this returns.

    Returns:
        A function that waits for the task, for so many seconds at most.
    """
    if not is_cooperative():
        task()
        return lambda timeout: None
    import gevent

    running = gevent.spawn(task)

    def join(timeout: float) -> None:
        if gevent.getcurrent() is not running and not must_not_wait():
            with waiting():
                running.join(max(0.0, timeout))

    return join


def start_greenlet(
    task: Callable[[], object], ended: Callable[[], None], context: contextvars.Context
) -> Callable[[], None]:
    """Run `task` in a greenlet of its own.

    Args:
        task: What to run. A greenlet that is killed before its first instruction never runs it.
        ended: Called on the hub once the greenlet has ended, also when it was killed.
        context: The context that the greenlet runs in, from its first instruction to its last.

    Returns:
        A function that kills the greenlet and does not wait for it to end.
    """
    import gevent

    running = gevent.Greenlet(task)
    running.gr_context = context
    running.rawlink(lambda _: ended())
    running.start()

    def kill() -> None:
        running.kill(block=False)

    return kill


def greenlet_starter() -> StartGreenlet | None:
    """A function that runs a task in a greenlet of the caller's hub, and may be called from any thread.

    ``None`` where the caller has no hub.
    """
    if not is_cooperative():
        return None
    import gevent

    return partial(gevent.get_hub().loop.run_callback_threadsafe, gevent.spawn)


def _current() -> greenlet.greenlet:
    """The current greenlet, where gevent is loaded."""
    current: greenlet.greenlet = sys.modules["greenlet"].getcurrent()  # an import costs ten times that
    return current
