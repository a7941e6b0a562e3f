"""The native thread that the calls of one exporter run on, one after another.

One thread serves all calls until one hangs: pooled gevent sockets belong to the hub of the thread that
opened them. Nobody joins it, so nothing keeps the process from exiting (R4). No lock: what two threads may
ask for at the same time is one step on a list, a set or a queue.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterable

from .native import new_queue
from .parker import Parker, new_parker
from .threads import end_own_hub, interrupter, start_thread

_GRACE = 0.5
"""Seconds that an exit waits for interrupted threads to end."""

_living: set[Thread] = set()
"""Threads with a hub of their own."""
_nothing: Callable[[], None] = lambda: None  # noqa: E731


class Job:
    """A call for a thread: either the thread makes it, or the job is taken back.

    Args:
        run: Makes the call; returns whether the thread is still wanted.
        unrun: Called on a thread that ends before it could make the call to its end; it may have done so.
    """

    def __init__(self, run: Callable[[], bool], unrun: Callable[[], None]) -> None:
        self.run = run
        self.unrun = unrun
        self._unclaimed = [True]

    def renewed(self) -> Job:
        """The same call, for another thread than the one that did not take this job."""
        return Job(self.run, self.unrun)

    def claim(self) -> bool:
        """Whether the caller is the first to ask, and so the one to decide what becomes of the job."""
        try:
            return self._unclaimed.pop()
        except IndexError:
            return False


class Thread:
    """What is known of a native thread from outside.

    Attributes:
        ended: Whether it has nothing more to do, its hub destroyed.
        watchers: Told when it ends.
    """

    def __init__(self) -> None:
        self.ended = False
        self.watchers: list[Parker] = []
        self._closing = False
        # A job stays here until it is over: what is raised in this thread from outside may come at any
        # instruction, and what it had just taken from a queue would be nowhere.
        self._jobs: deque[Job] = deque()
        self._wakes = new_queue()  # one for each job, and one for the end
        self._pid = os.getpid()
        self._interrupt: Callable[[], None] = _nothing
        self._has_hub = False
        self._busy = False
        start_thread(self._work)

    @property
    def has_hub(self) -> bool:
        """Whether it is of this process, which is patched, and not ended."""
        return self._has_hub and self._pid == os.getpid()

    def submit(self, job: Job) -> bool:
        """Have `job` run after those before it. Returns whether the thread took it."""
        self._jobs.append(job)
        self._wakes.put(None)
        # The thread ends after it has set this: where it is not set yet, the thread will see the job.
        return not self._closing or not job.claim()

    def close(self) -> None:
        """End after the jobs that were submitted so far."""
        self._closing = True
        self._wakes.put(None)

    def interrupt(self) -> None:
        """End a call that waits in the thread's own hub; one that is stuck in C stays."""
        with contextlib.suppress(Exception):  # it may have just ended, its hub destroyed
            self._interrupt()

    def _work(self) -> None:
        try:
            interrupt = interrupter(lambda: self._busy)
            if interrupt is not None:
                self._interrupt = interrupt
                self._has_hub = True
                _living.add(self)
            wanted = True
            while wanted:
                self._wakes.get()
                if not self._jobs:
                    break
                wanted = self._run(self._jobs[0])
                self._jobs.popleft()
        finally:
            self._retire()

    def _run(self, job: Job) -> bool:
        if not job.claim():
            return True
        self._busy = True
        try:
            return job.run()
        except BaseException:
            return True  # the job has told its caller; the thread is for the next one
        finally:
            self._busy = False

    def _retire(self) -> None:
        self._closing = True
        self._interrupt = _nothing
        for job in list(self._jobs):
            job.claim()
            job.unrun()
        try:
            end_own_hub()
        finally:
            self._has_hub = False
            self.ended = True
            _living.discard(self)
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
    parker = new_parker()
    for thread in threads:
        thread.watchers.append(parker)
        thread.interrupt()
        thread.close()
    until = min(deadline, time.monotonic() + _GRACE)
    while not all(thread.ended for thread in threads) and (now := time.monotonic()) < until:
        parker.park(until - now)


def end_if_child_of(pid: int) -> None:
    """End a child that the wrapped exporter forked and let return.

    There is no caller to go back to, and a thread that only ended would leave a process that nobody ends.
    """
    if os.getpid() != pid:
        os._exit(0)


class _AfterAllDrains(logging.Handler):
    """Ends the threads when logging is shut down, which is after every provider has drained its queue.

    Exit handlers run in reverse order of their registration. OpenTelemetry imports logging before it makes a
    provider, so logging's own handler runs after the provider's; a handler of ours would run before that of
    a provider that was made before this module was imported, and take the thread that its drain needs.
    """

    def createLock(self) -> None:  # noqa: N802
        self.lock = None  # nothing is written here

    def close(self) -> None:
        """Not the base class's: logging keeps this, and calls it again in the next shutdown."""
        end(list(_living), time.monotonic() + _GRACE)


_at_exit: list[logging.Handler] = []


@atexit.register
def _end_after_all_drains() -> None:
    # Not before: where logging is configured anew, it closes all handlers that it knows.
    _at_exit.append(_AfterAllDrains())


class Worker:
    """Holds a thread: it serves for as long as somebody holds this.

    Raises:
        RuntimeError: No thread can be started.
    """

    thread: Thread

    def __init__(self) -> None:
        self.thread = Thread()

    def submit(self, job: Job) -> bool:
        """Have `job` run on the thread. Returns whether the thread took it: one that ends takes none."""
        return self.thread.submit(job)

    def __del__(self) -> None:
        if "thread" in vars(self):
            self.thread.close()
