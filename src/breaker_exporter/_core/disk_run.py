"""Has orders carried out by the disk thread, one at a time, and never waits for longer than it is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

from .._concurrency.disk_thread import DiskHangs, DiskJob, run_here, start_job
from .._concurrency.interpreter_exit import is_exit_error
from .._concurrency.state_lock import new_state_lock
from . import deadline_clock as time
from .change import Change
from .disk_order import Found, Order
from .disk_work import DiskWork

_WAIT_FOR_OTHER = 0.01
"""Seconds until it is asked again whether somebody else is done with what has come of an order."""
_OTHERS_END_WITHIN = 0.1
"""Seconds that the end waits for that."""


class DiskRun:
    """Starts orders and takes up what has come of them, for whichever caller is the first to claim that.

    Args:
        work: Carries out orders.
        next_order: Returns the next order, if there is one. Batches that came before a time (monotonic
            seconds) are written, also those in a call.
        take_up: Gets an order, and what has come of it.
    """

    def __init__(
        self,
        work: DiskWork,
        next_order: Callable[[float], Order | None],
        take_up: Callable[[Order, Found], None],
    ) -> None:
        self._work = work
        self._next_order = next_order
        self._take_up = take_up
        self._is_claimed = False
        self._lock = new_state_lock()
        self._order: Order | None = None
        self._job: DiskJob[Found] | None = None
        self._change = Change()
        self._pid = os.getpid()

    @property
    def is_busy(self) -> bool:
        """True where an order is out."""
        return self._order is not None

    def advance(self, until: float, *, before: float) -> bool:
        """Have the next order carried out, and wait for that; false where there is none, or no time left.

        Args:
            until: Monotonic seconds.
            before: For the next order.
        """
        if (left := until - time.monotonic()) <= 0:
            return False
        if not self.claim():  # the shutdown, or the worker
            self.wait_for_other(min(left, _WAIT_FOR_OTHER))
            return True
        try:
            if not self.is_busy:
                order = self._next_order(before)
                if order is None:
                    return False
                self._begin(order)
        finally:
            self.release()
        self.wait(left)
        if os.getpid() != self._pid:  # forked meanwhile: the order is the parent's
            return False
        if self.claim():
            try:
                if (ended := self.take()) is not None:
                    self._take_up(*ended)
            finally:
                self.release()
        return True

    def carry_out(self, order: Order, timeout: float) -> Found:
        """Have an order carried out now, and wait for that, for so many seconds at most; none is out."""
        found = self.start(order)
        if found is None:
            self.wait(timeout)
            _, found = self.take(is_last=True) or (order, Found())
        self._take_up(order, found)
        return found

    def stop(self) -> None:
        """Take up what has ended, and have the files closed, now or when the disk answers."""
        until = time.monotonic() + _OTHERS_END_WITHIN
        while not self.claim() and time.monotonic() < until:
            self.wait_for_other(_WAIT_FOR_OTHER)
        if (ended := self.take(is_last=True)) is not None:
            self._take_up(*ended)
        self._work.is_over = True
        self.start(Order(closes=True))
        self.release()

    def claim(self) -> bool:
        """Be the one who starts orders and takes up what has come of them, until :meth:`release`."""
        with self._lock:
            is_mine, self._is_claimed = not self._is_claimed, True
        return is_mine

    def release(self) -> None:
        """Let others start and take up orders."""
        self._is_claimed = False

    def start(self, order: Order) -> Found | None:
        """Have an order carried out; none is out.

        Returns:
            What came of it, where that is known at once.
        """
        work = partial(self._work.carry_out, order)
        try:
            job = start_job(work, self._change.happened, undo=partial(self._work.undo, order))
        except DiskHangs as error:
            return Found(error=error)
        except RuntimeError as error:
            if is_exit_error(error):  # the interpreter ends: nobody can be held up
                return run_here(work)
            return Found(error=error)
        with self._lock:
            self._order, self._job = order, job
        return None

    def wait(self, timeout: float) -> None:
        """Wait until the order is carried out, for so many seconds at most."""
        job = self._job
        if job is not None and not job.is_done:
            self._change.wait(lambda: job.is_done, timeout)

    def wait_for_other(self, timeout: float) -> None:
        """Wait so many seconds at most for the caller that has the claim."""
        self._change.pause(timeout)

    def take(self, *, is_last: bool = False) -> tuple[Order, Found] | None:
        """The order that has ended, and what came of it, once.

        Args:
            is_last: True where it is not waited for any more; else one that takes too long ends here.
        """
        with self._lock:
            order, job = self._order, self._job
            if order is None or job is None:
                return None
            is_late = is_last or job.is_late(time.monotonic())
            if not job.is_done and not (is_late and job.give_up()):
                return None
            self._order = self._job = None
        if not job.is_done:
            return order, Found(error=TimeoutError("the disk does not answer"))
        try:
            return order, job.result()
        except Exception as error:
            return order, Found(error=error)

    def _begin(self, order: Order) -> None:
        found: Found | None = Found()  # also where the caller is interrupted
        try:
            found = self.start(order)
        finally:
            if found is not None:
                self._take_up(order, found)
