"""Calls that nobody waits for: their callers have left, or they have been given up.

A call whose caller has left keeps the turn until it ends or overruns; the next caller who asks anything of
the runner settles it. A call that has overrun is abandoned, with the thread or greenlet it is stuck in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from . import deadline_clock as time
from .report import ENDED_BY_SHUTDOWN
from .turn import CutShort, Outcome, Overran, Raised, Task, Turn
from .turns import Turns

_MOST_ABANDONED = 4
"""Stuck calls at most, for one exporter; each holds a thread (R2)."""


class LateCalls:
    """The calls of one wrapped exporter that nobody waits for.

    Args:
        turns: Where they have, or had, their turn.
        give_up: Leaves a call that hangs to itself, so that the next one runs elsewhere.
    """

    def __init__(self, turns: Turns, give_up: Callable[[Turn], None]) -> None:
        self._turns = turns
        self._give_up = give_up
        self._abandoned: set[Turn] = set()
        self._ended_after_all: deque[Turn] = deque()

    @property
    def hung(self) -> int:
        """Number of calls that were given up and are still stuck."""
        return len(self._abandoned)

    @property
    def blocked_reason(self) -> str | None:
        """The reason why no call may start although the turn is free; ``None`` where one may."""
        if len(self._abandoned) >= _MOST_ABANDONED:
            return f"{len(self._abandoned)} calls of the wrapped exporter are stuck"
        return None

    def orphan(self, turn: Turn) -> None:
        """Note that the caller has left while its call is out."""
        with self._turns.lock:
            turn.is_orphan = True
        self._turns.wake_all()

    def abandon(self, turn: Turn) -> Overran:
        """Give the call up. The lock of the turns is held."""
        self._abandoned.add(turn)
        self._give_up(turn)
        return Overran(turn.hang_at - turn.started_at)

    def settle(self) -> None:
        """Settle the call whose caller is gone, if there is one and it has ended or overrun.

        Those that were given up before, and have ended after all, tell their tasks so.
        """
        while self._ended_after_all:
            ended = self._ended_after_all.popleft()
            assert ended.task is not None
            assert ended.outcome is not None
            ended.task.settle_abandoned(ended.outcome)
        turn = self._turns.holder
        if turn is None or not turn.is_orphan:
            return  # as nearly always, and then no lock has to be taken
        with self._turns.lock:
            is_over = turn.outcome is not None or time.monotonic() >= turn.hang_at
            if not is_over or turn.is_settled or self._turns.holder is not turn:
                return
            outcome = self.abandon(turn) if turn.outcome is None else turn.outcome
            turn.is_settled = True
        try:
            assert turn.task is not None
            turn.task.settle_late(outcome)
            self.wake_refused(turn.task)
        finally:
            self._turns.release(turn)

    def ended(self, turn: Turn, outcome: Outcome) -> bool:
        """Note the outcome of any call, whether somebody waits for it or not.

        Returns:
            False where the call was given up meanwhile: what it ran on is not wanted any more.
        """
        if turn.is_cut and isinstance(outcome, Raised) and not isinstance(outcome.error, Exception):
            outcome = Raised(CutShort(ENDED_BY_SHUTDOWN))
        with self._turns.lock:
            turn.outcome = outcome
            wanted = turn not in self._abandoned
            self._abandoned.discard(turn)
            if not wanted and turn.task is not None:
                self._ended_after_all.append(turn)
        turn.unpark()
        if turn.is_orphan or not wanted:
            self._turns.wake_all()
        return wanted

    def wake_refused(self, task: Task) -> None:
        """Wake all who wait for the turn where they would be refused now, so that they do not wait for it."""
        try:
            refused = task.refusal() is not None
        except Exception:  # of a given breaker's storage: each of those who wait asks for itself
            refused = True
        if refused or self.blocked_reason:
            self._turns.wake_all()
