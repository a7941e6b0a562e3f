"""Runs the calls into a wrapped exporter: one at a time, each under a hard deadline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .._concurrency import hub
from . import deadline_clock as time
from .last_call import LastCall
from .late_calls import LateCalls
from .launcher import Launcher
from .turn import Outcome, Refused, Task, Turn, Unfinished
from .turns import Turns


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
        self._turns = Turns()
        self._launcher = Launcher(name, cooperative=cooperative, switch_interval=switch_interval)
        self._late = LateCalls(self._turns, self._launcher.give_up)
        self._last = LastCall(self._turns, self._late, self._launcher)

    def forked(self) -> Runner:
        """For a forked child: no thread, lock or call of the parent, but its shutdown (R5)."""
        child = Runner(self._name, cooperative=self._cooperative, switch_interval=self._switch_interval)
        child._last.inherit(self._last)
        return child

    def status(self) -> RunnerStatus:
        """The calls that were given up, after one that has ended meanwhile is settled."""
        self.settle_late()
        return RunnerStatus(self._late.hung, self._late.blocked_reason)

    def settle_late(self) -> None:
        """Settle the call whose caller is gone, if there is one and it has ended or overrun."""
        self._late.settle()

    def look_again(self) -> None:
        """Have those who wait for their turn ask again whether they would be refused."""
        self._turns.wake_all()

    @property
    def cut_at(self) -> float:
        """Monotonic seconds from which no call starts any more."""
        return self._turns.cut_at

    def is_inside(self) -> bool:
        """True in code that one of the calls runs."""
        return self._launcher.is_inside()

    def must_not_wait(self) -> bool:
        """True where what the caller would wait for goes on only when it has returned.

        That is on the hub, in code that one of the calls runs, and in a signal handler or a finalizer that
        has interrupted a caller of :meth:`run`.
        """
        return hub.must_not_wait() or self._launcher.is_inside() or self._turns.has_caller()

    @property
    def is_over(self) -> bool:
        """True once the time that :meth:`begin_shutdown` gave is up."""
        return time.monotonic() >= self._turns.cut_at

    def wait_for_turn(self, deadline: float) -> None:
        """Wait until no call has the turn, settling one whose caller has left; until `deadline` at most."""
        self._turns.wait_until_free(deadline, self._late.settle)

    @property
    def blocked_reason(self) -> str | None:
        """The reason why no call may start although the turn is free; ``None`` where one may."""
        return self._late.blocked_reason

    def refusal(self, asked: Callable[[], str | None]) -> str | None:
        """The reason why no call can be made now, as far as can be said without waiting.

        Args:
            asked: :meth:`Task.refusal` of the call.
        """
        self.settle_late()
        return asked() or self._late.blocked_reason

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
            self._turns.take(turn, task.deadline, lambda: self.refusal(task.refusal))
            turn.hang_at = task.admit(queued=turn.queued)
            if self._turns.are_awaited:
                self._late.wake_refused(task)
            outcome = self._call(turn, task)
            if not isinstance(outcome, Unfinished):
                task.settle(outcome)
                turn.is_settled = True
                if self._turns.are_awaited:
                    self._late.wake_refused(task)
        finally:
            try:
                if not turn.is_settled and not turn.is_orphan:
                    task.withdraw()
            finally:
                self._turns.release(turn)
        self._launcher.records.wait(min(task.deadline, self._last.end_at) - time.monotonic())
        return outcome

    def begin_shutdown(self, timeout: float) -> None:
        """Allow `timeout` seconds from now for all calls together; the earliest end given holds."""
        self._last.begin(timeout)

    def shutdown(self, call: Callable[[float], object], deadline: float) -> Outcome | None:
        """End admission, make the last call, and wait for it until `deadline`.

        A second caller waits for the same call.

        Args:
            call: Gets the seconds that are left.
            deadline: In monotonic seconds.

        Returns:
            The outcome of the call, to the first caller; ``None`` where it has not ended.

        Raises:
            CannotStart: The call was not made.
        """
        try:
            return self._last.make(call, deadline)
        finally:
            self._late.settle()

    def _call(self, turn: Turn, task: Task) -> Outcome | Unfinished:
        turn.started_at = time.monotonic()
        parker = turn.watch()
        try:
            self._launcher.start(turn, task.call, self._late.ended)
            turn.wait(parker, lambda: min(task.deadline, turn.hang_at, self._turns.cut_at))
        except BaseException:
            if turn.submitted:
                self._late.orphan(turn)
            raise
        with self._turns.lock:
            if turn.outcome is not None:
                return turn.outcome
            if time.monotonic() >= turn.hang_at:
                return self._late.abandon(turn)
            self._late.orphan(turn)
            return Unfinished()
