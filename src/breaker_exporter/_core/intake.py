"""The way of a batch into custody (K1).

While all is well ``export`` makes the call itself and waits a second for the answer. In all other cases the
batch waits, ``export`` returns at once, and the sender makes the calls.
"""

from __future__ import annotations

import contextvars
import logging
import os
import time as wall
from collections.abc import Callable

from .._base.log import counted, say
from .._concurrency import hub
from .._concurrency.log_feedback import without_feedback
from .._concurrency.thrown import passing_on
from . import deadline_clock as time
from .batch import Batch
from .custody_parts import CustodyParts
from .last_sends import LastSends
from .loss import Loss
from .parcel import Parcel
from .parcel_calls import ParcelCalls
from .payload import Payload
from .report import AFTER_SHUTDOWN, Verdict, raised
from .rest import rest
from .sender import Sender

_ANSWER_WITHIN = 1.0
"""Seconds that ``export`` waits for the answer to its batch."""


class Intake:
    """Takes batches of one exporter in one process into custody.

    Args:
        parts: Of the custody.
        calls: Makes the call for a batch that may be sent at once.
        sender: Makes the calls for the others.
        last_sends: Makes them where no sender can be started any more.

    Attributes:
        is_closed: True where later batches are refused.
    """

    def __init__(
        self, parts: CustodyParts, calls: ParcelCalls, sender: Sender, last_sends: LastSends
    ) -> None:
        self._name = parts.settings.name
        self._unit = parts.settings.unit
        self._accounts = parts.accounts
        self._runner = parts.runner
        self._store = parts.store
        self._backlog = parts.store.backlog
        self._pace = parts.pace
        self._choice = parts.choice
        self._calls = calls
        self._sender = sender
        self._last_sends = last_sends
        self._pid = os.getpid()
        self.is_closed = False

    def export(self, items: int, encode: Callable[[], Payload], timeout: float) -> bool:
        """Take a batch of so many items into custody.

        Args:
            items: Their number.
            encode: Returns them as they are sent and kept.
            timeout: Seconds that the caller has to wait for the answer.

        Returns:
            False where it is lost: rejected, impossible to encode, without room, or after the shutdown.
        """
        until = time.monotonic() + timeout
        batch = Batch()
        is_held = False
        with passing_on():
            try:
                self._accounts.receive(batch, items)
                if reason := self._refusal():
                    self._accounts.refuse(batch, reason)
                    say(logging.DEBUG, "%s: %s refused: %s", self._name, counted(items, self._unit), reason)
                else:
                    is_held = self._export(batch, encode, until)
            except Exception as error:
                self._accounts.fail(batch, raised(error))
            finally:
                if batch.owed:
                    self._accounts.fail(batch, "the caller was cancelled")
                self._accounts.announce()
        return is_held

    @without_feedback
    def _export(self, batch: Batch, encode: Callable[[], Payload], until: float) -> bool:
        try:
            payload = encode()
            is_live = self._accounts.is_closed and self._choice.may_be_first
            if payload.items and not is_live:
                payload = payload.packed(rest)
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
            self._accounts.refuse(batch, reason or AFTER_SHUTDOWN)
            return False
        self._pace.live(payload.items, now)
        return self._send_or_keep(batch, parcel, min(until, now + _ANSWER_WITHIN), is_live=is_live)

    def _send_or_keep(self, batch: Batch, parcel: Parcel, deadline: float, *, is_live: bool) -> bool:
        try:
            # Also where a flush or a change of the circuit starts the sender: the context of an export keeps
            # the exporter's own posts out of the traces (R3).
            self._sender.use_context(contextvars.copy_context())
            self._accounts.take_over(batch, parcel.payload.items)
            if is_live:
                self._backlog.make_room()
                attempt = self._calls.make(parcel, deadline)
                if attempt.verdict is not None:
                    return attempt.verdict is Verdict.DELIVERED
            else:
                self._calls.take_back(parcel)
        finally:
            parcel.is_left = True
            if batch.owed:  # interrupted before it was in custody
                self._backlog.end_call(parcel, None)
            if self._backlog.is_idle:
                self._sender.forget_context(self._store.has_nothing)
            else:
                self._have_it_sent(deadline)
        return not parcel.is_lost

    def _have_it_sent(self, deadline: float) -> None:
        self._store.disk.wake()
        if not self._sender.wake() and not self.is_closed:  # else the shutdown sends it
            self._last_sends.send(deadline)
            self._store.disk.write_all(deadline)

    def _refusal(self) -> str | None:
        if self.is_closed:
            return AFTER_SHUTDOWN
        if self._runner.is_over:
            return "no time left"
        if self._runner.is_inside():
            return "called from within its own export"
        if hub.must_not_wait():
            return "called where nobody may wait"
        return None
