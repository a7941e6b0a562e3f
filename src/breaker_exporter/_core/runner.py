"""Runs the calls into a wrapped exporter: one at a time, each under a hard deadline.

A call whose caller has left keeps the turn until it ends or overruns; the next caller who asks anything here
settles it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass

from .._concurrency import hub
from .._concurrency.parker import Parker, new_parker
from . import deadline_clock as time
from .launcher import Launcher
from .turn import CannotStart, CutShort, Outcome, Overran, Raised, Refused, Returned, Task, Turn, Unfinished
from .turns import Turns

_MOST_ABANDONED = 4
"""Stuck calls at most, for one exporter; each holds a thread (R2)."""


@dataclass(frozen=True, slots=True)
class RunnerStatus:
    """The calls that were given up.

    Attributes:
        hung_calls: Number of calls that were given up and are still stuck.
        blocked_reason: The reason why no call may start although the turn is free; ``None`` where one may.
    """

    hung_calls: int
    blocked_reason: str | None


class Runner:
    """Runs the calls into one wrapped exporter.

    Args:
        name: The exporter's name, for log lines.
        cooperative: The wrapped exporter yields to the hub by itself, so a greenlet will do (R1).
        switch_interval: See :class:`Launcher`.
    """

    def __init__(self, name: str, *, cooperative: bool, switch_interval: float | None) -> None:
        self._name = name
        self._cooperative = cooperative
        self._switch_interval = switch_interval
        self._pid = os.getpid()
        self._turns = Turns(self.refusal)
        self._abandoned: set[Turn] = set()
        self._launcher = Launcher(name, cooperative=cooperative, switch_interval=switch_interval)
        self._end_at = math.inf
        self._closing: Turn | None = None

    def forked(self) -> Runner:
        """For a forked child: no thread, lock or call of the parent, but its shutdown (R5)."""
        child = Runner(self._name, cooperative=self._cooperative, switch_interval=self._switch_interval)
        child._turns.cut_at, child._end_at = self._turns.cut_at, self._end_at
        if self._closing is not None:
            child._closing = Turn()
            child._closing.outcome = Returned(None)
            child._turns.is_closed = True
        return child

    def status(self) -> RunnerStatus:
        """The calls that were given up, after one that has ended meanwhile is settled."""
        self._settle_orphan()
        return RunnerStatus(len(self._abandoned), self.blocked_reason)

    @property
    def blocked_reason(self) -> str | None:
        """The reason why no call may start although the turn is free; ``None`` where one may."""
        if len(self._abandoned) >= _MOST_ABANDONED:
            return f"{len(self._abandoned)} calls of the wrapped exporter are stuck"
        return None

    def refusal(self, asked: Callable[[], str | None]) -> str | None:
        """The reason why no call can be made now, as far as can be said without waiting.

        Args:
            asked: :meth:`Task.refusal` of the call.
        """
        self._settle_orphan()
        return asked() or self.blocked_reason

    def run(self, task: Task) -> Outcome | Unfinished:
        """Make the call of `task` in its turn, and have it settled by `task`.

        Returns:
            The outcome; :class:`Unfinished` where the caller's time ended first: it is settled later.

        Raises:
            Refused: The call was not made.
            CannotStart: The call was not made, since there is no thread for it.
        """
        if self._launcher.is_inside():
            raise Refused("called from within its own export")
        turn = Turn(task)
        try:
            self._turns.take(turn, task)
            turn.hang_at = task.admit(queued=turn.queued)
            self._tell_waiting(task)
            outcome = self._call(turn, task)
            if not isinstance(outcome, Unfinished):
                task.settle(outcome)
                turn.is_settled = True
                self._tell_waiting(task)
        finally:
            try:
                if not turn.is_settled and not turn.is_orphan:
                    task.withdraw()
            finally:
                self._turns.release(turn)
        self._launcher.records.wait(min(task.deadline, self._end_at) - time.monotonic())
        return outcome

    def begin_shutdown(self, timeout: float) -> None:
        """Allow `timeout` seconds from now for all calls together; the earliest end given holds.

        A tenth of them, half a second at most, is kept for the last call: it has to end what is in flight.
        """
        now = time.monotonic()
        self._end_at = min(self._end_at, now + timeout)
        self._turns.cut_at = min(self._turns.cut_at, now + timeout - min(0.5, timeout / 10))
        self._turns.wake_all()
        if (turn := self._turns.holder) is not None:
            turn.unpark()

    def shutdown(self, call: Callable[[float], object], deadline: float) -> Outcome | None:
        """End admission, make the last call, and wait for it until `deadline`.

        A call that is out gets half of the time to end by itself; then `call` enters beside it, since that
        is what ends the retries of an exporter. A second caller waits for the same call.

        Args:
            call: Gets the seconds that are left.
            deadline: In monotonic seconds.

        Returns:
            The outcome of the call, to the first caller; ``None`` where it has not ended.

        Raises:
            CannotStart: The call was not made.
        """
        try:
            return self._make_last_call(call, deadline)
        finally:
            self._settle_orphan()

    def _make_last_call(self, call: Callable[[float], object], deadline: float) -> Outcome | None:
        with self._turns.lock:
            closing = self._closing
            first = closing is None
            if closing is None:
                closing = self._closing = Turn()
                self._turns.is_closed = True
        self._turns.wake_all()
        may_wait = not (self._launcher.is_inside() or hub.must_not_wait())
        now = time.monotonic()
        limit = min(deadline, self._end_at)
        if first:
            try:
                if may_wait:
                    self._turns.wait_until_free(now + (limit - now) / 2, self._settle_orphan)
            finally:
                self._close(closing, lambda: call(max(0.0, limit - time.monotonic())))
        if may_wait:
            now = time.monotonic()
            self._wait(closing, self._watch(closing), now + (limit - now) / 2)
            self._launcher.end_threads(limit)
            self._launcher.records.wait(limit - time.monotonic())
        return closing.outcome if first else Returned(None)

    def _close(self, closing: Turn, call: Callable[[], object]) -> None:
        with self._turns.lock:
            turn = self._turns.holder
            if turn is not None:
                # The thread is busy: it ends with its call, and the last call runs beside it.
                self._launcher.leave_thread()
                if turn.kill is not None:
                    turn.is_cut = True
                    turn.kill()
        try:
            self._launcher.start(closing, call, self._ended)
        except CannotStart as error:
            closing.outcome = Raised(error)
            raise
        finally:
            self._launcher.leave_thread()

    def _call(self, turn: Turn, task: Task) -> Outcome | Unfinished:
        turn.started_at = time.monotonic()
        parker = self._watch(turn)
        try:
            self._launcher.start(turn, task.call, self._ended)
            self._wait(turn, parker, task.deadline)
        except BaseException:
            if turn.submitted:
                self._orphan(turn)
            raise
        with self._turns.lock:
            if turn.outcome is not None:
                return turn.outcome
            if time.monotonic() >= turn.hang_at:
                return self._abandon(turn)
            self._orphan(turn)
            return Unfinished()

    def _ended(self, turn: Turn, outcome: Outcome) -> bool:
        if turn.is_cut and isinstance(outcome, Raised) and not isinstance(outcome.error, Exception):
            outcome = Raised(CutShort("the exporter was shut down meanwhile"))
        with self._turns.lock:
            turn.outcome = outcome
            wanted = turn not in self._abandoned
            self._abandoned.discard(turn)
        turn.unpark()
        if turn.is_orphan or not wanted:
            self._turns.wake_all()
        return wanted

    def _watch(self, turn: Turn) -> Parker:
        # Made before the call starts: a caller's hub loads modules, and two threads that import at the same
        # time under patched import locks have been seen to hang each other for good.
        parker = new_parker()
        turn.parkers.append(parker)
        return parker

    def _wait(self, turn: Turn, parker: Parker, deadline: float) -> None:
        while turn.outcome is None:
            now = time.monotonic()
            limit = deadline if turn is self._closing else min(deadline, self._turns.cut_at)
            if now >= limit:
                return
            parker.park(limit - now)
            _refuse_child_of(self._pid)

    def _settle_orphan(self) -> None:
        """Settle the call whose caller is gone, if there is one and it has ended or overrun."""
        turn = self._turns.holder
        if turn is None or not turn.is_orphan:
            return
        with self._turns.lock:
            turn = self._turns.holder
            if turn is None or not turn.is_orphan or turn.is_settled:
                return
            outcome = turn.outcome
            if outcome is None:
                if time.monotonic() < turn.hang_at:
                    return
                outcome = self._abandon(turn)
            turn.is_settled = True
        try:
            assert turn.task is not None
            turn.task.settle_late(outcome)
            self._tell_waiting(turn.task)
        finally:
            self._turns.release(turn)

    def _tell_waiting(self, task: Task) -> None:
        """Wake all who wait for the turn where they would be refused now, so that they do not wait for it."""
        if self._turns.are_awaited:
            try:
                refused = task.refusal() is not None
            except Exception:  # of a given breaker's storage: each of them sees for itself
                refused = True
            if refused or self.blocked_reason:
                self._turns.wake_all()

    def _orphan(self, turn: Turn) -> None:
        with self._turns.lock:
            turn.is_orphan = True
        self._turns.wake_all()

    def _abandon(self, turn: Turn) -> Overran:
        self._abandoned.add(turn)
        self._launcher.give_up(turn)
        return Overran(turn.hang_at - turn.started_at)


def _refuse_child_of(pid: int) -> None:
    if os.getpid() != pid:
        raise Refused("forked while waiting: the call is the parent's")
