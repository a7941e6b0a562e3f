"""One call into a wrapped exporter: its owner, its turn, and its outcome."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .._concurrency.parker import Parker, new_parker
from . import deadline_clock as time


class Refused(Exception):
    """The call was not made; the text says why. It is no failure of the backend."""


class CannotStart(Exception):
    """The call was not made; the text says why, as a rule that no thread can be started."""


class CutShort(Exception):
    """The call was ended by the shutdown, whose time was up; the text says so."""


@dataclass(frozen=True, slots=True)
class Returned:
    """The call came back with a value."""

    value: object


@dataclass(frozen=True, slots=True)
class Raised:
    """The call raised."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class Overran:
    """The call was given up after so many seconds: the thread or greenlet it runs on is stuck."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The caller's time ended before the call's, which goes on."""


Outcome = Returned | Raised | Overran


def outcome_of(call: Callable[[], object]) -> Outcome:
    """Make `call`. Any error is its outcome: a thread or greenlet of ours has no other receiver."""
    try:
        return Returned(call())
    except BaseException as error:
        return Raised(error)


class Task(Protocol):
    """A call for the runner, and its owner's part in it.

    Each method but :meth:`call` runs on the side of a caller, never on the thread or greenlet of the call.
    """

    @property
    def deadline(self) -> float:
        """Monotonic seconds at which the caller must have its thread back."""
        ...

    def refusal(self) -> str | None:
        """A reason not to make the call (any more); asked again whenever the answer may have changed."""
        ...

    def admit(self, *, queued: bool) -> float:
        """Its turn has come.

        Args:
            queued: True where it had to wait for the turn.

        Returns:
            The monotonic seconds from which the call counts as hung.

        Raises:
            Refused: The call must not be made.
        """
        ...

    def call(self) -> object:
        """The call itself."""
        ...

    def settle(self, outcome: Outcome) -> None:
        """The call has ended, or is given up, while its caller waited."""
        ...

    def settle_late(self, outcome: Outcome) -> None:
        """The same, after its caller has left: that one could not wait for the outcome."""
        ...

    def settle_abandoned(self, outcome: Outcome) -> None:
        """The call has ended after it had been settled as given up."""
        ...

    def withdraw(self) -> None:
        """The call was admitted and not made, or nobody will ever know its outcome."""
        ...


class Turn:
    """The permission to make the one call that may be out.

    Made before it is taken, so that it can be given back whatever happens in between, a Ctrl-C say.

    Args:
        task: The call; ``None`` for the last one, which waits for no turn.

    Attributes:
        queued: True where it had to be waited for.
        caller: The greenlet or thread that wants it.
        is_orphan: True where the caller has left while the call was out.
        is_settled: True where the task knows the outcome.
        submitted: True where the call has been given to the thread or greenlet that runs it.
        started_at: Monotonic seconds.
        hang_at: Monotonic seconds from which the call counts as hung.
        outcome: ``None`` while the call is out.
        kill: Ends the greenlet that the call runs in.
        is_cut: True where the shutdown has ended it.
    """

    def __init__(self, task: Task | None = None) -> None:
        self.task = task
        self.queued = False
        self.caller: object = None
        self.is_orphan = False
        self.is_settled = False
        self.submitted = False
        self.started_at = 0.0
        self.hang_at = math.inf
        self.outcome: Outcome | None = None
        self._parkers: list[Parker] = []
        self._pid = os.getpid()
        self.kill: Callable[[], None] | None = None
        self.is_cut = False

    def watch(self) -> Parker:
        """A place for the caller to wait in :meth:`wait`, made before the call starts.

        A caller's hub loads modules, and two threads that import at the same time under patched import locks
        have been seen to hang each other for good.
        """
        parker = new_parker()
        self._parkers.append(parker)
        return parker

    def wait(self, parker: Parker, limit: Callable[[], float]) -> None:
        """Wait for the outcome until `limit`, in monotonic seconds, which is asked again at each wake-up.

        Raises:
            Refused: This is a child that was forked meanwhile: the call is its parent's.
        """
        while self.outcome is None:
            now, until = time.monotonic(), limit()
            if now >= until:
                return
            parker.park(until - now)
            if os.getpid() != self._pid:
                raise Refused("forked while waiting: the call is the parent's")

    def unpark(self) -> None:
        """Wake all who wait for this call."""
        for parker in list(self._parkers):
            parker.unpark()


Ended = Callable[[Turn, Outcome], bool]
"""Gets the outcome of a call; false where the call was given up meanwhile."""
