"""The accounts of an exporter that shares a circuit: others may open and close it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence

from .._base.values import CircuitState
from .accounts import Accounts, Answer
from .announcer import Announcer, Listener
from .joint_circuit import JointCircuit
from .member import Member
from .toll import Toll


class JointAccounts(Accounts):
    """Accounts whose outages are those of either circuit.

    Args:
        name: The exporter's name.
        circuit: The exporter's own circuit, and the one that it shares.
        announcer: Tells the log and the listeners of the own circuit.
        unit: The name of an item, in the plural.
        destination: Returns the address that the exporter sends to; empty where it does not say.
    """

    def __init__(
        self,
        name: str,
        circuit: JointCircuit,
        announcer: Announcer,
        unit: str,
        destination: Callable[[], str],
    ) -> None:
        super().__init__(name, circuit, announcer, unit)
        self._joint = circuit
        self._shared = circuit.shared
        self._destination = destination
        self._latest_toll = self._toll()

    def forked(self) -> JointAccounts:
        child = JointAccounts(
            self._name, self._joint.forked(), self._announcer.forked(), self._unit, self._destination
        )
        child.retains = self.retains
        return child

    def join(self, member: Member) -> None:
        """Tell `member` of changes that others make."""
        self._joint.member = weakref.ref(member)
        self._shared.join(member, self)

    @property
    def destination(self) -> str:
        return self._destination()

    @property
    def listeners(self) -> Sequence[Listener]:
        return self._announcer.listeners()

    def toll(self) -> Toll:
        with self.lock:
            self.collect(self.now())
            return self._toll() if self.ledger.in_outage else self._latest_toll

    def refusal(self) -> str | None:
        self._shared.settle_probe()
        return super().refusal()

    def announce(self) -> None:
        self._shared.announce()
        super().announce()

    def _read(self, question: Callable[[], Answer]) -> Answer:
        self._shared.settle_probe()
        return super()._read(lambda: self._shared.held(question))

    def collect(self, now: float) -> None:
        super().collect(now)
        is_closed = self._joint.is_closed
        if is_closed is self.ledger.in_outage:
            self._latest_toll = self._toll()
            super()._follow(CircuitState.CLOSED if is_closed else CircuitState.OPEN)

    def _follow(self, state: CircuitState) -> None:
        """Nothing: an outage lasts until both circuits are closed."""
