"""The way of a batch that is kept until it is delivered: in, through the circuit, and back if need be (K).

``export`` hands a batch over. While all is well it makes the call itself and waits a second for the answer.
In all other cases the batch waits here and ``export`` returns at once: a sender of the exporter's own makes
the calls then, probes included, until nothing waits any more.
"""

from __future__ import annotations

import contextvars
import logging
import os
import time as wall
from collections.abc import Callable
from typing import Protocol

from .._base.log import counted, say
from .._concurrency import hub
from .._concurrency.parker import Parker, new_parker
from .._concurrency.thrown import passing_on, waiting
from . import deadline_clock as time
from .accounts import Accounts
from .backlog import Backlog, Parcel
from .batch import Batch
from .choice import Choice
from .ledger import Loss
from .parcel_attempt import ParcelAttempt
from .payload import Delivery, Payload
from .replay_pace import ReplayPace
from .report import Verdict, raised
from .retention import Retention
from .runner import Runner
from .sender import Sender
from .settlement import COMES_BACK, Settlement, settlement_of
from .turn import CannotStart, Outcome, Refused, Returned

_ANSWER_WITHIN = 1.0
"""Seconds that ``export`` waits for the answer to its batch."""
_LOOK_AGAIN = 1.0
"""Seconds at most until the sender looks again, whatever it waits for: a clock may jump."""
_LOOKS_AGAIN = 0.25
"""Seconds."""
_SHUT_DOWN = "exporter is shut down"


class Destination(Protocol):
    """The exporter that payloads go to."""

    def send_of(self, payload: Payload) -> Callable[[], Delivery]:
        """The call that sends `payload` once."""
        ...

    def drop(self, payload: Payload) -> None:
        """`payload` will not be sent any more."""
        ...


class Custody:
    """Keeps the batches of one exporter in one process until they are delivered, or lost for good.

    Args:
        name: The exporter's name.
        unit: The name of an item, in the plural.
        accounts: Of the exporter, with its circuit.
        runner: Makes the calls.
        destination: Where payloads go.
        attempt_timeout: Seconds that one call may take.
        retention: What is kept, and for how long.

    Attributes:
        is_drained: True once the shutdown has sent what it had the time for.
    """

    def __init__(
        self,
        name: str,
        unit: str,
        accounts: Accounts,
        runner: Runner,
        destination: Destination,
        attempt_timeout: float,
        retention: Retention,
    ) -> None:
        self._name = name
        self._unit = unit
        self._accounts = accounts
        self._runner = runner
        self._destination = destination
        self._attempt_timeout = attempt_timeout
        self._retention = retention
        self._backlog = Backlog(retention.budget, self._evicted)
        self._pace = ReplayPace(retention.replay_rate)
        self._choice = Choice(self._backlog, self._pace)
        self._sender = Sender(self._step)
        self._accepted = 0
        self._is_closed = False
        self.is_drained = False
        self._said_no_thread = False
        self._waiting: list[Parker] = []
        self._pid = os.getpid()

    @property
    def retained_bytes(self) -> int:
        """Memory that waiting batches take."""
        return self._backlog.waiting_bytes

    @property
    def oldest_at(self) -> float | None:
        """Unix seconds at which the oldest batch that waits came."""
        return self._backlog.oldest_at

    def forked(self, accounts: Accounts, runner: Runner) -> Custody:
        """For a forked child: what waits is its parent's (K11)."""
        child = Custody(
            self._name,
            self._unit,
            accounts,
            runner,
            self._destination,
            self._attempt_timeout,
            self._retention,
        )
        child._is_closed = child.is_drained = self._is_closed
        return child

    def export(self, items: int, encode: Callable[[], Payload]) -> bool:
        """Take a batch of so many items into custody.

        Returns:
            False where it is lost: rejected, impossible to encode, without room, or after the shutdown.
        """
        batch = Batch()
        is_held = False
        with passing_on():
            try:
                self._accounts.receive(batch, items)
                if reason := self._refusal():
                    self._accounts.refuse(batch, reason)
                    say(logging.DEBUG, "%s: %s refused: %s", self._name, counted(items, self._unit), reason)
                else:
                    is_held = self._export(batch, encode)
            except Exception as error:
                self._accounts.fail(batch, raised(error))
            finally:
                if batch.owed:
                    self._accounts.fail(batch, "the caller was cancelled")
                self._accounts.announce()
        return is_held

    def flush(self, timeout: float) -> bool:
        """Wait until all that is here now is delivered or lost, for so many seconds at most.

        Returns:
            False where it was not: the time was too short, or the circuit is open for longer than that.
        """
        if self._must_not_wait() or self._sender.is_here():
            return self._backlog.is_idle
        last, deadline = self._backlog.last_number, time.monotonic() + timeout
        with passing_on():
            while self._backlog.has_any_until(last):
                left = deadline - time.monotonic()
                if left <= 0 or (self._accounts.probe_in() or 0.0) > left or os.getpid() != self._pid:
                    return False
                if not self._sender.wake():
                    self._runner.settle_late()
                    if not self._drain(deadline):
                        return False
                self._wait_for_change(lambda: not self._backlog.has_any_until(last), min(left, _LOOKS_AGAIN))
        return True

    def close(self, deadline: float) -> bool:
        """Refuse later batches; send what waits until `deadline`, while the circuit is closed (K10).

        A second caller waits until the first has done so.

        Returns:
            False for a second caller.
        """
        is_first, self._is_closed = not self._is_closed, True
        self._sender.stop()
        try:
            if not self._must_not_wait():
                with passing_on():
                    if is_first:
                        self._drain(deadline, is_last=True)
                    while not (is_first or self.is_drained) and (left := deadline - time.monotonic()) > 0:
                        self._wait_for_change(lambda: self.is_drained, min(left, _LOOKS_AGAIN))
        finally:
            if is_first:
                self.is_drained = True
                self._changed()
        return is_first

    def drop_rest(self) -> None:
        """Give up what is still here: the process ends."""
        self._is_closed = True
        self._sender.stop()
        waiting, in_call = self._backlog.take_all()
        for parcel in in_call:
            self._accounts.keep(parcel.payload.items, lambda: True)
        items = 0
        for parcel in (*waiting, *in_call):
            items += parcel.payload.items
            self._drop(parcel, Loss.STOPPED, "the process ended")
        if items:
            text = "%s: %s in memory could not be delivered before the end and are lost"
            say(logging.WARNING, text, self._name, counted(items, self._unit))

    def settle(self, attempt: ParcelAttempt, outcome: Outcome) -> None:
        """Account for a call that has ended or is given up, and keep what is left of its parcel."""
        parcel, permit, now = attempt.parcel, attempt.permit, time.monotonic()
        assert permit is not None
        sent = parcel.payload
        resent = sent.items if parcel.may_be_there else 0
        found = settlement_of(
            parcel,
            outcome,
            self._accepted,
            is_probe=permit.probe,
            is_replay=attempt.is_replay,
            is_alone=self._backlog.is_empty,
        )
        attempt.verdict = found.report.verdict if found.left is None else None

        def account(_: object) -> None:
            # The probe that ends an outage is none of what is kept then.
            outage = self._accounts.outages if permit.probe else parcel.outage
            if self._backlog.end_call(parcel, found.left):  # else given up at the end of the process
                self._accounts.account_parcel(outage, found, resent)

        self._accounts.settle(permit, outcome, found.told, account)
        self._backlog.make_room()
        self._learn(attempt, found, sent.items, now)
        if found.left is None and found.lost and found.report.verdict in COMES_BACK:
            self._destination.drop(sent)
        self._changed()

    def settle_abandoned(self, attempt: ParcelAttempt, outcome: Outcome) -> None:
        """A call that was given up was a success after all: what waits to be sent again need not be."""
        parcel = attempt.parcel
        if not isinstance(outcome, Returned):
            return
        found = settlement_of(
            parcel, outcome, self._accepted, is_probe=False, is_replay=False, is_alone=False
        )
        # Where a part is left, all of it is sent again. Another call may have shortened what waits: then the
        # answer says nothing of that, unless all was accepted.
        is_settled = found.report.verdict is Verdict.DELIVERED and found.left is None
        is_same = parcel.payload.items == attempt.items
        if is_settled and (is_same or found.report.accepted_of(attempt.items) == attempt.items):
            self._accounts.account_late(parcel.outage, found, lambda: self._backlog.remove(parcel))
            self._changed()

    def take_back(self, parcel: Parcel) -> None:
        """No call was made with the parcel: it waits again."""
        is_new = self._accounts.is_closed and not parcel.was_kept
        self._accounts.keep(
            parcel.payload.items,
            # Not done where it was given up at the end of the process.
            lambda: self._backlog.end_call(parcel, parcel.payload, is_new=is_new),
        )
        self._backlog.make_room()

    def _export(self, batch: Batch, encode: Callable[[], Payload]) -> bool:
        try:
            payload = encode()
            is_live = self._accounts.is_closed and self._backlog.is_empty and not self._backlog.has_left
            if payload.items and not is_live:
                payload = payload.packed(_rest)
        except Exception as error:
            self._accounts.fail(batch, raised(error), Loss.UNSENT)
            return False
        if os.getpid() != self._pid:  # forked meanwhile: the batch is the parent's
            return False
        if not payload.items:
            self._accounts.take_over(batch, 0)
            return False
        now = time.monotonic()
        parcel = None
        if not (reason := self._refusal()):  # its time may have come meanwhile
            parcel = self._backlog.take_in(payload, now, wall.time(), self._accounts.outages)
        if parcel is None:
            self._accounts.refuse(batch, reason or _SHUT_DOWN)
            return False
        self._pace.live(payload.items, now)
        return self._send_or_keep(batch, parcel, now, is_live=is_live)

    def _send_or_keep(self, batch: Batch, parcel: Parcel, now: float, *, is_live: bool) -> bool:
        try:
            self._accounts.take_over(batch, parcel.payload.items)
            if is_live:
                self._backlog.make_room()
                attempt = self._attempt(parcel, now + _ANSWER_WITHIN)
                if attempt.verdict is not None:
                    return attempt.verdict is Verdict.DELIVERED
            else:
                self.take_back(parcel)
        finally:
            parcel.is_left = True
            if batch.owed:  # interrupted before it was in custody
                self._backlog.end_call(parcel, None)
            if not self._backlog.is_idle:
                # The sender works in the context of an export, even where a flush starts it: that context
                # keeps its own posts out of the traces (R3).
                self._sender.context = contextvars.copy_context()
                if not self._sender.wake() and not self._is_closed:  # else the shutdown sends it
                    self._drain(now + _ANSWER_WITHIN)
        return not parcel.is_lost

    def _refusal(self) -> str | None:
        if self._is_closed:
            return _SHUT_DOWN
        if self._runner.is_over:
            return "no time left"
        if self._runner.is_inside():
            return "called from within its own export"
        if hub.must_not_wait():
            return "called where nobody may wait"
        return None

    def _must_not_wait(self) -> bool:
        """True where what the caller would wait for goes on when it has returned."""
        return hub.must_not_wait() or self._runner.is_inside() or self._runner.is_interrupted()

    def _changed(self) -> None:
        """Wake those who wait for a batch to be settled."""
        for parker in list(self._waiting):
            parker.unpark()

    def _wait_for_change(self, is_over: Callable[[], bool], timeout: float) -> None:
        parker = new_parker()
        self._waiting.append(parker)
        try:
            if not is_over():
                parker.park(timeout)
        finally:
            self._waiting.remove(parker)

    def _step(self) -> float | None:
        """One step of the sender: the seconds until the next one; ``None`` where nothing is here."""
        with passing_on():
            wait = self._stepped()
            self._accounts.announce()
        return wait

    def _stepped(self) -> float | None:
        self._runner.settle_late()
        now = time.monotonic()
        self._drop_expired(now)
        if self._backlog.is_empty:
            self._pace.end()
            if self._backlog.is_idle:
                self._sender.context = contextvars.Context()  # keeps nothing of the application alive
                return None
            self._runner.wait_for_turn(now + _LOOK_AGAIN)  # for a call whose caller has left
            return _LOOK_AGAIN if self._backlog.is_empty and not self._backlog.is_idle else 0.0
        parcel, wait = self._choice.next(self._accounts.probe_in(), now)
        self._backlog.pack(_rest)
        if os.getpid() != self._pid:  # forked meanwhile: all of this is the parent's
            return None
        if parcel is None:
            return min(wait, _LOOK_AGAIN)
        if not self._backlog.take(parcel):
            return 0.0
        self._accounts.take_out(parcel.payload.items)
        # The call's own time is shorter: it is over when this ends.
        attempt = self._attempt(parcel, now + 4 * self._attempt_timeout)
        return 0.0 if attempt.permit is not None else _LOOK_AGAIN

    def _drain(self, until: float, *, is_last: bool = False) -> bool:
        """Make the calls for what waits here and now, while the circuit is closed; true where none waits.

        Args:
            until: Monotonic seconds.
            is_last: True where what others have in a call is waited for too: it may come back.
        """
        return self._sender.context.copy().run(self._send_all, until, is_last)

    def _send_all(self, until: float, is_last: bool) -> bool:
        tried: set[Parcel] = set()  # each once: one that fails comes back
        calls_end_by = None
        while os.getpid() == self._pid and self._accounts.is_closed and (now := time.monotonic()) < until:
            parcel = next((parcel for parcel in self._backlog.waiting() if parcel not in tried), None)
            if parcel is not None:
                tried.add(parcel)
                if not self._send_waiting(parcel, until):
                    break
                continue
            # A call that hangs leaves time for the end of the wrapped exporter.
            calls_end_by = calls_end_by or now + (min(until, self._runner.cut_at) - now) / 2
            if not (is_last and self._backlog.has_calls and now < calls_end_by):
                break
            self._wait_for_change(lambda: not self._backlog.has_calls, min(calls_end_by - now, _LOOKS_AGAIN))
        return self._backlog.is_empty

    def _send_waiting(self, parcel: Parcel, until: float) -> bool:
        """Send one that waits, unless it is gone; false where no more can be sent now."""
        if not self._backlog.take(parcel):
            return True
        self._accounts.take_out(parcel.payload.items)
        attempt = self._attempt(parcel, until)
        return attempt.permit is not None and not attempt.pauses_replay

    def _attempt(self, parcel: Parcel, deadline: float) -> ParcelAttempt:
        attempt = ParcelAttempt(
            self,
            self._accounts,
            parcel,
            self._destination.send_of(parcel.payload),
            deadline=deadline,
            timeout=self._attempt_timeout,
        )
        try:
            self._runner.run(attempt)
        except Refused as reason:
            say(logging.DEBUG, "%s: not sent now: %s", self._name, reason)
        except CannotStart as reason:
            if not self._said_no_thread:
                self._said_no_thread = True
                say(logging.WARNING, "%s: not sent now: no thread can be started: %s", self._name, reason)
        except Exception as error:
            self._accounts.say_breaker_raised(error)
        return attempt

    def _learn(self, attempt: ParcelAttempt, found: Settlement, items: int, now: float) -> None:
        took = now - attempt.began_at
        if found.report.verdict is Verdict.DELIVERED:
            self._accepted += 1
            if attempt.is_replay:
                self._pace.replayed(items, took, now)
            else:
                self._pace.live_answered(took)
        elif attempt.is_replay and found.left is not None:
            self._pace.failed(now)
        attempt.pauses_replay = found.pauses_replay
        if found.pauses_replay:
            self._pace.pause(found.report.retry_after or self._accounts.cooldown, now)
        assert attempt.permit is not None
        is_failed = found.left is not None
        self._choice.settled(attempt.parcel, now, was_probe=attempt.permit.probe, failed=is_failed)

    def _drop_expired(self, now: float) -> None:
        for parcel in self._backlog.take_expired(now - self._retention.max_age):
            self._drop(parcel, Loss.EXPIRED, f"not delivered within {self._retention.max_age:g} s")

    def _evicted(self, parcel: Parcel) -> None:
        text = f"the memory for what is kept is full ({self._retention.budget.limit} bytes)"
        self._drop(parcel, Loss.EVICTED, text)

    def _drop(self, parcel: Parcel, kind: Loss, reason: str) -> None:
        parcel.is_lost = True
        self._accounts.drop(parcel.payload.items, parcel.outage, kind, reason)
        self._destination.drop(parcel.payload)


def _rest() -> None:
    """Let others run between two pieces of work."""
    with waiting():
        hub.yield_to_hub()
