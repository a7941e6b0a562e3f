"""An exporter's own circuit and the one that it shares with others, as if they were one.

A call needs the permission of both. Each learns from its outcome what is its business: the shared one whether
the backend can be reached, the own one what it answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, cast

from .._base.values import CircuitState
from .circuit import Circuit, Permit
from .member import Member
from .reachability import Reachability
from .report import Cause, ExportReport, Verdict
from .shared_circuit import SharedCircuit
from .transitions import Transitions
from .turn import Outcome, Overran

_WORSE = (CircuitState.CLOSED, CircuitState.HALF_OPEN, CircuitState.OPEN)
_NO_ANSWER = (Cause.UNREACHABLE, Cause.UNANSWERED)
_ANSWERS = (Cause.GATEWAY, Cause.BUSY, Cause.ANSWERED)
_LIVES = ExportReport(Verdict.DELIVERED)
_SAYS_NOTHING = ExportReport(Verdict.UNSENT)


@dataclass(frozen=True, slots=True)
class JointPermit(Permit):
    """Permission of both circuits; a probe where it is one to either."""

    own: Permit
    shared: Permit


class JointCircuit:
    """An :class:`AnyCircuit` of two.

    Args:
        own: The exporter's own.
        circuit: The one that it shares.

    Attributes:
        shared: This process's part of that.
        member: Returns the exporter, if it still lives.
    """

    given: ClassVar[bool] = False

    def __init__(self, own: Circuit, circuit: SharedCircuit) -> None:
        self._own = own
        self._circuit = circuit
        self.shared: Reachability = circuit._reachability
        self.member: Callable[[], Member | None] = lambda: None

    @property
    def opened(self) -> int:
        """Times that either opened."""
        return self._own.opened + self.shared.circuit.opened

    @property
    def transitions(self) -> Transitions:
        """Those of the own one: the shared one announces its own."""
        return self._own.transitions

    @property
    def now(self) -> float:
        return self._own.now

    @property
    def state(self) -> CircuitState:
        """The worse of both."""
        return self._governing.last_state

    last_state = state

    @property
    def is_closed(self) -> bool:
        return self._own.is_closed and self.shared.circuit.is_closed

    @property
    def consecutive_failures(self) -> int:
        return self._governing.consecutive_failures

    @property
    def cooldown(self) -> float:
        return self._governing.cooldown

    @property
    def retry_in(self) -> float | None:
        """Seconds until both let a probe through; ``None`` while both are closed."""
        return self._governing.retry_in

    def pause(self, asked: float | None) -> float:
        """See :meth:`Circuit.pause`: only who answers can ask."""
        return self._own.pause(asked)

    def refusal(self) -> str | None:
        return self.shared.refusal() or self._own.refusal()

    def admit(self) -> JointPermit:
        """A permit for one call, where :meth:`refusal` has no reason.

        Raises:
            Refused: Another exporter has taken that of the shared circuit meanwhile.
        """
        shared = self.shared.admit(self.member)
        try:
            own = self._own.admit()
        except BaseException:
            self.shared.cancel(shared)
            raise
        return JointPermit(own.generation, own.probe or shared.probe, own=own, shared=shared)

    def land(self, permit: Permit) -> None:
        own, shared = _both(permit)
        self.shared.circuit.land(shared)
        self._own.land(own)

    def cancel(self, permit: Permit) -> None:
        own, shared = _both(permit)
        try:
            self.shared.cancel(shared)
        finally:
            self._own.cancel(own)

    def tell(self, permit: Permit, outcome: Outcome, report: ExportReport) -> Exception | None:
        """Tell each what it is to learn; see :meth:`Circuit.tell`."""
        own, shared = _both(permit)
        told_own, told_shared = lessons_of(outcome, report)
        try:
            broken = self.shared.tell(shared, outcome, told_shared)
        finally:
            broken_too = self._own.tell(own, outcome, told_own)
        return broken or broken_too

    def forked(self) -> JointCircuit:
        return JointCircuit(self._own.forked(), self._circuit)

    @property
    def _governing(self) -> Circuit:
        """The one that an export has to wait for."""
        return max(self.shared.circuit, self._own, key=_weight)


def lessons_of(outcome: Outcome, report: ExportReport) -> tuple[ExportReport, ExportReport]:
    """What an outcome says to an exporter's own circuit, and what to the one that it shares."""
    is_failure = report.verdict in (Verdict.FAILED, Verdict.MISCONFIGURED)
    if isinstance(outcome, Overran) or (is_failure and report.cause in _NO_ANSWER):
        return _SAYS_NOTHING, report
    if report.verdict in (Verdict.DELIVERED, Verdict.REJECTED) or report.cause in _ANSWERS:
        return report, _LIVES
    return report, _SAYS_NOTHING


def _weight(circuit: Circuit) -> tuple[int, float, int]:
    try:
        left = circuit.retry_in or 0.0
    except Exception:  # a clock that raises
        left = 0.0
    return _WORSE.index(circuit.last_state), left, circuit.consecutive_failures


def _both(permit: Permit) -> tuple[Permit, Permit]:
    joint = cast(JointPermit, permit)
    return joint.own, joint.shared
