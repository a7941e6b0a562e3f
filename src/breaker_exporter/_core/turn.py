"""One call into a wrapped exporter: the turn to make it, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from .._concurrency.parker import Parker


class Refused(Exception):
    """No turn was to be had; the text says why."""


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
    """The call was given up after so many seconds: whatever it runs on is stuck."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The caller's time ended before the call's, which goes on."""


Outcome = Returned | Raised | Overran


class Turn:
    """The permission to make the one call that may be out, once :meth:`Runner.take` has got it.

    Made before it is taken, so that it can be given back whatever happens in between, a Ctrl-C say.

    Attributes:
        queued: True where it had to be waited for.
        caller: The greenlet or thread that wants it.
        orphaned: Gets the outcome of a call whose caller has left.
        is_orphan: True where the caller has left while the call was out.
        is_settled: True where `orphaned` has got the outcome.
        submitted: True where the call has been given to what runs it.
        started_at: Monotonic seconds.
        hang_at: Monotonic seconds from which the call counts as hung.
        replay_until: Monotonic seconds until which the caller may wait for its log records to be handled;
            ``None``: it is gone, or has waited.
        outcome: ``None`` while the call is out.
        kill: Ends the greenlet that the call runs in.
        is_cut: True where the shutdown has ended it.
    """

    def __init__(self) -> None:
        self.queued = False
        self.caller: object = None
        self.orphaned: Callable[[Outcome], object] = lambda outcome: None
        self.is_orphan = False
        self.is_settled = False
        self.submitted = False
        self.started_at = 0.0
        self.hang_at = math.inf
        self.replay_until: float | None = None
        self.outcome: Outcome | None = None
        self.parkers: list[Parker] = []
        self.kill: Callable[[], None] | None = None
        self.is_cut = False

    def unpark(self) -> None:
        """Wake all who wait for this call."""
        for parker in list(self.parkers):
            parker.unpark()
