"""A piece of disk work, as those see it who want its result: done, late, or given up (K13)."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from .exporting import new_export_context
from .memory import let_go

LIMIT = 5.0
"""Seconds in which a disk must be done with a piece of work; one that takes longer hangs."""

T = TypeVar("T")
Work = Callable[[Callable[[], bool]], T]
"""A piece of work. It is given a function that returns true once nobody wants the result any more."""
Undo = Callable[[T], object] | None
_Parts = tuple[Work[T], Callable[[], None], Undo[T]]


class Disk(Protocol):
    """The disk thread that a job is for.

    Attributes:
        taken_at: Monotonic seconds at which the thread took the job that it is at, or was last at.
        is_parents: True in a forked child: the thread is its parent's.
    """

    taken_at: float
    is_parents: bool
    lock: threading.RLock

    def forget(self, job: DiskJob[Any]) -> None:
        """Do not begin `job`."""
        ...


class DiskJob(Generic[T]):
    """A piece of work on the disk thread.

    Either it ends, with a result, or it is given up: whichever comes first.

    Args:
        disk: The thread that it is for.
        work: The work.
        ended: Called when it has ended, unless it was given up.
        undo: Called with what the work returned, where it was given up before.

    Attributes:
        queued_at: Monotonic seconds.
        is_done: True once it has ended: :meth:`result` has something.
        is_given_up: True once nobody wants the result any more.
    """

    def __init__(self, disk: Disk, work: Work[T], ended: Callable[[], None], undo: Undo[T]) -> None:
        self.queued_at = time.monotonic()
        self.is_done = False
        self.is_given_up = False
        self._disk = disk
        self._parts: _Parts[T] | None = (work, ended, undo)
        self._outcome: tuple[T] | BaseException | None = None

    def result(self) -> T:
        """Return what the work returned. Ask once: nothing is kept here for a second time.

        Raises:
            BaseException: What the work raised.
            RuntimeError: It has not ended, was given up, or its result was taken before.
        """
        outcome, self._outcome = self._outcome, None
        if isinstance(outcome, tuple):
            return outcome[0]
        try:
            raise RuntimeError("there is no result") if outcome is None else outcome
        finally:
            del outcome  # its traceback knows this frame

    def give_up(self) -> bool:
        """Say that nobody wants the result any more. Work that has not begun is never done.

        Returns:
            False where it has ended already: then there is a result.
        """
        with self._disk.lock:
            if self.is_done:
                return False
            self.is_given_up = True
            self._disk.forget(self)
            parts, self._parts = self._parts, None
        del parts  # outside the lock: it may free much
        return True

    def is_late(self, now: float) -> bool:
        """True where the disk has been at it, or at what comes before it, for more than :data:`LIMIT`.

        In a forked child, the jobs of its parent are.

        Args:
            now: Monotonic seconds.
        """
        if self.is_done:
            return False
        return self._disk.is_parents or now - max(self.queued_at, self._disk.taken_at) > LIMIT

    def begin(self) -> Callable[[], None]:
        """For the disk thread, under its lock: what does the work, given up from now on or not."""
        assert self._parts is not None
        work, _, undo = self._parts
        return partial(self._run, work, undo)

    def end(self, outcome: tuple[T] | BaseException) -> bool:
        """Hand over what the work returned or raised; false where the job was given up before."""
        with self._disk.lock:
            parts, self._parts = self._parts, None
            if parts is None:
                return False
            self._outcome = outcome
            self.is_done = True
        _, ended, _ = parts
        with contextlib.suppress(BaseException):
            ended()
        return True

    def _run(self, work: Work[T], undo: Undo[T]) -> None:
        outcome: tuple[T] | BaseException
        try:
            outcome = (new_export_context().run(work, lambda: self.is_given_up),)
        except BaseException as error:
            let_go(error)
            outcome = error
        if not self.end(outcome) and undo is not None and isinstance(outcome, tuple):
            with contextlib.suppress(BaseException):
                undo(outcome[0])
