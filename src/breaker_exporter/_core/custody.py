"""The way of a batch that is kept until it is delivered: in, through the circuit, and back if need be (K).

``export`` hands a batch over. While all is well it makes the call itself and waits a second for the answer.
In all other cases the batch waits here and ``export`` returns at once: a sender of the exporter's own makes
the calls then, probes included, until nothing waits any more.
"""

from __future__ import annotations

import contextvars
import logging
import math
import os
import time as wall
from collections.abc import Callable
from functools import partial

from .._base.log import counted, say
from .._concurrency import hub
from .._concurrency.log_feedback import without_feedback
from .._concurrency.thrown import passing_on, waiting
from . import deadline_clock as time
from .accounts import Accounts
from .backlog import Backlog
from .batch import Batch
from .change import LOOKS_AGAIN, Change
from .choice import Choice
from .disk_order import Census
from .disk_place import DiskPlace
from .last_sends import LastSends
from .ledger import Loss
from .no_disk import Disk, NoDisk
from .parcel import Parcel
from .parcel_calls import Destination, ParcelCalls
from .payload import Payload
from .replay_pace import ReplayPace
from .report import Verdict, raised
from .retention import Retention
from .retention_settings import RETAIN_DIRECTORY
from .runner import Runner
from .sender import Sender

_ANSWER_WITHIN = 1.0
"""Seconds that ``export`` waits for the answer to its batch."""
_LOOK_AGAIN = 1.0
"""Seconds at most until the sender looks again, whatever it waits for: a clock may jump."""
_SHARE_OF_DISK = 0.2
"""Part of the time of a shutdown that is kept for writing (K10)."""
_WRITTEN_WITHIN = 0.2
"""Seconds that the end of a process waits for what it keeps on disk at last."""
_SHUT_DOWN = "exporter is shut down"


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
        in_order: True where batches are to be sent in the order in which they came.

    Attributes:
        is_drained: True once the shutdown has sent what it had the time for.
        can_use_disk: True where batches could lie on disk if the user named a directory.
        has_looked: True once it was asked whether anything lies on disk.
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
        *,
        in_order: bool = False,
    ) -> None:
        self._name = name
        self._unit = unit
        self._accounts = accounts
        self._runner = runner
        self._destination = destination
        self._attempt_timeout = attempt_timeout
        self._retention = retention
        self._in_order = in_order
        self._backlog = Backlog(retention.budget, self._evicted)
        self._pace = ReplayPace(retention.replay_rate, carries_live=in_order)
        self._sender = Sender(name, self._step)
        self._is_closed = False
        self.is_drained = False
        self.can_use_disk = self.has_looked = False
        self._change = Change()
        self._place: DiskPlace | None = None
        self._disk: Disk = NoDisk()
        self._choice = Choice(self._backlog, self._pace, self._disk, in_order=in_order)
        self._calls = ParcelCalls(
            name,
            accounts,
            runner,
            destination,
            self._backlog,
            self._disk,
            self._pace,
            self._choice,
            attempt_timeout,
            self._change,
        )
        self._last_sends = LastSends(accounts, runner, self._backlog, self._calls, self._change)
        self._pid = os.getpid()

    @property
    def retained_bytes(self) -> int:
        """Memory that waiting batches take."""
        return self._backlog.queue.size

    @property
    def census(self) -> Census | None:
        """Of the files on disk, if this process has just counted them."""
        return self._disk.census

    @property
    def oldest_at(self) -> float | None:
        """Unix seconds at which the oldest batch that waits came."""
        return self._backlog.queue.oldest_at

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
            in_order=self._in_order,
        )
        child._is_closed = child.is_drained = self._is_closed
        child.can_use_disk = self.can_use_disk
        if self._place is not None:
            child.use_disk(self._place)
        return child

    def look_again(self) -> None:
        """Wake the sender, if it has work: a call of some exporter has changed the circuit."""
        if not self._backlog.is_idle or self._disk.has_files:
            self._sender.wake()

    @property
    def is_on_disk(self) -> bool:
        """True after :meth:`use_disk`."""
        return self._place is not None

    def use_disk(self, place: DiskPlace) -> None:
        """Keep on disk too, from now on."""
        self._place = place
        self._disk = place.backlog(
            self._backlog,
            self._accounts,
            self._attempt_timeout + 1.0,
            self._change.happened,
            self._sender.wake,
        )
        self._choice.disk = self._calls.disk = self._disk

    def look(self, context: contextvars.Context) -> None:
        """Send what lies on disk already, from before a restart or from another process (K14).

        Args:
            context: The context that it is sent in.
        """
        self.has_looked = True
        self._sender.context = context
        self._disk.look()

    def open_disk(self) -> str | None:
        """Open the files now, and wait for that: the reason why they cannot be used, or ``None``."""
        return self._disk.open()

    def export(self, items: int, encode: Callable[[], Payload], timeout: float = math.inf) -> bool:
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

    def flush(self, timeout: float) -> bool:
        """Wait until all that is here now is delivered or lost, for so many seconds at most.

        Returns:
            False where it was not: the time was too short, or the circuit is open for longer than that.
        """
        if self._must_not_wait() or self._sender.is_here():
            return self._backlog.is_idle and self._disk.is_clear
        last, deadline = self._backlog.last_number, time.monotonic() + timeout

        def is_over() -> bool:
            return not self._backlog.has_any_until(last) and self._disk.is_clear

        with passing_on():
            while not is_over():
                left = deadline - time.monotonic()
                if left <= 0 or (self._accounts.probe_in() or 0.0) > left or os.getpid() != self._pid:
                    return False
                if not self._sender.wake():
                    self._runner.settle_late()
                    if not self._drain(deadline):
                        return False
                self._change.wait(is_over, min(left, LOOKS_AGAIN))
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
                        for_disk = (deadline - time.monotonic()) * _SHARE_OF_DISK if self._place else 0.0
                        self._drain(deadline - for_disk, is_last=True)
                        self._disk.finish(min(deadline, time.monotonic() + for_disk))
                    while not (is_first or self.is_drained) and (left := deadline - time.monotonic()) > 0:
                        self._change.wait(lambda: self.is_drained, min(left, LOOKS_AGAIN))
        finally:
            if is_first:
                self.is_drained = True
                self._change.happened()
        return is_first

    def drop_rest(self) -> None:
        """Give up what is still here: the process ends."""
        self._is_closed = True
        self._sender.stop()
        with passing_on():
            self._disk.finish(time.monotonic() + _WRITTEN_WITHIN)
        self._disk.stop()
        waiting, in_call = self._backlog.take_all()
        for parcel in in_call:
            self._accounts.keep(parcel.payload.items, lambda: True)
        items = 0
        for parcel in (*waiting, *in_call):
            items += parcel.payload.items
            self._drop(parcel, Loss.STOPPED, "the process ended")
        if items:
            text = "%s: %s in memory could not be delivered before the end and are lost%s"
            say(logging.WARNING, text, self._name, counted(items, self._unit), self._advice())

    def _advice(self) -> str:
        if self._place is not None:
            return ": they could not be written to disk in time either"
        return f"; {RETAIN_DIRECTORY.variable} names a directory that keeps them" if self.can_use_disk else ""

    @without_feedback
    def _export(self, batch: Batch, encode: Callable[[], Payload], until: float) -> bool:
        try:
            payload = encode()
            is_live = self._accounts.is_closed and self._choice.may_be_first
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
        return self._send_or_keep(batch, parcel, min(until, now + _ANSWER_WITHIN), is_live=is_live)

    def _send_or_keep(self, batch: Batch, parcel: Parcel, deadline: float, *, is_live: bool) -> bool:
        try:
            # The sender works in the context of an export, even where a flush or a change of the circuit
            # starts it: that context keeps its own posts out of the traces (R3).
            self._sender.context = contextvars.copy_context()
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
            if not self._backlog.is_idle:
                self._disk.wake()
                self._sender.context = contextvars.copy_context()  # it may have been idle in between
                if not self._sender.wake() and not self._is_closed:  # else the shutdown sends it
                    self._drain(deadline)
                    self._disk.write_all(deadline)
            else:
                self._sender.context = contextvars.Context()  # keeps nothing of the application alive
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
        if self._backlog.queue.is_empty and not self._disk.has_files:
            self._pace.end()
            if self._backlog.is_idle:
                self._sender.context = contextvars.Context()  # keeps nothing of the application alive
                return None
            self._runner.wait_for_turn(now + _LOOK_AGAIN)  # for a call whose caller has left
            return _LOOK_AGAIN if self._backlog.queue.is_empty and not self._backlog.is_idle else 0.0
        parcel, wait = self._choice.next(self._accounts.probe_in(), now)
        self._backlog.pack(_rest)
        if os.getpid() != self._pid:  # forked meanwhile: all of this is the parent's
            return None
        if parcel is None:
            return min(wait, _LOOK_AGAIN)
        if not self._calls.take(parcel):
            return 0.0
        # The call's own time is shorter: it is over when this ends.
        attempt = self._calls.make(parcel, now + 4 * self._attempt_timeout)
        return 0.0 if attempt.permit is not None else _LOOK_AGAIN

    def _drain(self, until: float, *, is_last: bool = False) -> bool:
        if self._choice.must_wait_for_disk:
            return False
        if self._in_order:
            self._backlog.queue.keep_new(math.inf)
        return self._sender.context.copy().run(partial(self._last_sends.send, until, is_last=is_last))

    def _drop_expired(self, now: float) -> None:
        for parcel in self._backlog.take_expired(now - self._retention.max_age):
            self._drop(parcel, Loss.EXPIRED, self._retention.too_old())

    def _evicted(self, parcel: Parcel) -> None:
        self._drop(parcel, Loss.EVICTED, self._retention.full())

    def _drop(self, parcel: Parcel, kind: Loss, reason: str) -> None:
        parcel.is_lost = True
        self._accounts.drop(parcel.payload.items, parcel.outage, kind, reason)
        self._destination.drop(parcel.payload)


def _rest() -> None:
    """Let others run between two pieces of work."""
    with waiting():
        hub.yield_to_hub()
