"""The native thread that the calls of one exporter run on, one after another.

One thread serves all calls until one hangs: pooled gevent sockets belong to the hub of the thread that
opened them. Nobody joins it, so nothing keeps the process from exiting (R4). There is no lock: two
threads share lists, sets and queues, and change them by single steps.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable

from .exporting import enter_export
from .native import new_queue
from .parker import Parker
from .threads import end_own_hub, interrupter, start_thread

living: set[Thread] = set()
"""Threads with a hub of their own."""
_nothing: Callable[[], None] = lambda: None  # noqa: E731


class Job:
    """A call for a thread: either the thread makes it, or the job is taken back.

    Args:
        run: Makes the call; returns false where the thread is not wanted any more.
        unrun: Called on a thread that ends with the job still its own; the call may have been made.
    """

    def __init__(self, run: Callable[[], bool], unrun: Callable[[], None]) -> None:
        self.run = run
        self.unrun = unrun
        self._unclaimed = [True]

    def renewed(self) -> Job:
        """The same call as a new job, for another thread than the one that did not take this."""
        return Job(self.run, self.unrun)

    def claim(self) -> bool:
        """Claim the job; true for the first caller alone, which then runs it or drops it."""
        try:
            return self._unclaimed.pop()
        except IndexError:
            return False


class Thread:
    """A native thread, as seen from other threads.

    Attributes:
        ended: True once it has nothing more to do and its hub is destroyed.
        watchers: Parkers that are woken when it ends.
    """

    def __init__(self) -> None:
        self.ended = False
        self.watchers: list[Parker] = []
        self._closing = False
        # A job stays here until it is over: an error may be raised in this thread from outside at any
        # instruction, and a job that it had just taken from a queue would be lost.
        self._jobs: deque[Job] = deque()
        self._wakes = new_queue()  # one for each job, and one for the end
        self._pid = os.getpid()
        self._interrupt: Callable[[], None] = _nothing
        self._has_hub = False
        self._busy = False
        start_thread(self._work)

    @property
    def has_hub(self) -> bool:
        """True where it belongs to this process, which is patched, and has not ended."""
        return self._has_hub and self._pid == os.getpid()

    def submit(self, job: Job) -> bool:
        """Run `job` after those before it.

        Returns:
            False where the thread ends and does not take it.
        """
        self._jobs.append(job)
        self._wakes.put(None)
        # The thread ends after it has set this: where it is not set yet, the thread will see the job.
        return not self._closing or not job.claim()

    def close(self) -> None:
        """End after the jobs that were submitted so far."""
        self._closing = True
        self._wakes.put(None)

    def interrupt(self) -> None:
        """End a call that waits in the thread's own hub; a call that is stuck in C goes on."""
        with contextlib.suppress(Exception):  # it may have just ended, its hub destroyed
            self._interrupt()

    def _work(self) -> None:
        try:
            enter_export()
            interrupt = interrupter(lambda: self._busy)
            if interrupt is not None:
                self._interrupt = interrupt
                self._has_hub = True
                living.add(self)
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
            return True  # its caller has the outcome; the thread goes on with the next job
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
            living.discard(self)
            for parker in list(self.watchers):
                parker.unpark()


def end_if_child_of(pid: int) -> None:
    """End a child that the wrapped exporter forked and let return.

    There is no caller to go back to, and a thread that only ended would leave a process that nobody ends.
    """
    if os.getpid() != pid:
        os._exit(0)


class Worker:
    """Owns a thread, which ends when this object is freed.

    Raises:
        RuntimeError: No thread can be started.
    """

    thread: Thread

    def __init__(self) -> None:
        self.thread = Thread()

    def submit(self, job: Job) -> bool:
        """Run `job` on the thread; see :meth:`Thread.submit`."""
        return self.thread.submit(job)

    def __del__(self) -> None:
        if "thread" in vars(self):
            self.thread.close()
