"""The batches of one exporter that are kept until they are delivered (K): what the guard asks of them.

A batch comes in by the intake and is sent at once, or waits for the sender; see the parts for each.
"""

from __future__ import annotations

import contextvars
import os

from .._concurrency.thrown import passing_on
from . import deadline_clock as time
from .accounts import Accounts
from .change import LOOKS_AGAIN
from .custody_end import CustodyEnd
from .custody_parts import CustodyParts
from .custody_settings import CustodySettings
from .disk_order import Census
from .intake import Intake
from .last_sends import LastSends
from .parcel_calls import ParcelCalls
from .runner import Runner
from .sender import Sender
from .sender_steps import SenderSteps


class Custody:
    """Keeps the batches of one exporter in one process until they are delivered, or lost for good.

    Args:
        settings: Of the exporter.
        accounts: Of the exporter, with its circuit.
        runner: Makes the calls.

    Attributes:
        intake: Takes batches in.
        has_looked: True once :meth:`look` was called, or where no directory is named.
    """

    def __init__(self, settings: CustodySettings, accounts: Accounts, runner: Runner) -> None:
        parts = CustodyParts.of(settings, accounts, runner)
        self._settings = settings
        self._accounts = accounts
        self._kept_accounts = parts.kept_accounts
        self._runner = runner
        self._store = parts.store
        self._backlog = parts.store.backlog
        self._change = parts.change
        self._calls = ParcelCalls(parts)
        self._steps = SenderSteps(parts, self._calls)
        self._sender = Sender(settings.name, self._step)
        self._last_sends = LastSends(parts, self._calls, self._sender)
        self.intake = Intake(parts, self._calls, self._sender, self._last_sends)
        self._end = CustodyEnd(parts, self.intake, self._sender, self._last_sends)
        self._service: str | None = None
        self.has_looked = settings.place is None
        self._pid = os.getpid()

    @property
    def retained_bytes(self) -> int:
        """Memory that waiting batches take."""
        return self._backlog.queue.size

    @property
    def oldest_at(self) -> float | None:
        """Unix seconds at which the oldest batch that waits came."""
        return self._backlog.queue.oldest_at

    @property
    def census(self) -> Census | None:
        """Of the files on disk, if this process has just counted them."""
        return self._store.disk.census

    @property
    def is_drained(self) -> bool:
        """True once the shutdown has sent what it had the time for."""
        return self._end.is_drained

    def forked(self, accounts: Accounts, runner: Runner) -> Custody:
        """For a forked child: what waits is its parent's (K11)."""
        child = Custody(self._settings, accounts, runner)
        child.intake.is_closed = child._end.is_drained = self.intake.is_closed
        if self._service is not None:
            child._use_disk(self._service)
        return child

    def look(self, service: str, context: contextvars.Context) -> None:
        """Send what lies on disk already, from before a restart or from another process (K14).

        Args:
            service: The name of the service.
            context: The context that it is sent in.
        """
        if self._settings.place is not None:
            self._use_disk(service)
            self.has_looked = True
            self._sender.use_context(context)
            self._store.disk.look()

    def open_disk(self, service: str) -> str | None:
        """Make and open the files of a service now, and wait for that.

        Returns:
            The reason why they cannot be used, or ``None``.
        """
        self._use_disk(service)
        return self._store.disk.open()

    def look_again(self) -> None:
        """Wake the sender, if it has work: a call of some exporter has changed the circuit."""
        if not self._backlog.is_idle or self._store.disk.has_files:
            self._sender.wake()

    def flush(self, timeout: float) -> bool:
        """Wait until all that is here now is delivered or lost, for so many seconds at most.

        Returns:
            False where it was not: the time was too short, or the circuit is open for longer than that.
        """
        if self._runner.must_not_wait() or self._sender.is_here():
            return self._store.is_settled
        last, deadline = self._backlog.last_number, time.monotonic() + timeout

        def is_over() -> bool:
            return self._store.is_settled_until(last)

        with passing_on():
            while not is_over():
                left = deadline - time.monotonic()
                if left <= 0 or (self._accounts.probe_in() or 0.0) > left or os.getpid() != self._pid:
                    return False
                if not self._sender.wake():
                    self._runner.settle_late()
                    if not self._last_sends.send(deadline):
                        return False
                self._change.wait(is_over, min(left, LOOKS_AGAIN))
        return True

    def close(self, deadline: float) -> bool:
        """Refuse later batches, and send what waits; see :meth:`CustodyEnd.close`."""
        return self._end.close(deadline)

    def drop_rest(self) -> None:
        """Give up what is still here: the process ends."""
        self._end.drop_rest()

    def _use_disk(self, service: str) -> None:
        """Keep on disk too, from now on."""
        place = self._settings.place
        if place is not None and self._service is None:
            self._service = service
            self._store.disk = place.backlog(
                service,
                self._backlog,
                self._kept_accounts,
                self._settings.attempt_timeout + 1.0,
                self._change.happened,
                self._sender.wake,
            )

    def _step(self) -> float | None:
        """One step of the sender: the seconds until the next one; ``None`` where nothing is here."""
        with passing_on():
            wait = self._steps.make()
            self._accounts.announce()
        if wait is None:
            self._sender.forget_context(self._store.has_nothing)
        return wait
