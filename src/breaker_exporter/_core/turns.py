"""The turn to call a wrapped exporter: one caller has it, the others wait in the order in which they came."""

from __future__ import annotations

import contextlib
import math
import threading
from collections import deque
from collections.abc import Callable

from .._concurrency import hub
from .._concurrency.fork import renew_lock_in_child
from .._concurrency.parker import Parker, new_parker
from .._concurrency.state_lock import holds_state_lock, new_state_lock
from . import deadline_clock as time
from .report import AFTER_SHUTDOWN
from .turn import Refused, Turn


class Turns:
    """Gives the turn to one call after the other.

    Attributes:
        lock: Guards all of this, and the state of the calls.
        holder: The call that has the turn.
        cut_at: Monotonic seconds from which nobody gets the turn.
        is_closed: True once nobody gets the turn any more.
    """

    def __init__(self) -> None:
        self.lock = self._new_lock()
        renew_lock_in_child(self)
        self.holder: Turn | None = None
        self.cut_at = math.inf
        self.is_closed = False
        self._callers: set[object] = set()
        self._waiting: deque[Parker] = deque()

    @property
    def are_awaited(self) -> bool:
        """True where somebody waits for the turn."""
        return bool(self._waiting)

    def take(self, turn: Turn, deadline: float, refusal: Callable[[], str | None]) -> None:
        """Wait for the turn. :meth:`release` has to follow, also after an error.

        Args:
            turn: A new one.
            deadline: When to give up, in monotonic seconds.
            refusal: Returns a reason not to wait any longer; called whenever something may have changed.

        Raises:
            Refused: The turn was not to be had.
        """
        self._enter(turn)
        parker: Parker | None = None
        try:
            while True:
                if reason := refusal():
                    raise Refused(reason)
                now = time.monotonic()
                with self.lock:
                    limit = min(deadline, self.cut_at)
                    if self.is_closed:
                        raise Refused(AFTER_SHUTDOWN)
                    if now >= limit:
                        raise Refused("no time left" if parker is None else "its time ended in the queue")
                    holder = self.holder
                    if holder is None:
                        turn.queued = parker is not None
                        self.holder = turn
                        return
                    until = min(limit, holder.hang_at) if holder.is_orphan else limit
                if parker is None:
                    parker = new_parker()
                    with self.lock:  # then it asks again: whatever changes from now on wakes it
                        self._waiting.append(parker)
                else:
                    parker.park(until - now)
        finally:
            if parker is not None:
                self._leave_queue(parker)

    def release(self, turn: Turn) -> None:
        """Give the turn back, if it was got. A call whose caller has left keeps it until it is settled."""
        with self.lock:
            self._callers.discard(turn.caller)
            turn.caller = None
            if self.holder is turn and (turn.is_settled or not turn.is_orphan):
                self.holder = None
                self._wake_next()

    def has_caller(self) -> bool:
        """True where the caller has the turn, or waits for it: this has interrupted it."""
        return hub.caller() in self._callers

    def wait_until_free(self, deadline: float, settle: Callable[[], None]) -> None:
        """Wait until nobody has the turn. Does nothing for a caller that waits for the turn already.

        Args:
            deadline: In monotonic seconds.
            settle: Called whenever the call that has the turn may be over.
        """
        if self.has_caller():
            return
        parker = new_parker()
        with self.lock:
            self._waiting.append(parker)
        try:
            while self.holder is not None and (now := time.monotonic()) < deadline:
                parker.park(deadline - now)
                settle()
        finally:
            self._leave_queue(parker)

    def wake_all(self) -> None:
        """Wake those who wait for the turn: the answer to their question may have changed."""
        for parker in list(self._waiting):
            parker.unpark()

    def _enter(self, turn: Turn) -> None:
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

    def _leave_queue(self, parker: Parker) -> None:
        with self.lock:
            with contextlib.suppress(ValueError):  # interrupted before it was there
                self._waiting.remove(parker)
            if self.holder is None:
                self._wake_next()

    def _wake_next(self) -> None:
        if self._waiting:
            self._waiting[0].unpark()

    def _new_lock(self) -> threading.RLock:
        return new_state_lock()
