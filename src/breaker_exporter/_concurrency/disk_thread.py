"""All disk work of a process, on one native thread: a disk that hangs holds neither hub nor exit (K13).

The thread has no hub and uses nothing that gevent patches. It ends when nothing is left to do: starting it
takes 0.1 ms (measured), a third of what writing a file takes, and a process without it forks and ends as any.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from . import native
from .disk_job import LIMIT, DiskJob, Undo, Work
from .exporting import new_export_context
from .fork import renew_lock_in_child
from .interpreter_exit import check_threads_run
from .state_lock import new_state_lock
from .threads import start_thread

__all__ = ["LIMIT", "DiskHangs", "DiskJob", "Work", "rest", "run_here", "start_job"]

_REST = 0.0002
"""Seconds: a thread that waits for the GIL wakes up and has it by then."""

T = TypeVar("T")


class DiskHangs(RuntimeError):
    """Work that was given up still hangs on the disk thread: more would only wait behind it."""


class _Thread:
    """A disk thread, from before its start."""

    has_begun = False


class _Disk:
    """The disk thread of one process, and what waits for it."""

    def __init__(self) -> None:
        self.taken_at = time.monotonic()
        self.is_parents = False
        self._jobs: deque[DiskJob[Any]] = deque()
        self._running: DiskJob[Any] | None = None
        self._thread: _Thread | None = None
        self.lock = self._new_lock()
        renew_lock_in_child(self)

    def start(self, work: Work[T], ended: Callable[[], None], undo: Undo[T]) -> DiskJob[T]:
        job = DiskJob(self, work, ended, undo)
        new: _Thread | None = None
        with self.lock:
            if (at := self._running) and at.is_given_up and at.is_late(job.queued_at):
                raise DiskHangs(f"the disk has hung for {job.queued_at - self.taken_at:.0f} s")
            self._jobs.append(job)
            if self._thread is None:
                new = self._thread = _Thread()
        if new is not None:
            try:
                start_thread(partial(self._work, new))
            except BaseException as error:  # the caller may have been interrupted, too
                job.give_up()
                self._not_started(new, error)
                raise
        return job

    def forget(self, job: DiskJob[Any]) -> None:
        with contextlib.suppress(ValueError):  # it has begun
            self._jobs.remove(job)

    def _work(self, thread: _Thread) -> None:
        while (run := self._next(thread)) is not None:
            run()

    def _next(self, thread: _Thread) -> Callable[[], None] | None:
        with self.lock:
            if self._thread is not thread:
                return None
            thread.has_begun = True
            self.taken_at = time.monotonic()
            # Before it looks: a finalizer that queues a job right after that starts a thread for it.
            self._thread = self._running = None
            if not self._jobs:
                return None
            self._thread = thread
            self._running = job = self._jobs.popleft()
            return job.begin()

    def _not_started(self, thread: _Thread, error: BaseException) -> None:
        """Fail what others have queued meanwhile, unless a thread runs after all."""
        with self.lock:
            if thread.has_begun or self._thread is not thread:
                return
            self._thread = None
            left, self._jobs = self._jobs, deque()
        for job in left:
            job.end(RuntimeError(f"no thread can be started: {error}"))

    def _new_lock(self) -> threading.RLock:
        return new_state_lock()


_disk = _Disk()


def start_job(work: Work[T], ended: Callable[[], None], *, undo: Undo[T] = None) -> DiskJob[T]:
    """Queue `work` for the disk thread of this process, behind what was queued before.

    It runs in an empty context.

    Args:
        work: Returns or raises the result.
        ended: Called on the disk thread when the work has ended, unless it was given up.
        undo: Called on the disk thread with what the work returned, where it was given up before it ended.

    Raises:
        DiskHangs: Work that was given up has hung for more than :data:`LIMIT`, and still does.
        RuntimeError: No thread can be started (any more).
    """
    check_threads_run()
    return _disk.start(work, ended, undo)


def run_here(work: Work[T]) -> T:
    """Do `work` on this thread: for the end of the interpreter, where no thread starts any more.

    Raises:
        BaseException: What the work raised.
    """
    return new_export_context().run(work, lambda: False)


def rest() -> None:
    """Let other threads have the GIL: for long loops on the disk thread."""
    native.sleep(_REST)


def _forget() -> None:
    """In a forked child: its parent's thread and jobs are not here."""
    global _disk  # noqa: PLW0603
    _disk.is_parents = True
    _disk._jobs.clear()  # the child may go on in code that is about to start the thread
    _disk = _Disk()


os.register_at_fork(after_in_child=_forget)
