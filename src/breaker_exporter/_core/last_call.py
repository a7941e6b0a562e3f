"""The end of a wrapped exporter: the time that is left for it, and the last call into it."""

from __future__ import annotations

import math
from collections.abc import Callable

from .._concurrency import hub
from . import deadline_clock as time
from .late_calls import LateCalls
from .launcher import Launcher
from .turn import CannotStart, Outcome, Raised, Returned, Turn
from .turns import Turns


class LastCall:
    """The call that shuts a wrapped exporter down, made once.

    A call that is out gets half of the time to end by itself; then the last one enters beside it, since that
    is what ends the retries of an exporter.

    Args:
        turns: Of the calls before it.
        late: Those of them that nobody waits for.
        launcher: Starts it.

    Attributes:
        end_at: Monotonic seconds at which all calls are to be over.
    """

    def __init__(self, turns: Turns, late: LateCalls, launcher: Launcher) -> None:
        self._turns = turns
        self._late = late
        self._launcher = launcher
        self._turn: Turn | None = None
        self.end_at = math.inf

    def inherit(self, parent: LastCall) -> None:
        """In a forked child, take over the parent's deadlines; be done where the parent's was made (R5)."""
        self.end_at = parent.end_at
        self._turns.cut_at = parent._turns.cut_at
        if parent._turn is not None:
            self._turn = Turn()
            self._turn.outcome = Returned(None)
            self._turns.is_closed = True

    def begin(self, timeout: float) -> None:
        """Allow `timeout` seconds from now for all calls together; the earliest end given holds.

        A tenth of them, half a second at most, is kept for the last call: it has to end what is in flight.
        """
        now = time.monotonic()
        self.end_at = min(self.end_at, now + timeout)
        self._turns.cut_at = min(self._turns.cut_at, now + timeout - min(0.5, timeout / 10))
        self._turns.wake_all()
        if (turn := self._turns.holder) is not None:
            turn.unpark()

    def make(self, call: Callable[[float], object], deadline: float) -> Outcome | None:
        """End admission, make the call, and wait for it until `deadline`; see :meth:`Runner.shutdown`."""
        with self._turns.lock:
            turn = self._turn
            first = turn is None
            if turn is None:
                turn = self._turn = Turn()
                self._turns.is_closed = True
        self._turns.wake_all()
        may_wait = not (self._launcher.is_inside() or hub.must_not_wait())
        now = time.monotonic()
        limit = min(deadline, self.end_at)
        if first:
            try:
                if may_wait:
                    self._turns.wait_until_free(now + (limit - now) / 2, self._late.settle)
            finally:
                self._start(turn, lambda: call(max(0.0, limit - time.monotonic())))
        if may_wait:
            now = time.monotonic()
            until = now + (limit - now) / 2
            turn.wait(turn.watch(), lambda: until)
            self._launcher.end_threads(limit)
            self._launcher.records.wait(limit - time.monotonic())
        return turn.outcome if first else Returned(None)

    def _start(self, turn: Turn, call: Callable[[], object]) -> None:
        with self._turns.lock:
            holder = self._turns.holder
            if holder is not None:
                # The thread is busy: it ends with its call, and the last call runs beside it.
                self._launcher.leave_thread()
                if holder.kill is not None:
                    holder.is_cut = True
                    holder.kill()
        try:
            self._launcher.start(turn, call, self._late.ended)
        except CannotStart as error:
            turn.outcome = Raised(error)
            raise
        finally:
            self._launcher.leave_thread()
