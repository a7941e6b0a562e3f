"""Decides which calls are made: one probe at a time, and no outcome of an older generation counts.

No lock and no I/O of its own: the owner of a :class:`Circuit` guards each method with one lock, and announces
its transitions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from .._base.values import PROBE_CANCELLED, CircuitState
from .cooldown import OpenPeriod
from .report import ExportReport, Verdict
from .state_machine import ExportFailed, StateMachine
from .transitions import Transitions
from .turn import Outcome, Overran, Raised


@dataclass(frozen=True, slots=True)
class Permit:
    """Permission to make one call, valid for the generation in which it was given (C9)."""

    generation: int
    probe: bool


class Circuit:
    """Admits calls and learns from their outcomes.

    Args:
        name: Goes into every transition.
        machine: Closed, open or half-open.
        period: Until the next probe.
        clock: Monotonic seconds.
        seen: The state, where the machine must not be asked: its storage may raise.

    Attributes:
        given: True where the breaker is the user's, who may change it meanwhile.
        opened: Times a failure opened the circuit, a failed probe included.
        transitions: Those that nobody has been told of yet.
    """

    given: ClassVar[bool] = False

    def __init__(
        self,
        name: str,
        machine: StateMachine,
        period: OpenPeriod,
        clock: Callable[[], float],
        *,
        seen: CircuitState | None = None,
    ) -> None:
        self._name = name
        self._machine = machine
        self._period = period
        self._clock = clock
        self.opened = 0
        self._generation = 0
        self._probe_out = False
        self._seen = seen or machine.state
        self.transitions = Transitions(name)

    @property
    def now(self) -> float:
        """Seconds, by the clock that the cooldown runs on."""
        return self._clock()

    @property
    def state(self) -> CircuitState:
        self._notice()
        return self._seen

    @property
    def consecutive_failures(self) -> int:
        return self._machine.failures

    @property
    def cooldown(self) -> float:
        """Seconds, before jitter; longer where the backend has asked for it."""
        return self._period.cooldown

    def pause(self, asked: float | None) -> float:
        """Seconds to leave the backend alone for that asks for `asked`; for none: the cooldown."""
        return self._period.pause(asked)

    @property
    def retry_in(self) -> float | None:
        """Seconds until a probe may run; ``None`` while closed."""
        state = self.state
        if state is CircuitState.CLOSED:
            return None
        return 0.0 if state is CircuitState.HALF_OPEN else self._period.left

    @property
    def last_state(self) -> CircuitState:
        """As last seen: no clock and no storage is asked."""
        return self._seen

    @property
    def is_closed(self) -> bool:
        """As last seen: no clock and no storage is asked."""
        return self._seen is CircuitState.CLOSED

    def refusal(self) -> str | None:
        """The reason why a call would be refused now; ``None`` where one may ask for a permit."""
        if self._seen is CircuitState.CLOSED and not self.given:
            return None
        retry_in = self.retry_in
        if self._probe_out:
            return "circuit half-open, its probe is out"
        if retry_in:
            return f"circuit open, next probe in {retry_in:.3g} s"
        return None

    def admit(self) -> Permit:
        """A permit for one call, where :meth:`refusal` has no reason. In an open circuit it is the probe."""
        if self._seen is CircuitState.CLOSED:
            return Permit(self._generation, probe=False)
        if self._seen is CircuitState.OPEN:
            self._machine.half_open()
            self._move(CircuitState.HALF_OPEN, "cooldown over, probing")
        permit = Permit(self._generation, probe=True)
        self._probe_out = True
        return permit

    def land(self, permit: Permit) -> None:
        """The call of `permit` is over: another probe may run, whatever else raises.

        Neither asks the storage of a given breaker nor needs the lock.
        """
        if permit.generation == self._generation:
            self._probe_out = False

    def cancel(self, permit: Permit) -> None:
        """Take back a permit whose call sent nothing: that says nothing about the backend."""
        self.land(permit)
        if permit.probe and permit.generation == self._generation:
            self._machine.open()
            self._move(CircuitState.OPEN, PROBE_CANCELLED)
            self._period.end()

    def tell(self, permit: Permit, outcome: Outcome, report: ExportReport) -> Exception | None:
        """Learn what came of the call of `permit`.

        Returns:
            The error that a listener or the storage of a given breaker raised.
        """
        if report.verdict in (Verdict.DELIVERED, Verdict.REJECTED):
            return self.succeeded(permit)
        if report.verdict is Verdict.UNSENT:
            self.cancel(permit)
            return None
        return self.failed(
            permit,
            report.reason,
            outcome.error if isinstance(outcome, Raised) else None,
            at_once=isinstance(outcome, Overran) or report.verdict is Verdict.MISCONFIGURED,
            retry_after=report.retry_after,
        )

    def succeeded(self, permit: Permit) -> Exception | None:
        """The call of `permit` succeeded.

        Returns:
            The error that a listener or the storage of a given breaker raised.
        """
        return self._settle(permit, None, "probe succeeded", at_once=False)

    def failed(
        self,
        permit: Permit,
        reason: str,
        error: BaseException | None,
        *,
        at_once: bool,
        retry_after: float | None = None,
    ) -> Exception | None:
        """The call of `permit` failed.

        Args:
            permit: From :meth:`admit`.
            reason: For log lines, listeners and health.
            error: What it raised, if anything.
            at_once: True opens the circuit however few the failures are, as an overrun does (C2).
            retry_after: Seconds for which the backend wants to be left alone.

        Returns:
            As :meth:`succeeded`.
        """
        self.land(permit)
        if retry_after and permit.generation == self._generation:
            self._period.lengthen(retry_after)
        return self._settle(permit, error or ExportFailed(reason), reason, at_once=at_once)

    def forked(self) -> Circuit:
        """The same circuit for a forked child, no probe out (R5)."""
        period = self._period.copied()
        if self._seen is CircuitState.HALF_OPEN:
            period.end()
        return Circuit(self._name, self._machine.copied(), period, self._clock)

    def _settle(
        self, permit: Permit, error: BaseException | None, reason: str, *, at_once: bool
    ) -> Exception | None:
        self.land(permit)
        self._notice()
        if permit.generation != self._generation:
            return None
        if error is None:
            self._period.take_back()
        broken = self._machine.replay(error)
        if at_once and self._machine.state is not CircuitState.OPEN:
            self._machine.open()
        new = self._machine.state
        if new is CircuitState.OPEN:
            self.opened += 1
            if permit.probe:
                self._period.grow()
        self._move(new, reason)
        return broken

    def _notice(self) -> None:
        """Look for changes that others made to the breaker. Nobody else changes one of our own."""

    def _move(self, new: CircuitState, reason: str) -> None:
        old = self._seen
        if new is old:
            return
        now = self._clock()  # before anything is changed: it may raise
        self._seen = new
        self._generation += 1
        if new is CircuitState.OPEN:
            self._period.begin(now)
        elif new is CircuitState.CLOSED:
            self._period.reset()
        self.transitions.add(old, new, reason, self.cooldown, self._counted())

    def _counted(self) -> int:
        """Failures in a row; 0 where the storage of a given breaker cannot say."""
        try:
            return self._machine.failures
        except Exception:
            return 0
