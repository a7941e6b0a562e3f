"""Calls with parcels: each is made through the circuit, settled, and learnt from."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from .._base.log import say
from . import deadline_clock as time
from .accounts import Accounts
from .change import Change
from .choice import Choice
from .kept_accounts import KeptAccounts
from .parcel import Parcel
from .parcel_attempt import ParcelAttempt
from .payload import Delivery, Payload
from .replay_pace import ReplayPace
from .report import Cause, Verdict
from .runner import Runner
from .settlement import COMES_BACK, Settlement, settlement_of
from .store import Store
from .turn import CannotStart, Outcome, Refused, Returned


class Destination(Protocol):
    """The exporter that payloads go to."""

    def send_of(self, payload: Payload) -> Callable[[], Delivery]:
        """The call that sends `payload` once."""
        ...

    def drop(self, payload: Payload) -> None:
        """`payload` will not be sent any more."""
        ...


class ParcelCalls:
    """Makes the calls of one exporter, and says what becomes of their parcels.

    Args:
        name: The exporter's name.
        accounts: Of the exporter, with its circuit.
        kept_accounts: Of what it keeps.
        runner: Makes the calls.
        destination: Where payloads go.
        store: Holds the parcels, and the files of those that lie on disk.
        pace: Of the replay.
        choice: Of the next parcel.
        timeout: Seconds that one call may take.
        change: Happens when a parcel is settled.
    """

    def __init__(
        self,
        name: str,
        accounts: Accounts,
        kept_accounts: KeptAccounts,
        runner: Runner,
        destination: Destination,
        store: Store,
        pace: ReplayPace,
        choice: Choice,
        timeout: float,
        change: Change,
    ) -> None:
        self._name = name
        self._accounts = accounts
        self._kept_accounts = kept_accounts
        self._runner = runner
        self._destination = destination
        self._store = store
        self._backlog = store.backlog
        self._pace = pace
        self._choice = choice
        self._timeout = timeout
        self._change = change
        self._accepted = 0
        self._said_no_thread = False

    def take(self, parcel: Parcel) -> bool:
        """Take a parcel into a call; false where it is gone."""
        if parcel.file is not None:  # not counted while it is sent: its file may go by another process
            taken = self._store.disk.take_ahead()
            if taken is not None and taken is not parcel:
                self._store.disk.leave(taken)
            return taken is parcel
        if not self._backlog.take(parcel):
            return False
        self._kept_accounts.take_out(parcel.payload.items)
        return True

    def make(self, parcel: Parcel, deadline: float) -> ParcelAttempt:
        """Make one call with a parcel that was taken.

        Args:
            parcel: In a call, by the backlog.
            deadline: Monotonic seconds at which the caller must have its thread back.
        """
        attempt = ParcelAttempt(
            self,
            self._accounts,
            parcel,
            self._destination.send_of(parcel.payload),
            deadline=deadline,
            timeout=self._timeout,
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
            are_others_tried=permit.probe and not self._choice.has_untried,
        )
        attempt.verdict = found.report.verdict if found.left is None else None

        def account(_: object) -> None:
            # The probe that ends an outage is none of what is kept then.
            outage = self._accounts.outages if permit.probe else parcel.outage
            if parcel.file is not None:  # accounted for by whoever removes that
                self._backlog.end_call(parcel, None)
            elif self._backlog.end_call(parcel, found.left):  # else given up at the end of the process
                self._kept_accounts.account_parcel(outage, found, resent)

        try:
            self._accounts.settle(permit, outcome, found.told, account)
        finally:  # a file in hand is never read again
            if parcel.file is not None:
                self._store.disk.settle(parcel, found, resent)
        self._backlog.make_room()
        self._learn(attempt, found, sent.items, now)
        if found.left is None and found.lost and found.report.verdict in COMES_BACK:
            self._destination.drop(sent)
        self._change.happened()

    def settle_abandoned(self, attempt: ParcelAttempt, outcome: Outcome) -> None:
        """A call that was given up was a success after all: what waits to be sent again need not be."""
        parcel = attempt.parcel
        if not isinstance(outcome, Returned):
            return
        found = settlement_of(
            parcel, outcome, self._accepted, is_probe=False, is_replay=False, are_others_tried=False
        )
        # Where a part is left, all of it is sent again. Another call may have shortened what waits: then the
        # answer says nothing of that, unless all was accepted.
        is_settled = found.report.verdict is Verdict.DELIVERED and found.left is None
        is_same = parcel.payload.items == attempt.items
        if not (is_settled and (is_same or found.report.accepted_of(attempt.items) == attempt.items)):
            return
        if parcel.file is not None:
            self._store.disk.settle(parcel, found, 0)
        else:
            self._kept_accounts.account_late(parcel.outage, found, lambda: self._backlog.remove(parcel))
        self._change.happened()

    def take_back(self, parcel: Parcel) -> None:
        """No call was made with the parcel: it waits again."""
        if parcel.file is not None:
            self._store.disk.leave(parcel)
            return
        is_new = self._accounts.is_closed and not parcel.was_kept
        self._kept_accounts.keep(
            parcel.payload.items,
            # Not done where it was given up at the end of the process.
            lambda: self._backlog.end_call(parcel, parcel.payload, is_new=is_new),
        )
        self._backlog.make_room()

    def _learn(self, attempt: ParcelAttempt, found: Settlement, items: int, now: float) -> None:
        took = now - attempt.began_at
        if found.report.verdict is Verdict.DELIVERED:
            self._accepted += 1
            if attempt.is_replay:
                self._pace.replayed(items, took, now)
            else:
                self._pace.live_answered(items, took)
        elif attempt.is_replay and found.left is not None:
            self._pace.failed(now)
        attempt.pauses_replay = found.pauses_replay
        if found.pauses_replay:
            self._pace.pause(self._accounts.pause(found.report.retry_after), now)
        assert attempt.permit is not None
        self._choice.settled(
            attempt.parcel,
            now,
            was_probe=attempt.permit.probe,
            failed=found.left is not None,
            was_answered=found.report.cause is Cause.ANSWERED,
        )
