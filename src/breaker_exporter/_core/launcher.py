"""Starts a call: in a greenlet where the wrapped exporter cooperates, else on its export thread."""

from __future__ import annotations

import contextvars
import os
import weakref
from collections.abc import Callable
from functools import partial

from .._concurrency import hub
from .._concurrency import switch_interval as _switching
from .._concurrency.export_thread import Job, Thread, Worker, end, end_if_child_of
from .._concurrency.interpreter_exit import (
    TornDown,
    check_threads_run,
    is_exit_error,
    resolve_names_without_threads,
)
from .._concurrency.log_detour import detour
from .._concurrency.log_records import Records
from .._concurrency.patched import is_patched
from .turn import CannotStart, Outcome, Raised, Returned, Turn

Ended = Callable[[Turn, Outcome], bool]

_inside: contextvars.ContextVar[tuple[int, ...]] = contextvars.ContextVar("breaker_exporter", default=())
"""The launchers whose calls the current code runs in."""

_cooperating: weakref.WeakKeyDictionary[Turn, Callable[[], None]] = weakref.WeakKeyDictionary()
"""Functions that kill the greenlets in which calls are out."""


def _leave_calls_to_parent() -> None:
    """In a child: its copies of the parent's greenlets would send the same spans once more (R5).

    Nor does a call out there shorten the switch interval here.
    """
    for kill in list(_cooperating.values()):
        kill()
    _switching.forget()


os.register_at_fork(after_in_child=_leave_calls_to_parent)


class Launcher:
    """Starts the calls into one wrapped exporter.

    Args:
        name: The exporter's name, for log lines.
        cooperative: The wrapped exporter yields to the hub by itself, so a greenlet will do (R1).
        switch_interval: Seconds; the interpreter's at most while a call is out on a native thread of a
            patched process (R6). ``None`` leaves it alone.

    Attributes:
        records: Log records of calls on native threads of a patched process, to be handled elsewhere (R7).
    """

    def __init__(self, name: str, *, cooperative: bool, switch_interval: float | None) -> None:
        self._wants_greenlet = cooperative
        self._switch_interval = switch_interval
        self._pid = os.getpid()
        self._worker: Worker | None = None
        self._threads: list[Thread] = []
        self.records = Records(name)

    def is_inside(self) -> bool:
        """True in code that one of its calls runs."""
        return id(self) in _inside.get()

    def start(self, turn: Turn, call: Callable[[], object], ended: Ended) -> None:
        """Start `call`.

        Args:
            turn: To make it in.
            call: What to run.
            ended: Gets the outcome, where the call ran. Returns false where the call was given up, so that
                the thread it ran on is not wanted any more.

        Raises:
            CannotStart: It was not made: no thread can be started.
        """
        context = contextvars.copy_context()
        context.run(_inside.set, (*_inside.get(), id(self)))
        run = partial(context.run, call)
        # Where sockets are not gevent's, an exporter that cooperates would block all greenlets.
        if self._wants_greenlet and hub.is_cooperative() and is_patched("socket"):
            resolve_names_without_threads()
            self._start_greenlet(turn, context, call, ended)
            return
        try:
            self._start_on_thread(turn, run, ended)
        except RuntimeError as error:
            if not is_exit_error(error):
                raise CannotStart(str(error)) from error
            # The processor's last drain, where no thread starts any more: by then nobody else can be blocked.
            if not hub.is_cooperative():
                turn.outcome = _outcome(run)
            elif isinstance(error, TornDown):  # pragma: no cover (as where it is raised)
                raise CannotStart(str(error)) from error
            else:
                resolve_names_without_threads()
                self._start_greenlet(turn, context, call, ended)

    def give_up(self, turn: Turn) -> None:
        """Leave a call that hangs to itself: the next one runs elsewhere."""
        _switching.take_back(turn)
        if turn.kill is not None:
            turn.kill()
        else:
            self._worker = None

    def leave_thread(self) -> None:
        """Let the export thread end after the call that it may be in; the next call gets a new one."""
        self._worker = None

    def end_threads(self, deadline: float) -> None:
        """End the threads, and wait for that until `deadline` and half a second at most (S5)."""
        end(self._threads, deadline)

    def _start_greenlet(
        self, turn: Turn, context: contextvars.Context, call: Callable[[], object], ended: Ended
    ) -> None:
        turn.submitted = True
        turn.kill = _cooperating[turn] = hub.start_greenlet(
            lambda: _finish(turn, _outcome(call), ended),
            lambda: self._end_unrun(turn, ended, "was killed before it ran"),
            # A signal handler may interrupt it before the call and after it, and must see where it is (R2).
            context,
        )

    def _start_on_thread(self, turn: Turn, run: Callable[[], object], ended: Ended) -> None:
        diverted = is_patched()
        job = Job(
            lambda: self._serve(turn, run, ended, diverted=diverted),
            lambda: self._end_unrun(turn, ended, "its thread ended before it ran"),
        )
        try:
            if diverted:
                detour().open(turn, self.records)
                if self._switch_interval is not None:
                    _switching.shorten(turn, self._switch_interval)
            check_threads_run()
            turn.submitted = True
            worker = self._worker
            if worker is None or not worker.submit(job):
                job = job.renewed()
                _ = self._new_worker().submit(job) or job.unrun()
        except BaseException:
            _ = job.claim() and self._call_off(turn)
            raise

    def _call_off(self, turn: Turn) -> bool:
        """Undo what was done for a call that will not run."""
        turn.submitted = False
        self._restore_process(turn)
        return True

    def _new_worker(self) -> Worker:
        self._worker = worker = Worker()
        self._threads = [thread for thread in self._threads if not thread.ended]
        self._threads.append(worker.thread)
        return worker

    def _restore_process(self, turn: Turn) -> None:
        """Undo what was changed in the process for as long as the call is out on a thread."""
        _switching.take_back(turn)
        detour().close(turn)

    def _serve(self, turn: Turn, run: Callable[[], object], ended: Ended, *, diverted: bool) -> bool:
        """Make the call on a native thread.

        Returns:
            False where the call was given up meanwhile: the thread is not wanted any more.
        """
        # A finalizer that runs on this thread between two calls must not wait for a call that runs here.
        _inside.set((id(self),))
        outcome: Outcome = Raised(CannotStart("its thread was interrupted"))
        try:
            if diverted:
                detour().enter(self.records)
            outcome = _outcome(run)
        finally:
            end_if_child_of(self._pid)
            try:
                if diverted:
                    detour().leave()
                    self._restore_process(turn)
            finally:
                wanted = _finish(turn, outcome, ended)
        return wanted

    def _end_unrun(self, turn: Turn, ended: Ended, reason: str) -> None:
        """End a call whose greenlet or thread has ended without a word, as one killed before it runs does."""
        if turn.outcome is None:
            self._restore_process(turn)
            _finish(turn, Raised(CannotStart(reason)), ended)


def _outcome(call: Callable[[], object]) -> Outcome:
    try:
        return Returned(call())
    except BaseException as error:
        # Any error: on a thread of ours it was meant for nobody else.
        return Raised(error)


def _finish(turn: Turn, outcome: Outcome, ended: Ended) -> bool:
    _cooperating.pop(turn, None)
    return ended(turn, outcome)
