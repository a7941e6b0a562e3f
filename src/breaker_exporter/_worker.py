"""The native thread that the calls of one exporter run on, one after another.

One thread serves all calls until one hangs: pooled gevent sockets belong to the hub of the thread that
opened them. Nobody joins it, so nothing keeps the process from exiting (R4).
"""

from __future__ import annotations

import atexit
import os
import time
import weakref
from collections.abc import Callable, Iterable

from . import _world

_GRACE = 0.5
"""Seconds that an exit waits for interrupted threads to end."""

_living: weakref.WeakSet[Thread] = weakref.WeakSet()
_nothing: Callable[[], None] = lambda: None  # noqa: E731


class Thread:
    """What is known of a native thread from outside.

    Attributes:
        ended: Whether it has nothing more to do, its hub destroyed.
        watchers: Told when it ends.
    """

    def __init__(self) -> None:
        self.jobs = _world.new_jobs()
        self.ended = False
        self.watchers: list[_world.Parker] = []
        self._pid = os.getpid()
        self._lock = _world.new_lock()
        self._interrupt: Callable[[], None] = _nothing
        self._has_hub = False
        self._busy = False
        _world.start_thread(self._work)

    @property
    def has_hub(self) -> bool:
        """Whether it is of this process, which is patched, and not ended."""
        return self._has_hub and self._pid == os.getpid()

    def interrupt(self) -> None:
        """End a call that waits in the thread's own hub; one that is stuck in C stays."""
        self._lock.acquire()
        try:
            self._interrupt()
        finally:
            self._lock.release()

    def _work(self) -> None:
        interrupt = _world.interrupter(lambda: self._busy)
        if interrupt is not None:
            self._interrupt = interrupt
            self._has_hub = True
            _living.add(self)
        wanted = True
        while wanted:
            job = self.jobs.get()
            if job is None:
                break
            self._busy = True
            try:
                wanted = job()
            finally:
                self._busy = False
            del job  # an idle thread keeps no spans alive
        self._retire()

    def _retire(self) -> None:
        self._lock.acquire()
        self._interrupt = _nothing
        self._lock.release()
        _world.retire_thread()
        self._has_hub = False
        self.ended = True
        for parker in list(self.watchers):
            parker.unpark()


def end(threads: Iterable[Thread], deadline: float) -> None:
    """Leave no thread to wake up in its hub while the interpreter is torn down (S5).

    Measured: such a thread crashes the process, SIGSEGV in one exit of four. Waits until `deadline`
    (monotonic seconds), and at most half a second.
    """
    threads = [thread for thread in threads if thread.has_hub]
    if not threads:
        return
    parker = _world.new_parker()
    for thread in threads:
        thread.watchers.append(parker)
        thread.interrupt()
        thread.jobs.put(None)
    until = min(deadline, time.monotonic() + _GRACE)
    while not all(thread.ended for thread in threads) and (now := time.monotonic()) < until:
        parker.park(until - now)


def end_if_child_of(pid: int) -> None:
    """End a child that the wrapped exporter forked and let return.

    There is no caller to go back to, and a thread that only ended would leave a process that nobody ends.
    """
    if os.getpid() != pid:
        os._exit(0)


@atexit.register
def _end_all() -> None:
    end(list(_living), time.monotonic() + _GRACE)


class Worker:
    """Holds a thread: it serves for as long as somebody holds this.

    Raises:
        RuntimeError: No thread can be started.
    """

    def __init__(self) -> None:
        self._jobs: _world.Jobs | None = None
        self.thread = Thread()
        self._jobs = self.thread.jobs

    def submit(self, job: Callable[[], bool]) -> None:
        """Run `job` on the thread, which ends where it returns ``False``."""
        self.thread.jobs.put(job)

    def __del__(self) -> None:
        if self._jobs is not None:
            self._jobs.put(None)
