"""Calls with parcels: each is made through the circuit, settled, and learnt from."""

from __future__ import annotations

import logging

from .._base.log import say
from . import deadline_clock as time
from .custody_parts import CustodyParts
from .parcel import Parcel
from .parcel_attempt import ParcelAttempt
from .report import Cause, Verdict
from .settlement import COMES_BACK, Settlement, settlement_of
from .turn import CannotStart, Outcome, Refused, Returned


class ParcelCalls:
    """Makes the calls of one exporter, and says what becomes of their parcels.

    Args:
        parts: Of the custody.
    """

    def __init__(self, parts: CustodyParts) -> None:
        self._name = parts.settings.name
        self._accounts = parts.accounts
        self._kept_accounts = parts.kept_accounts
        self._runner = parts.runner
        self._destination = parts.settings.destination
        self._store = parts.store
        self._backlog = parts.store.backlog
        self._pace = parts.pace
        self._choice = parts.choice
        self._timeout = parts.settings.attempt_timeout
        self._change = parts.change
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
