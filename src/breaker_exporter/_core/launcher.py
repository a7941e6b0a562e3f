"""Decides where a call runs: in a greenlet where the wrapped exporter cooperates, else on a native thread."""

from __future__ import annotations

import contextvars
import os
import weakref
from collections.abc import Callable
from functools import partial

from .._concurrency import hub, switch_interval
from .._concurrency.exporting import enter_export
from .._concurrency.interpreter_exit import TornDown, is_exit_error, resolve_names_without_threads
from .._concurrency.log_feedback import guard_handlers
from .._concurrency.log_records import Records
from .._concurrency.patched import is_patched
from .thread_calls import ThreadCalls
from .turn import CannotStart, Ended, Outcome, Raised, Turn, outcome_of

_inside: contextvars.ContextVar[tuple[int, ...]] = contextvars.ContextVar("breaker_exporter", default=())
"""The launchers whose calls the current code runs in."""

_cooperating: weakref.WeakKeyDictionary[Turn, Callable[[], None]] = weakref.WeakKeyDictionary()
"""Functions that kill the greenlets in which calls are out."""


def _leave_calls_to_parent() -> None:
    """In a child: its copies of the parent's greenlets would send the same items once more (R5).

    Nor does a call of the parent shorten the switch interval in the child.
    """
    for kill in list(_cooperating.values()):
        kill()
    switch_interval.forget()


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
        self.records = Records(name)
        # A finalizer that runs on the thread between two calls must not wait for a call that runs there.
        self._on_thread = ThreadCalls(partial(_inside.set, (id(self),)), switch_interval, self.records)

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
        guard_handlers()
        context = contextvars.copy_context()
        context.run(enter_export)
        context.run(_inside.set, (*_inside.get(), id(self)))
        run = partial(context.run, call)
        # Where sockets are not gevent's, an exporter that cooperates would block all greenlets.
        if self._wants_greenlet and hub.is_cooperative() and is_patched("socket"):
            _start_greenlet(turn, context, call, ended)
            return
        try:
            self._on_thread.start(turn, run, ended)
        except RuntimeError as error:
            if not is_exit_error(error):
                raise CannotStart(str(error)) from error
            # The processor's last drain, where no thread starts any more: by then nobody else can be blocked.
            if not hub.is_cooperative():
                turn.outcome = outcome_of(run)
            elif isinstance(error, TornDown):  # pragma: no cover (as where it is raised)
                raise CannotStart(str(error)) from error
            else:
                _start_greenlet(turn, context, call, ended)

    def give_up(self, turn: Turn) -> None:
        """Leave a call that hangs to itself: the next one runs elsewhere."""
        switch_interval.take_back(turn)
        if turn.kill is not None:
            turn.kill()
        else:
            self._on_thread.leave_thread()

    def leave_thread(self) -> None:
        """Let the export thread end after the call that it may be in; the next call gets a new one."""
        self._on_thread.leave_thread()

    def end_threads(self, deadline: float) -> None:
        """End the threads, and wait for that until `deadline` and half a second at most (S5)."""
        self._on_thread.end(deadline)


def _start_greenlet(
    turn: Turn, context: contextvars.Context, call: Callable[[], object], ended: Ended
) -> None:
    def finish(outcome: Outcome) -> None:
        _cooperating.pop(turn, None)
        ended(turn, outcome)

    def end_unrun() -> None:
        # A greenlet that is killed before it runs ends without a word.
        if turn.outcome is None:
            finish(Raised(CannotStart("was killed before it ran")))

    resolve_names_without_threads()
    turn.submitted = True
    turn.kill = _cooperating[turn] = hub.start_greenlet(
        lambda: finish(outcome_of(call)),
        end_unrun,
        # A signal handler may interrupt it before the call and after it, and must see where it is (R2).
        context,
    )
