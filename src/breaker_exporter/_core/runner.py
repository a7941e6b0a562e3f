"""One call at a time, each under a hard deadline.

A caller takes the turn, runs its call in it, and gives it back. A call whose caller is gone keeps the turn
until it ends or overruns; then the next caller settles it.
"""

from __future__ import annotations

import math
import os
import threading
from collections import deque
from collections.abc import Callable

from .._concurrency import hub
from .._concurrency.fork import renew_lock_in_child
from .._concurrency.parker import Parker, new_parker
from .._concurrency.state_lock import holds_state_lock, new_state_lock
from . import deadline_clock as time
from .launcher import Launcher
from .turn import CannotStart, CutShort, Outcome, Overran, Raised, Refused, Returned, Turn, Unfinished

_MOST_ABANDONED = 4
"""Stuck calls at most, for one exporter; each holds a thread (R2)."""


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
        self._lock = self._new_lock()
        renew_lock_in_child(self)
        self._turn: Turn | None = None
        self._callers: set[object] = set()
        self._waiting: deque[Parker] = deque()
        self._abandoned: set[Turn] = set()
        self._launcher = Launcher(name, cooperative=cooperative, switch_interval=switch_interval)
        self._cut_at = math.inf
        self._end_at = math.inf
        self._closing: Turn | None = None

    def forked(self) -> Runner:
        """For a forked child: no thread, lock or call of the parent, but its shutdown (R5)."""
        child = Runner(self._name, cooperative=self._cooperative, switch_interval=self._switch_interval)
        child._cut_at, child._end_at = self._cut_at, self._end_at
        if self._closing is not None:
            child._closing = Turn()
            child._closing.outcome = Returned(None)
        return child

    @property
    def hung_calls(self) -> int:
        """Number of calls that were given up and are still stuck."""
        return len(self._abandoned)

    @property
    def blocked_reason(self) -> str | None:
        """The reason why no call may start although the turn is free; ``None`` where one may."""
        if len(self._abandoned) >= _MOST_ABANDONED:
            return f"{len(self._abandoned)} calls of the wrapped exporter are stuck"
        return None

    def take(self, turn: Turn, deadline: float, refusal: Callable[[], str | None]) -> None:
        """Wait for the turn. :meth:`release` has to follow, also after an error.

        Args:
            turn: A new one.
            deadline: When to give up, in monotonic seconds.
            refusal: Returns a reason not to wait any longer; called whenever something may have changed.

        Raises:
            Refused: There is no turn to be had.
        """
        self._enter(turn)
        parker: Parker | None = None
        try:
            while True:
                self.settle_orphan()
                if reason := refusal():
                    raise Refused(reason)
                now = time.monotonic()
                with self._lock:
                    limit = min(deadline, self._cut_at)
                    if self._closing is not None:
                        raise Refused("exporter is shut down")
                    if now >= limit:
                        raise Refused("no time left" if parker is None else "its time ended in the queue")
                    holder = self._turn
                    if holder is None:
                        turn.queued = parker is not None
                        self._turn = turn
                        return
                    if parker is not None and parker not in self._waiting:
                        self._waiting.append(parker)
                    until = min(limit, holder.hang_at) if holder.is_orphan else limit
                if parker is None:
                    parker = new_parker()
                else:
                    parker.park(until - now)
        finally:
            if parker is not None:
                self._leave_queue(parker)

    def run(
        self, turn: Turn, call: Callable[[], object], *, deadline: float, hang_at: float
    ) -> Outcome | Unfinished:
        """Make the call and wait for it.

        Args:
            turn: From :meth:`take`.
            call: What to run.
            deadline: When the caller must have its thread back, in monotonic seconds.
            hang_at: When the call counts as hung.

        Raises:
            CannotStart: The call was not made.
        """
        turn.started_at = time.monotonic()
        turn.hang_at = hang_at
        parker = self._watch(turn)
        try:
            self._launcher.start(turn, call, self._ended)
            self._wait(turn, parker, deadline)
        except BaseException:
            if turn.submitted:
                self._orphan(turn)
            raise
        turn.replay_until = deadline
        with self._lock:
            if turn.outcome is not None:
                return turn.outcome
            if time.monotonic() >= turn.hang_at:
                return self._abandon(turn)
            self._orphan(turn)
            return Unfinished()

    def release(self, turn: Turn) -> None:
        """Give the turn back, if it was got, and handle what the call logged (R7), until its deadline.

        An orphaned call keeps the turn.
        """
        until, turn.replay_until = turn.replay_until, None
        with self._lock:
            self._callers.discard(turn.caller)
            turn.caller = None
            if self._turn is turn and (turn.is_settled or not turn.is_orphan):
                self._turn = None
                self._wake_next()
        if until is not None:
            self._replay_records(until)

    def settle_orphan(self) -> None:
        """Settle the call whose caller is gone, if there is one and it has ended or overrun."""
        with self._lock:
            turn = self._turn
            if turn is None or not turn.is_orphan or turn.is_settled:
                return
            outcome = turn.outcome
            if outcome is None:
                if time.monotonic() < turn.hang_at:
                    return
                outcome = self._abandon(turn)
            turn.is_settled = True
        try:
            turn.orphaned(outcome)
        finally:
            self.release(turn)

    def recheck(self) -> None:
        """Wake the callers that wait for the turn: for them the circuit may have something else to say."""
        for parker in list(self._waiting):
            parker.unpark()

    def begin_shutdown(self, timeout: float) -> None:
        """Allow `timeout` seconds from now for all calls together; the earliest end given holds.

        A tenth of them, half a second at most, is kept for the last call: it has to end what is in flight.
        """
        now = time.monotonic()
        self._end_at = min(self._end_at, now + timeout)
        self._cut_at = min(self._cut_at, now + timeout - min(0.5, timeout / 10))
        self.recheck()
        if (turn := self._turn) is not None:
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
            self.settle_orphan()

    def _make_last_call(self, call: Callable[[float], object], deadline: float) -> Outcome | None:
        with self._lock:
            closing = self._closing
            first = closing is None
            if closing is None:
                closing = self._closing = Turn()
        self.recheck()
        may_wait = not (self._launcher.is_inside() or hub.must_not_wait())
        now = time.monotonic()
        limit = min(deadline, self._end_at)
        if first:
            try:
                if may_wait and hub.caller() not in self._callers:
                    self._wait_for_turn(now + (limit - now) / 2)
            finally:
                self._close(closing, lambda: call(max(0.0, limit - time.monotonic())))
        if may_wait:
            now = time.monotonic()
            self._wait(closing, self._watch(closing), now + (limit - now) / 2)
            self._launcher.end_threads(limit)
            self._launcher.records.replay(limit - time.monotonic())
        return closing.outcome if first else Returned(None)

    def _enter(self, turn: Turn) -> None:
        if self._launcher.is_inside():
            raise Refused("called from within its own export")
        if hub.on_hub():
            raise Refused("called on the hub greenlet, which must not wait")
        caller = hub.caller()
        if caller in self._callers:
            # A signal handler or a finalizer: what it would wait for goes on when it has returned.
            raise Refused("called while it interrupts an export")
        if holds_state_lock():
            raise Refused("called while it interrupts what must not wait")
        turn.caller = caller
        self._callers.add(caller)

    def _close(self, closing: Turn, call: Callable[[], object]) -> None:
        with self._lock:
            turn = self._turn
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

    def _ended(self, turn: Turn, outcome: Outcome) -> bool:
        if turn.is_cut and isinstance(outcome, Raised) and not isinstance(outcome.error, Exception):
            outcome = Raised(CutShort("the exporter was shut down meanwhile"))
        with self._lock:
            turn.outcome = outcome
            wanted = turn not in self._abandoned
            self._abandoned.discard(turn)
        turn.unpark()
        if turn.is_orphan or not wanted:
            self.recheck()
        return wanted

    def _new_lock(self) -> threading.RLock:
        return new_state_lock()

    def _watch(self, turn: Turn) -> Parker:
        # Made before the call starts: a caller's hub loads modules, and two threads that import at the same
        # time under patched import locks have been seen to hang each other for good.
        parker = new_parker()
        turn.parkers.append(parker)
        return parker

    def _wait(self, turn: Turn, parker: Parker, deadline: float) -> None:
        while turn.outcome is None:
            now = time.monotonic()
            limit = deadline if turn is self._closing else min(deadline, self._cut_at)
            if now >= limit:
                return
            parker.park(limit - now)
            _refuse_child_of(self._pid)
            self._launcher.records.replay(0.0)

    def _wait_for_turn(self, deadline: float) -> None:
        parker = new_parker()
        with self._lock:
            self._waiting.append(parker)
        try:
            while self._turn is not None and (now := time.monotonic()) < deadline:
                parker.park(deadline - now)
                self.settle_orphan()
        finally:
            self._leave_queue(parker)

    def _replay_records(self, deadline: float) -> None:
        self._launcher.records.replay(min(deadline, self._end_at) - time.monotonic())

    def _orphan(self, turn: Turn) -> None:
        with self._lock:
            turn.is_orphan = True
        self.recheck()

    def _abandon(self, turn: Turn) -> Overran:
        self._abandoned.add(turn)
        self._launcher.give_up(turn)
        return Overran(turn.hang_at - turn.started_at)

    def _leave_queue(self, parker: Parker) -> None:
        with self._lock:
            if parker in self._waiting:
                self._waiting.remove(parker)
            if self._turn is None:
                self._wake_next()

    def _wake_next(self) -> None:
        if self._waiting:
            self._waiting[0].unpark()


def _refuse_child_of(pid: int) -> None:
    if os.getpid() != pid:
        raise Refused("forked while waiting: the call is the parent's")
