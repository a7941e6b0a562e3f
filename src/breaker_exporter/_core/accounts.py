"""The circuit and the counts of one exporter in one process, changed together under one lock.

Each change is a step of its own (admit, settle, account, refuse), so that a caller can take them one by one.
What is kept is counted under the same lock, by :class:`KeptAccounts`.
Log lines and transitions are queued under the lock, in order, and announced outside of it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from .._base.log import counted, say
from .._base.values import CircuitState, ExporterHealth
from .._concurrency.fork import renew_lock_in_child
from .._concurrency.state_lock import new_state_lock, register_state_lock
from . import deadline_clock as time
from .announcer import Announcer
from .any_circuit import AnyCircuit
from .batch import Batch
from .circuit import Permit
from .health import probe_in_of, snapshot, state_of
from .judgement import loss_of, tell_circuit
from .ledger import Ledger
from .loss import Loss
from .member import Member
from .report import ExportReport, raised
from .runner import RunnerStatus
from .toll import Toll
from .turn import Outcome, Refused

if TYPE_CHECKING:
    from .disk_order import Census

Answer = TypeVar("Answer")

_MAY_STAY_CLOSED = (
    "a listener or the storage of the given breaker, or the clock, raised; its circuit may stay closed"
)


class PermitHolder(Protocol):
    """Gets a permit under the lock, so that no interruption loses it."""

    permit: Permit | None
    deadline: float


class Accounts:
    """Joins circuit, ledger and announcer of one exporter.

    Args:
        name: The exporter's name.
        circuit: Decides which calls are made.
        announcer: Tells the log and the listeners.
        unit: The name of an item, in the plural.

    Attributes:
        ledger: The counts.
        lock: Guards circuit and counts.
        retains: True where what cannot be delivered is kept, which log lines say.
    """

    def __init__(self, name: str, circuit: AnyCircuit, announcer: Announcer, unit: str) -> None:
        self._name = name
        self._circuit = circuit
        self._announcer = announcer
        self._unit = unit
        self.ledger = Ledger(unit, in_outage=not circuit.is_closed)
        self._latest = 0.0
        self.retains = False
        self._said_broken = False
        self._said_stopped = False
        self.lock = self._new_lock()
        renew_lock_in_child(self)

    def forked(self) -> Accounts:
        """For a forked child: the parent's circuit, no counts (R5)."""
        child = Accounts(self._name, self._circuit.forked(), self._announcer.forked(), self._unit)
        child.retains = self.retains
        return child

    def join(self, member: Member) -> None:
        """Tell `member` of changes that others make: there are none, the circuit is this exporter's own."""

    def receive(self, batch: Batch, items: int) -> None:
        """A batch of so many items has come in."""
        with self.lock:
            self.ledger.receive(items)
            batch.owed = items

    def refusal(self) -> str | None:
        """The reason why the circuit would refuse a call now, or ``None``."""
        with self.lock:
            return self._circuit.refusal()

    def admit(self, holder: PermitHolder) -> None:
        """Give `holder` a permit for one call.

        Raises:
            Refused: There is none now.
        """
        with self.lock:
            if reason := self._circuit.refusal():
                raise Refused(reason)
            if time.monotonic() >= holder.deadline:  # the circuit of a given breaker may have taken its time
                raise Refused("no time left")
            holder.permit = self._circuit.admit()
            self.collect(self.now())

    def settle(
        self, permit: Permit, outcome: Outcome, report: ExportReport, account: Callable[[ExportReport], None]
    ) -> None:
        """Tell the circuit what came of the call of `permit`, and account for its batch in the same step.

        Args:
            permit: From :meth:`admit`.
            outcome: Of the call.
            report: What the outcome means.
            account: Called under the lock; says what becomes of the items, as :meth:`account` does.
        """
        with self.lock:
            if loss_of(report) is Loss.REJECTED:
                try:
                    broken = tell_circuit(self._circuit, permit, outcome, report)
                    self.collect(self.now())  # a rejected batch is not part of the outage that it ends
                finally:
                    account(report)
            else:
                account(report)
                broken = tell_circuit(self._circuit, permit, outcome, report)
            self.collect(self.now())
        if broken is not None:
            self._say_broken(_MAY_STAY_CLOSED, broken)

    def account(self, batch: Batch, report: ExportReport) -> None:
        """Account for a batch whose call has ended: exported, or failed."""
        with self.lock:
            items = batch.take()
            held = report.accepted_of(items)
            self.ledger.settle(held, items - held, report.reason, loss_of(report), self.now())

    def refuse(self, batch: Batch, reason: str) -> int:
        """Account for a batch of which no call was made.

        Returns:
            The number of its items.
        """
        with self.lock:
            items, now = batch.take(), self.now()
            self.collect(now)
            self.ledger.refuse(items, reason, now)
            self.collect(now)
        return items

    def fail(self, batch: Batch, reason: str, kind: Loss = Loss.FAILED) -> int:
        """Account for a batch whose call cannot be waited for, or could not be made.

        Returns:
            The number of its items.
        """
        with self.lock:
            items = batch.take()
            self.ledger.fail(items, reason, kind, self.now())
            self.collect(self.now())
        return items

    def take_over(self, batch: Batch, items: int) -> None:
        """So many items of a batch are in custody now; the others cannot be encoded."""
        with self.lock:
            left_out = batch.take() - items
            if left_out > 0:
                reason = f"{counted(left_out, self._unit)} cannot be encoded"
                self.ledger.fail(left_out, reason, Loss.UNSENT, self.now())
                self.collect(self.now())

    def give_back(self, permit: Permit) -> None:
        """Take back a permit whose call was not made: that says nothing about the backend."""
        self._circuit.land(permit)  # first: what follows may raise, or be thrown out of a wait for the lock
        try:
            with self.lock:
                self._circuit.cancel(permit)
                self.collect(self.now())
        except Exception as error:
            self._say_broken(_MAY_STAY_CLOSED, error)

    def breaker_raised(self, batch: Batch, error: Exception) -> None:
        """Account for a batch for which a given breaker, its storage or a clock raised; log that once."""
        self.fail(batch, raised(error))
        self.say_breaker_raised(error)

    def say_breaker_raised(self, error: Exception) -> None:
        """Log once that a given breaker, its storage or a clock raised."""
        self._say_broken("breaker or clock raised; exports fail", error)

    @property
    def outages(self) -> int:
        """Number of outages that have ended."""
        return self.ledger.outages

    @property
    def is_closed(self) -> bool:
        """True where the circuit was closed as last seen."""
        return self._circuit.is_closed

    def pause(self, asked: float | None) -> float:
        """Seconds to leave the backend alone for that asks for `asked`; for none: the cooldown."""
        return self._circuit.pause(asked)

    def probe_in(self) -> float | None:
        """Seconds until the circuit takes a probe; ``None`` where it is closed.

        0 where the storage of a given breaker, or the clock, raises: a call will show what is wrong.
        """
        with self.lock:
            return probe_in_of(self._circuit)

    @property
    def state(self) -> CircuitState:
        return self._read(lambda: state_of(self._circuit))

    def health(
        self,
        runner: RunnerStatus,
        retained_bytes: int = 0,
        oldest_at: float | None = None,
        census: Census | None = None,
    ) -> ExporterHealth:
        """A consistent snapshot."""
        return self._read(
            lambda: snapshot(
                self._name,
                self._circuit,
                self.ledger,
                runner,
                retained_bytes=retained_bytes,
                oldest_at=oldest_at,
                census=census,
            )
        )

    def announce(self) -> None:
        """Tell the log and the listeners what they have not been told yet."""
        self._announcer.announce()

    def stop(self) -> None:
        """Queue the line about all that this process has exported and lost, once (G2)."""
        with self.lock:
            said, self._said_stopped = self._said_stopped, True
            if not said:
                self._announcer.add_line(self.ledger.balance())

    def collect(self, now: float) -> None:
        """Hand transitions and lines to the announcer, under the lock, so that they stay in order."""
        for transition in self._circuit.transitions.take():
            self._announcer.add(transition, self._toll().alone, now)
            self._follow(transition.new)
        if line := self.ledger.due(now):
            self._announcer.add_line(line)

    def now(self) -> float:
        """The circuit's time. The error of a clock that raises is logged elsewhere."""
        try:
            self._latest = self._circuit.now
        except Exception:
            pass
        return self._latest

    def _read(self, question: Callable[[], Answer]) -> Answer:
        """Answer under the lock. To ask may be what shows that the circuit has changed."""
        with self.lock:
            answer = question()
            self.collect(self.now())
        self.announce()
        return answer

    def _say_broken(self, text: str, error: Exception) -> None:
        if not self._said_broken:
            self._said_broken = True
            say(logging.WARNING, "%s: %s", self._name, text, cause=error)

    def _follow(self, state: CircuitState) -> None:
        """Note what a change of the circuit means to the items that are lost from now on."""
        if state is CircuitState.OPEN:
            self.ledger.open()
        elif state is CircuitState.CLOSED:
            self.ledger.close()

    def _toll(self) -> Toll:
        """The items lost, dropped and kept in this outage so far."""
        ledger = self.ledger
        kept = ledger.kept if self.retains else None
        return Toll(self._unit, ledger.lost_in_outage, ledger.dropped_in_outage, kept)

    def _new_lock(self) -> threading.RLock:
        # The storage of a given breaker may switch greenlets: then a lock that knows them.
        if self._circuit.given:
            return register_state_lock(threading.RLock())
        return new_state_lock()
