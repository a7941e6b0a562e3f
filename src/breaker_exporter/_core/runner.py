"""Where and how long a call runs: one at a time, off the hub, with a hard deadline.

A caller takes the turn, runs its call in it, and gives it back. The call runs on a native thread of ours, or
in a greenlet where the wrapped exporter says that it cooperates. A call whose caller is gone keeps the turn
until it ends or overruns; whoever comes by next tends to it.
"""

from __future__ import annotations

import contextvars
import math
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from .._concurrency import hub
from .._concurrency import switch_interval as _switching
from .._concurrency.export_thread import Job, Thread, Worker, end, end_if_child_of
from .._concurrency.fork import renew_lock_in_child
from .._concurrency.interpreter_exit import (
    TornDown,
    check_threads_run,
    is_exit_error,
    resolve_names_without_threads,
)
from .._concurrency.log_detour import Records, detour
from .._concurrency.parker import Parker, new_parker
from .._concurrency.patched import is_patched
from .._concurrency.state_lock import holds_state_lock, new_state_lock
from . import deadline_clock as time

_MOST_ABANDONED = 4
"""Stuck calls at most, for one exporter; each holds a thread (R2)."""

_inside: contextvars.ContextVar[tuple[int, ...]] = contextvars.ContextVar("breaker_exporter", default=())


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
    """The leave to make the one call that may be out, once :meth:`Runner.take` has got it.

    Made before it is taken, so that it can be given back whatever comes in between, a Ctrl-C say.

    Attributes:
        queued: Whether it had to be waited for.
        orphaned: Gets the outcome of the call where its caller is gone by then.
        is_orphan: Whether the caller has left while the call was out.
    """

    def __init__(self) -> None:
        self.queued = False
        self.caller: object = None
        self.orphaned: Callable[[Outcome], object] = lambda outcome: None
        self.is_orphan = False
        self.is_tended = False
        self.submitted = False
        self.started_at = 0.0
        self.hang_at = math.inf
        self.outcome: Outcome | None = None
        self.parkers: list[Parker] = []
        self.kill: Callable[[], None] | None = None
        self.is_cut = False

    def unpark(self) -> None:
        for parker in list(self.parkers):
            parker.unpark()


_cooperating: weakref.WeakKeyDictionary[Turn, Callable[[], None]] = weakref.WeakKeyDictionary()
"""What kills the greenlets that calls are out in."""


def _leave_calls_to_parent() -> None:
    """In a child: its copies of the parent's greenlets would send the same spans once more (R5).

    Nor does a call out there shorten the switch interval here.
    """
    for kill in list(_cooperating.values()):
        kill()
    _switching.forget()


os.register_at_fork(after_in_child=_leave_calls_to_parent)


class Runner:
    """Runs the calls into one wrapped exporter.

    Args:
        name: The exporter's name, for log lines.
        cooperative: The wrapped exporter yields to the hub by itself, so a greenlet will do (R1).
        switch_interval: The interpreter's at most, in seconds, while a call is out on a native thread of a
            patched process (R6); ``None`` leaves it alone.
    """

    def __init__(self, name: str, *, cooperative: bool, switch_interval: float | None) -> None:
        self._name = name
        self._switch_interval = switch_interval
        self._wants_greenlet = cooperative
        self._pid = os.getpid()
        self._lock = self._new_lock()
        renew_lock_in_child(self)
        self._turn: Turn | None = None
        self._callers: set[object] = set()
        self._waiting: deque[Parker] = deque()
        self._abandoned: set[Turn] = set()
        self._worker: Worker | None = None
        self._threads: list[Thread] = []
        self._records = Records(name)
        self._cut_at = math.inf
        self._end_at = math.inf
        self._closing: Turn | None = None

    def forked(self) -> Runner:
        """For a forked child: no thread, lock or call of the parent, but its shutdown (R5)."""
        child = Runner(self._name, cooperative=self._wants_greenlet, switch_interval=self._switch_interval)
        child._cut_at, child._end_at = self._cut_at, self._end_at
        if self._closing is not None:
            child._closing = Turn()
            child._closing.outcome = Returned(None)
        return child

    @property
    def hung_calls(self) -> int:
        return len(self._abandoned)

    @property
    def blocked_reason(self) -> str | None:
        """Why no call may start although the turn is free."""
        if len(self._abandoned) >= _MOST_ABANDONED:
            return f"{len(self._abandoned)} calls of the wrapped exporter are stuck"
        return None

    def take(self, turn: Turn, deadline: float, refusal: Callable[[], str | None]) -> None:
        """Wait for the turn. Whatever comes of it, :meth:`release` has to follow.

        Args:
            turn: A new one.
            deadline: When to give up, in monotonic seconds.
            refusal: Asked on each awakening whether the turn is still worth waiting for.

        Raises:
            Refused: No turn.
        """
        self._enter(turn)
        parker: Parker | None = None
        try:
            while True:
                self.tend()
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
            self._start(turn, call)
            self._wait(turn, parker, deadline)
        except BaseException:
            if turn.submitted:
                self._orphan(turn)
            raise
        with self._lock:
            if turn.outcome is not None:
                return turn.outcome
            if time.monotonic() >= turn.hang_at:
                return self._abandon(turn)
            self._orphan(turn)
            return Unfinished()

    def release(self, turn: Turn) -> None:
        """Give the turn back, if it was got. An orphaned call keeps it."""
        with self._lock:
            self._callers.discard(turn.caller)
            turn.caller = None
            if self._turn is turn and (turn.is_tended or not turn.is_orphan):
                self._turn = None
                self._wake_next()

    def tend(self) -> None:
        """See to a call whose caller is gone: has it ended, is it hung?"""
        with self._lock:
            turn = self._turn
            if turn is None or not turn.is_orphan or turn.is_tended:
                return
            outcome = turn.outcome
            if outcome is None:
                if time.monotonic() < turn.hang_at:
                    return
                outcome = self._abandon(turn)
            turn.is_tended = True
        try:
            turn.orphaned(outcome)
        finally:
            self.release(turn)

    def recheck(self) -> None:
        """Wake those who wait for the turn: it may not be worth waiting for any more."""
        for parker in list(self._waiting):
            parker.unpark()

    def replay_records(self, deadline: float) -> None:
        """Hand on what the wrapped exporter logged (R7), without outliving `deadline`."""
        self._records.replay(min(deadline, self._end_at) - time.monotonic())

    def cut(self, timeout: float) -> None:
        """From now on all calls together may take `timeout` seconds; the earliest end given holds.

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
        is what ends the retries of an exporter. Whoever comes second waits for the same call.

        Args:
            call: Gets the seconds that are left.
            deadline: In monotonic seconds.

        Returns:
            How the call ended, to the first who asked; ``None`` where it has not.

        Raises:
            CannotStart: The call was not made.
        """
        with self._lock:
            closing = self._closing
            first = closing is None
            if closing is None:
                closing = self._closing = Turn()
        self.recheck()
        may_wait = not (id(self) in _inside.get() or hub.must_not_wait())
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
            end(self._threads, limit)
            self._records.replay(limit - time.monotonic())
        return closing.outcome if first else Returned(None)

    def _enter(self, turn: Turn) -> None:
        if id(self) in _inside.get():
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
                # The thread is busy: it ends with its call, and the last call enters beside it.
                self._worker = None
                if turn.kill is not None:
                    turn.is_cut = True
                    turn.kill()
        try:
            self._start(closing, call)
        except CannotStart as error:
            closing.outcome = Raised(error)
            raise
        finally:
            self._worker = None

    def _start(self, turn: Turn, call: Callable[[], object]) -> None:
        context = contextvars.copy_context()
        context.run(_inside.set, (*_inside.get(), id(self)))
        # Where sockets are not gevent's, what cooperates with greenlets would hold them all.
        if self._wants_greenlet and hub.is_cooperative() and is_patched("socket"):
            resolve_names_without_threads()
            self._start_greenlet(turn, context, call)
            return
        try:
            self._start_on_thread(turn, context, call)
        except RuntimeError as error:
            if not is_exit_error(error):
                raise CannotStart(str(error)) from error
            # The processor's last drain, where no thread starts any more: nobody else is there to be held up.
            if not hub.is_cooperative():
                turn.outcome = _outcome(lambda: context.run(call))
            elif isinstance(error, TornDown):  # pragma: no cover (as where it is raised)
                raise CannotStart(str(error)) from error
            else:
                resolve_names_without_threads()
                self._start_greenlet(turn, context, call)

    def _start_greenlet(self, turn: Turn, context: contextvars.Context, call: Callable[[], object]) -> None:
        turn.submitted = True
        turn.kill = _cooperating[turn] = hub.start_greenlet(
            lambda: self._finish(turn, _outcome(call)),
            lambda: self._settle_unrun(turn, "was killed before it ran"),
            # A signal handler may come in before the call and after it, and must see where it is (R2).
            context,
        )

    def _start_on_thread(self, turn: Turn, context: contextvars.Context, call: Callable[[], object]) -> None:
        diverted = is_patched()
        job = Job(
            lambda: self._serve(turn, context, call, diverted=diverted),
            lambda: self._settle_unrun(turn, "its thread ended before it ran"),
        )
        try:
            if diverted:
                self._records.wake = turn.unpark
                detour().open(turn)
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
        self._land(turn)
        return True

    def _new_worker(self) -> Worker:
        self._worker = worker = Worker()
        self._threads = [thread for thread in self._threads if not thread.ended]
        self._threads.append(worker.thread)
        return worker

    def _land(self, turn: Turn) -> None:
        """Undo for a call what lasts as long as it is out on a thread."""
        _switching.take_back(turn)
        detour().close(turn)

    def _serve(
        self, turn: Turn, context: contextvars.Context, call: Callable[[], object], *, diverted: bool
    ) -> bool:
        """Make the call on a native thread. Returns whether the thread is still wanted."""
        # What is collected on this thread between two calls must not wait for one that runs here.
        _inside.set((id(self),))
        outcome: Outcome = Raised(CannotStart("its thread was interrupted"))
        try:
            if diverted:
                detour().enter(self._records)
            outcome = _outcome(lambda: context.run(call))
        finally:
            end_if_child_of(self._pid)
            try:
                if diverted:
                    detour().leave()
                    self._land(turn)
            finally:
                wanted = self._finish(turn, outcome)
        return wanted

    def _finish(self, turn: Turn, outcome: Outcome) -> bool:
        _cooperating.pop(turn, None)
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

    def _settle_unrun(self, turn: Turn, reason: str) -> None:
        """What the call runs on has ended: a greenlet that is killed before it runs has said nothing."""
        if turn.outcome is None:
            self._land(turn)
            self._finish(turn, Raised(CannotStart(reason)))

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
            self._records.replay(0.0)

    def _wait_for_turn(self, deadline: float) -> None:
        parker = new_parker()
        with self._lock:
            self._waiting.append(parker)
        try:
            while self._turn is not None and (now := time.monotonic()) < deadline:
                parker.park(deadline - now)
                self.tend()
        finally:
            self._leave_queue(parker)

    def _orphan(self, turn: Turn) -> None:
        with self._lock:
            turn.is_orphan = True
        self.recheck()

    def _abandon(self, turn: Turn) -> Overran:
        self._abandoned.add(turn)
        _switching.take_back(turn)
        if turn.kill is not None:
            turn.kill()
        else:
            self._worker = None
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


def _outcome(call: Callable[[], object]) -> Outcome:
    try:
        return Returned(call())
    except BaseException as error:
        # Whatever it is: on a thread of ours it was meant for nobody else.
        return Raised(error)
