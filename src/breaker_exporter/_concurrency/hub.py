"""Which world a call lives in, gevent's or plain threads: the only file that knows gevent.

Decided per call by what is loaded and patched at that moment, never at import (an exporter may be made
before the monkey patch and used after it). Native primitives are those that gevent did not replace.
"""

from __future__ import annotations

import _thread
import builtins
import contextlib
import contextvars
import importlib
import os
import queue
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import types

    import greenlet

_WARM = (
    "encodings.idna",
    "gevent.pool",
    "gevent.resolver.thread",
    "gevent.threadpool",
    "gevent.util",
    "netrc",
)
"""What sockets, DNS and requests import at first use. A native thread must not: import locks are patched."""


_SOON = 0.001
"""Seconds after which something is tried again that came in where nobody may wait."""


class Thrown(BaseException):
    """Carries what was thrown into a waiting caller, an ``Exception`` too: it is the application's (C3)."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


class Lock(Protocol):
    """What a native lock offers."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...

    def release(self) -> None: ...


class Locked(Protocol):
    """What guards its state with a lock."""

    _lock: threading.RLock

    def _new_lock(self) -> threading.RLock: ...


class Queue(Protocol):
    """What a native queue offers."""

    def put(self, item: None) -> None: ...

    def get(self) -> None: ...


class Parker(Protocol):
    """Where one caller waits. `unpark` may come from any thread, early or more than once."""

    def park(self, timeout: float) -> None: ...

    def unpark(self) -> None: ...


def _gevent(module: str) -> types.ModuleType | None:
    return sys.modules.get(f"gevent.{module}")


def _current() -> greenlet.greenlet:
    """The greenlet that runs, where gevent is loaded."""
    current: greenlet.greenlet = sys.modules["greenlet"].getcurrent()  # an import costs ten times that
    return current


def is_patched(module: str = "threading") -> bool:
    """Whether gevent has patched a module; as a rule, whether this process's locks and threads are its."""
    monkey = _gevent("monkey")
    return monkey is not None and bool(monkey.is_module_patched(module))


def new_lock() -> Lock:
    """A native lock, in a patched process too."""
    monkey = _gevent("monkey")
    lock: Lock = (monkey.get_original("_thread", "allocate_lock") if monkey else _thread.allocate_lock)()
    return lock


def new_state_lock() -> threading.RLock:
    """A native reentrant lock for state that greenlets and native threads share.

    Native, because it is held for microseconds and never across anything that switches; reentrant, because
    a signal handler or a finalizer may come in at any instruction and ask for our health. One that comes in
    while such a lock is held must not wait for anybody: see :func:`holds_state_lock`.
    """
    return known_state_lock(_thread.RLock())


_state_locks: dict[int, weakref.ref[threading.RLock]] = {}


def known_state_lock(lock: threading.RLock) -> threading.RLock:
    """Have :func:`holds_state_lock` ask `lock` too."""
    key = id(lock)
    _state_locks[key] = weakref.ref(lock, lambda _: _state_locks.pop(key, None))
    return lock


def holds_state_lock() -> bool:
    """Whether the caller has interrupted a section of its own thread that one of our locks guards.

    A signal handler or a finalizer that waits there would wait for threads that wait for that lock, and let
    other greenlets of its thread into the section.
    """
    locks = [lock for known in list(_state_locks.values()) if (lock := known())]
    return any(_is_owned(lock) for lock in locks)


def _is_owned(lock: Any) -> bool:
    """A private door, with a test: reentrant locks have no public way to ask (3.11 to 3.14, gevent's too)."""
    return bool(lock._is_owned())


_locked: weakref.WeakSet[Locked] = weakref.WeakSet()


def renew_in_child(owner: Locked) -> None:
    """In a forked child, give `owner` a new lock: another thread may have held it at the fork.

    Copies of the parent's greenlets go on in the child, and on their way out they take it.
    """
    _locked.add(owner)


def _renew_locks() -> None:
    for owner in list(_locked):
        owner._lock = owner._new_lock()


os.register_at_fork(after_in_child=_renew_locks)


def new_queue() -> Queue:
    """A native queue: its ``get`` blocks the thread, its ``put`` may be called from a finalizer."""
    monkey = _gevent("monkey")
    made: Queue = (monkey.get_original("queue", "SimpleQueue") if monkey else queue.SimpleQueue)()
    return made


def thread_ident() -> int:
    """The native thread's identity, the same for all greenlets on it."""
    monkey = _gevent("monkey")
    ident: int = (monkey.get_original("_thread", "get_ident") if monkey else _thread.get_ident)()
    return ident


class TornDown(RuntimeError):
    """The interpreter is being torn down: no thread, new or old, runs any more."""


def check_threads_run() -> None:
    """Raise where a thread, a new or an old one, would never get to run.

    Raises:
        TornDown: The interpreter is being torn down.
    """
    # Coverage has saved its data by then; the exit scenarios in tests/semantics go through here.
    if sys.is_finalizing():  # pragma: no cover
        raise TornDown("no thread runs any more at interpreter shutdown")


def is_of_exit(error: BaseException | None) -> bool:
    """Whether `error` says that the interpreter is about to end, so that no thread can be started any more.

    Python 3.12 says so by the text alone, later ones by the type as well.
    """
    if isinstance(error, TornDown | getattr(builtins, "PythonFinalizationError", TornDown)):
        return True
    return isinstance(error, RuntimeError) and "interpreter shutdown" in str(error)


def resolve_names_without_threads() -> None:
    """At exit, where gevent's resolver has no thread and none can start (Python 3.12): resolve in place.

    That holds the hub, which serves nobody else by then.
    """
    if threading.main_thread().is_alive():
        return
    import gevent
    from gevent.resolver.blocking import Resolver

    hub = gevent.get_hub()
    if hub.threadpool.size:
        return
    try:
        start_thread(lambda: None)
    except RuntimeError:
        hub.resolver = Resolver()  # type: ignore[assignment]


def start_thread(target: Callable[[], None]) -> None:
    """Run `target` on a new native thread that nobody joins.

    Raises:
        RuntimeError: No thread can be started (any more).
    """
    if is_patched():
        for module in _WARM:
            importlib.import_module(module)
        monkey = _gevent("monkey")
        assert monkey is not None
        monkey.get_original("_thread", "start_new_thread")(target, ())
    else:
        threading.Thread(target=target, name="breaker-exporter", daemon=True).start()


def interrupter(is_busy: Callable[[], bool]) -> Callable[[], None] | None:
    """For the current native thread of a patched process: what ends its current wait, from any thread.

    What runs on such a thread waits in a hub of the thread's own, so another greenlet of that hub can throw.

    Args:
        is_busy: Whether the thread is in a call, which alone may be interrupted.
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


def hand_over_to_here() -> Callable[[Callable[[], None]], bool]:
    """For the main thread of a process that was patched when it had other threads already.

    Returns:
        What runs a task in a greenlet of this thread's hub, where the caller is such a native thread: what
        takes patched locks must not run there (R7). It says whether it does.
    """
    import gevent

    loop = gevent.get_hub().loop

    def hand_over(task: Callable[[], None]) -> bool:
        if is_cooperative() or on_hub():
            return False
        loop.run_callback_threadsafe(gevent.spawn, task)
        return True

    return hand_over


def retire_thread() -> None:
    """End the current native thread cleanly: the hub it may have is destroyed, else descriptors leak."""
    if _gevent("hub") is not None:
        import gevent

        gevent.get_hub().destroy(destroy_loop=True)


def on_hub() -> bool:
    """Whether this is the hub greenlet itself, which must never wait."""
    hub = _gevent("hub")
    return hub is not None and isinstance(_current(), hub.Hub)


def must_not_wait() -> bool:
    """Whether a wait here would keep those from running that it waits for."""
    return on_hub() or holds_state_lock()


def is_cooperative() -> bool:
    """Whether the caller must wait through its hub: a greenlet, or the main thread of a patched process."""
    hub = _gevent("hub")
    if hub is None:
        return False
    parent = _current().parent
    while parent is not None:
        if isinstance(parent, hub.Hub):
            return True
        parent = parent.parent
    return is_patched() and threading.current_thread() is threading.main_thread()


def caller() -> object:
    """Who calls: the greenlet, where there are greenlets, else the native thread.

    A signal handler or a finalizer is whoever it has interrupted.
    """
    return _thread.get_ident() if _gevent("hub") is None else _current()


def new_parker() -> Parker:
    """Where the current caller waits."""
    return _HubParker() if is_cooperative() else _ThreadParker()


def give_way() -> None:
    """Let the hub see to whatever is due, where the caller is a greenlet of its own."""
    if is_cooperative() and not must_not_wait():
        import gevent

        gevent.sleep(1e-6)  # 0 would run callbacks alone, and no timer nor socket


def run_soon(task: Callable[[], object]) -> None:
    """Run `task` elsewhere, where the caller must not wait: after what it has interrupted.

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


def beside(task: Callable[[], None]) -> Callable[[float], None]:
    """Run `task` beside the caller under gevent, elsewhere at once.

    Returns:
        What waits for it, for so many seconds at most.
    """
    if not is_cooperative():
        task()
        return lambda timeout: None
    import gevent

    running = gevent.spawn(task)

    def join(timeout: float) -> None:
        if gevent.getcurrent() is not running and not must_not_wait():
            with _waiting():
                running.join(max(0.0, timeout))

    return join


@contextlib.contextmanager
def _waiting() -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        raise Thrown(error) from None


class _ThreadParker:
    def __init__(self) -> None:
        self._lock = new_lock()
        self._lock.acquire()

    def park(self, timeout: float) -> None:
        with _waiting():
            self._lock.acquire(True, max(0.0, timeout))

    def unpark(self) -> None:
        try:
            self._lock.release()
        except RuntimeError:
            pass  # unparked already


class _HubParker:
    """gevent's events are for one thread; what crosses threads is the loop's own callback (R8)."""

    def __init__(self) -> None:
        event = _gevent("event") or importlib.import_module("gevent.event")
        self._loop = sys.modules["gevent"].get_hub().loop
        self._event = event.Event()

    def park(self, timeout: float) -> None:
        with _waiting():
            self._event.wait(max(0.0, timeout))
        self._event.clear()

    def unpark(self) -> None:
        try:
            self._loop.run_callback_threadsafe(self._event.set)
        except Exception:
            pass  # its hub is destroyed, as a native thread's is that ends: nobody waits there any more


def start_greenlet(
    task: Callable[[], object], ended: Callable[[], None], context: contextvars.Context
) -> Callable[[], None]:
    """Run `task` in a greenlet of its own.

    Args:
        task: What to run. A greenlet that is killed before its first instruction never runs it.
        ended: Called on the hub when the greenlet has ended, however it did.
        context: What the greenlet runs in, from its first instruction to its last.

    Returns:
        What kills it, without waiting for it to die.
    """
    import gevent

    running = gevent.Greenlet(task)
    running.gr_context = context
    running.rawlink(lambda _: ended())
    running.start()

    def kill() -> None:
        running.kill(block=False)

    return kill
