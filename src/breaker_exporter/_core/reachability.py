"""One process's part of a shared circuit: the circuit itself, under a lock of its own, and who hears of it.

Exporters call it under the locks of their own accounts; under its lock it calls nobody. What it has to say is
said outside of both, by the caller who changed it.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from .._base.values import CircuitState
from .._concurrency.fork import renew_lock_in_child
from .._concurrency.state_lock import holds_state_lock, new_state_lock
from .announcer import Announcer, Listener
from .circuit import Circuit, Permit
from .member import Member
from .report import ExportReport
from .toll import Toll
from .turn import Outcome, Refused

Answer = TypeVar("Answer")


class Account(Protocol):
    """The part of an exporter's accounts that a shared circuit speaks of."""

    @property
    def destination(self) -> str:
        """The address that the exporter sends to; empty where it does not say."""
        ...

    @property
    def listeners(self) -> Sequence[Listener]:
        """Those of the exporter."""
        ...

    def toll(self) -> Toll:
        """The items lost, dropped and kept in this outage, or in the last one where none lasts."""
        ...


class Reachability:
    """A circuit that several exporters share in one process. A forked child makes its own.

    Args:
        name: Of the shared circuit.
        circuit: Of one's own settings: nobody else changes it.
        outage_began: Time on the circuit's clock at which it opened, where it is open already.

    Attributes:
        circuit: To be read by those who hold the lock, or who do not mind that it changes meanwhile.
    """

    def __init__(self, name: str, circuit: Circuit, outage_began: float | None = None) -> None:
        self._name = name
        self.circuit = circuit
        self._announcer = Announcer(self._name_and_destination, self._listeners, outage_began)
        # Weak: what an application drops is not kept alive by the circuit that it shared.
        self._members: weakref.WeakKeyDictionary[Member, Account] = weakref.WeakKeyDictionary()
        self._probe: tuple[Permit, Callable[[], Member | None]] | None = None
        self._has_changed = False
        self._latest = 0.0
        self._pid = os.getpid()
        self.lock = self._new_lock()
        renew_lock_in_child(self)

    def forked(self) -> Reachability:
        """For a forked child: the same state, no probe out, and no exporter yet (R5)."""
        return Reachability(self._name, self.circuit.forked(), self._announcer.outage_began)

    @property
    def members(self) -> int:
        """Number of exporters that share it in this process."""
        return len(self._members)

    def join(self, member: Member, account: Account) -> None:
        """Tell one more exporter of each change, for as long as it lives."""
        with self.lock:
            self._members[member] = account

    def held(self, question: Callable[[], Answer]) -> Answer:
        """The answer to a question during which nothing changes."""
        with self.lock:
            return question()

    def refusal(self) -> str | None:
        """The reason why a call would be refused now; ``None`` where one may ask for a permit."""
        if self.circuit.is_closed:
            return None
        with self.lock:
            reason = self.circuit.refusal()
        return reason and f"{self._name}: {reason}"

    def admit(self, prober: Callable[[], Member | None]) -> Permit:
        """A permit for one call.

        Args:
            prober: Returns the exporter that makes the call, if it still lives.

        Raises:
            Refused: There is none now: another exporter may have been faster.
        """
        with self.lock:
            if reason := self.refusal():
                raise Refused(reason)
            try:
                permit = self.circuit.admit()
                if permit.probe:
                    self._probe = permit, prober
            finally:
                self._collect()
        return permit

    def cancel(self, permit: Permit) -> None:
        """Take back a permit whose call says nothing about whether the backend can be reached."""
        with self.lock:
            try:
                self.circuit.cancel(permit)
            finally:
                self._collect()

    def tell(self, permit: Permit, outcome: Outcome, report: ExportReport) -> Exception | None:
        """Learn what came of the call of `permit`; see :meth:`Circuit.tell`."""
        with self.lock:
            try:
                return self.circuit.tell(permit, outcome, report)
            finally:
                self._collect()

    def settle_probe(self) -> None:
        """Settle the probe if it is over, and its caller has left without another caller behind it.

        The exporters that are refused for as long as it is out need not be those that would settle it.
        """
        probe = self._probe
        if probe is None or self.circuit.last_state is not CircuitState.HALF_OPEN or self._must_not_wait():
            return
        permit, prober = probe
        if (member := prober()) is not None:
            member.settle_late()
        else:  # it is gone, and nobody will ever know the outcome
            self.cancel(permit)

    def announce(self) -> None:
        """Tell the exporters, the log and the listeners what they have not been told yet."""
        if not (self._has_changed or self._announcer.is_pending) or self._must_not_wait():
            return
        with self.lock:
            has_changed, self._has_changed = self._has_changed, False
            members = list(self._members)
        if has_changed:
            for member in members:
                member.look_again()
        self._announcer.announce()

    def _collect(self) -> None:
        for transition in self.circuit.transitions.take():
            self._announcer.add(transition, self._tolls, self._now())
            self._has_changed |= transition.new is not CircuitState.HALF_OPEN

    def _now(self) -> float:
        """The circuit's time. The error of a clock that raises is logged elsewhere."""
        try:
            self._latest = self.circuit.now
        except Exception:
            pass
        return self._latest

    def _accounts(self) -> list[Account]:
        with self.lock:
            return list(self._members.values())

    def _tolls(self) -> Sequence[Toll]:
        return [account.toll() for account in self._accounts()]

    def _listeners(self) -> Sequence[Listener]:
        """Those of all exporters; one that was given to several is called once."""
        listeners: list[Listener] = []
        for account in self._accounts():
            listeners += (listener for listener in account.listeners if listener not in listeners)
        return listeners

    def _name_and_destination(self) -> str:
        places = dict.fromkeys(place for account in self._accounts() if (place := account.destination))
        return f"{self._name} ({', '.join(places)})" if places else self._name

    def _must_not_wait(self) -> bool:
        """True in a copy of a parent's caller in its child, and in what has interrupted our own code."""
        return os.getpid() != self._pid or holds_state_lock()

    def _new_lock(self) -> threading.RLock:
        return new_state_lock()
