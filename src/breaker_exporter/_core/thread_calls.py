"""Calls on the native thread of one exporter; meanwhile the switch interval is short and log lines detour."""

from __future__ import annotations

import os
from collections.abc import Callable

from .._concurrency import switch_interval
from .._concurrency.export_thread import Job, Thread, Worker, end_if_child_of
from .._concurrency.interpreter_exit import check_threads_run
from .._concurrency.log_detour import detour
from .._concurrency.log_records import Records
from .._concurrency.patched import is_patched
from .._concurrency.thread_end import end_threads
from .turn import CannotStart, Ended, Outcome, Raised, Turn, outcome_of


class ThreadCalls:
    """Makes calls on a native thread: on the same one, until one hangs there or the thread has to end.

    Args:
        enter: Called on the thread before each call.
        interval: Seconds; the interpreter's switch interval at most while a call is out in a patched process
            (R6). ``None`` leaves it alone.
        records: For log records of these calls in a patched process (R7).
    """

    def __init__(self, enter: Callable[[], object], interval: float | None, records: Records) -> None:
        self._enter = enter
        self._interval = interval
        self._records = records
        self._pid = os.getpid()
        self._worker: Worker | None = None
        self._threads: list[Thread] = []

    def start(self, turn: Turn, run: Callable[[], object], ended: Ended) -> None:
        """Start `run` on the thread.

        Raises:
            RuntimeError: No thread can be started, or the interpreter is being torn down.
        """
        diverted = is_patched()
        job = Job(
            lambda: self._serve(turn, run, ended, diverted=diverted),
            lambda: self._end_unrun(turn, ended),
        )
        try:
            if diverted:
                detour().open(turn, self._records)
                if self._interval is not None:
                    switch_interval.shorten(turn, self._interval)
            check_threads_run()
            turn.submitted = True
            worker = self._worker
            if worker is None or not worker.submit(job):
                job = job.renewed()
                _ = self._new_worker().submit(job) or job.unrun()
        except BaseException:
            _ = job.claim() and _call_off(turn)
            raise

    def leave_thread(self) -> None:
        """Let the thread end after the call that it may be in; the next call gets a new one."""
        self._worker = None

    def end(self, deadline: float) -> None:
        """End the threads, and wait for that until `deadline` and half a second at most (S5)."""
        end_threads(self._threads, deadline)

    def _new_worker(self) -> Worker:
        self._worker = worker = Worker()
        self._threads = [thread for thread in self._threads if not thread.ended]
        self._threads.append(worker.thread)
        return worker

    def _serve(self, turn: Turn, run: Callable[[], object], ended: Ended, *, diverted: bool) -> bool:
        """Make the call, on the thread.

        Returns:
            False where the call was given up meanwhile: the thread is not wanted any more.
        """
        self._enter()
        outcome: Outcome = Raised(CannotStart("its thread was interrupted"))
        try:
            if diverted:
                detour().enter(self._records)
            outcome = outcome_of(run)
        finally:
            end_if_child_of(self._pid)
            try:
                if diverted:
                    detour().leave()
                    _restore_process(turn)
            finally:
                wanted = ended(turn, outcome)
        return wanted

    def _end_unrun(self, turn: Turn, ended: Ended) -> None:
        """End a call whose thread has ended without a word."""
        if turn.outcome is None:
            _restore_process(turn)
            ended(turn, Raised(CannotStart("its thread ended before it ran")))


def _call_off(turn: Turn) -> bool:
    """Undo what was done for a call that will not run."""
    turn.submitted = False
    _restore_process(turn)
    return True


def _restore_process(turn: Turn) -> None:
    """Undo what was changed in the process for as long as the call is out on a thread."""
    switch_interval.take_back(turn)
    detour().close(turn)
