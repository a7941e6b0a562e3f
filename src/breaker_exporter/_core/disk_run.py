"""Has orders carried out by the disk thread, one at a time, and never waits for longer than it is told."""

from __future__ import annotations

from functools import partial

from .._concurrency.disk_thread import DiskHangs, DiskJob, run_here, start_job
from .._concurrency.interpreter_exit import is_exit_error
from .._concurrency.state_lock import new_state_lock
from . import deadline_clock as time
from .change import Change
from .disk_order import Found, Order
from .disk_work import DiskWork


class DiskRun:
    """The order that is out, if one is.

    Args:
        work: Carries out orders.
    """

    def __init__(self, work: DiskWork) -> None:
        self._work = work
        self._is_claimed = False
        self._lock = new_state_lock()
        self._order: Order | None = None
        self._job: DiskJob[Found] | None = None
        self._change = Change()

    @property
    def is_busy(self) -> bool:
        """True where an order is out."""
        return self._order is not None

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

    def end(self) -> None:
        """Have the files closed, now or when the disk answers; nobody waits for that."""
        self._work.is_over = True
        self.start(Order(closes=True))
