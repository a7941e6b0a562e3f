"""Decides which calls are made: pybreaker as the state machine, one probe at a time, a growing cooldown.

No lock and no I/O of its own: the owner of a :class:`Circuit` guards each method with one lock and announces
the transitions it hands out. pybreaker never sees the guarded call: its ``call()`` holds a lock for as long
as that runs, so a call is admitted first, runs outside, and its outcome is replayed here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import pybreaker

from .._base.values import PROBE_CANCELLED, CircuitState, CircuitTransition
from .cooldown import Cooldown, GrowingCooldown

STATES = {
    pybreaker.STATE_CLOSED: CircuitState.CLOSED,
    pybreaker.STATE_OPEN: CircuitState.OPEN,
    pybreaker.STATE_HALF_OPEN: CircuitState.HALF_OPEN,
}


class ExportFailed(Exception):
    """Stands for a failed export that raised nothing, where an outcome is replayed to pybreaker."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Permission to make one call, valid for the generation in which it was given (C9)."""

    generation: int
    probe: bool


class Circuit:
    """Admits calls and learns from their outcomes.

    Args:
        name: Goes into every transition.
        breaker: The state machine.
        cooldown: How long it stays open.
        clock: Monotonic seconds.
        seen: The state, where the breaker must not be asked: its storage may raise.

    Attributes:
        given: True where the breaker is the user's, who may change it meanwhile.
        opened: Times a failure opened the circuit, a failed probe included.
    """

    given: ClassVar[bool] = False

    def __init__(
        self,
        name: str,
        breaker: pybreaker.CircuitBreaker,
        cooldown: Cooldown,
        clock: Callable[[], float],
        *,
        seen: CircuitState | None = None,
    ) -> None:
        self._name = name
        self._breaker = breaker
        self._cooldown = cooldown
        self._clock = clock
        self.opened = 0
        self._generation = 0
        self._probe_out = False
        self._seen = seen or STATES[breaker.current_state]
        self._opened_at = clock()
        self._wait = cooldown.draw() if self._seen is CircuitState.OPEN else 0.0
        self._hold_until = -math.inf
        self._held = 0.0
        self._transitions: list[CircuitTransition] = []
        self._listener_error: BaseException | None = None

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
        return self._breaker.fail_counter

    @property
    def cooldown(self) -> float:
        """Seconds, before jitter; longer where the backend has asked for it."""
        return max(self._cooldown.seconds, self._held)

    @property
    def retry_in(self) -> float | None:
        """Seconds until a probe may run; ``None`` while closed."""
        if self.state is CircuitState.CLOSED:
            return None
        if self._seen is CircuitState.HALF_OPEN:
            return 0.0
        elapsed = self._clock() - self._opened_at
        # A clock that was set back must not lengthen the cooldown.
        return max(0.0, self._wait - max(0.0, elapsed))

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
        """A permit for one call, where :meth:`refusal` has none. In an open circuit it is the probe."""
        if self._seen is CircuitState.CLOSED:
            return Permit(self._generation, probe=False)
        if self._seen is CircuitState.OPEN:
            self._breaker.half_open()
            self._move(CircuitState.HALF_OPEN, "cooldown over, probing")
        self._probe_out = True
        return Permit(self._generation, probe=True)

    def land(self, permit: Permit) -> None:
        """The call of `permit` is over: another probe may run, whatever else raises.

        Neither asks the storage of a given breaker nor needs the lock.
        """
        if permit.generation == self._generation:
            self._probe_out = False

    def cancel(self, permit: Permit) -> None:
        """Take back a permit whose call was not made, or sent nothing: that says nothing of the backend."""
        self.land(permit)
        if permit.probe and permit.generation == self._generation:
            self._breaker.open()
            self._move(CircuitState.OPEN, PROBE_CANCELLED)
            self._wait = 0.0

    def succeeded(self, permit: Permit) -> None:
        """The call of `permit` succeeded."""
        self._settle(permit, None, "probe succeeded", at_once=False)

    def failed(
        self,
        permit: Permit,
        reason: str,
        error: BaseException | None,
        *,
        at_once: bool,
        retry_after: float | None = None,
    ) -> None:
        """The call of `permit` failed.

        Args:
            permit: From :meth:`admit`.
            reason: For log lines, listeners and health.
            error: What it raised, if anything.
            at_once: True opens the circuit however few the failures are, as an overrun does (C2).
            retry_after: Seconds for which the backend wants to be left alone.
        """
        self.land(permit)
        if retry_after and permit.generation == self._generation:
            held = min(retry_after, self._cooldown.longest)
            self._hold_until = max(self._hold_until, self._clock() + held)
        self._settle(permit, error or ExportFailed(reason), reason, at_once=at_once)

    @property
    def last_state(self) -> CircuitState:
        """As last seen: no clock and no storage is asked."""
        return self._seen

    @property
    def is_closed(self) -> bool:
        """As last seen: no clock and no storage is asked."""
        return self._seen is CircuitState.CLOSED

    def take_transitions(self) -> list[CircuitTransition]:
        """The transitions since the last call of this, oldest first."""
        if not self._transitions:
            return []
        taken, self._transitions = self._transitions, []
        return taken

    def take_listener_error(self) -> BaseException | None:
        """The error that a listener or the storage of a given breaker raised since the last call of this."""
        taken, self._listener_error = self._listener_error, None
        return taken

    def forked(self) -> Circuit:
        """The same circuit for a forked child: a breaker whose lock nobody holds, no probe out (R5)."""
        probing = self._seen is CircuitState.HALF_OPEN
        storage = pybreaker.CircuitMemoryStorage(
            pybreaker.STATE_OPEN if probing else self._breaker.current_state
        )
        for _ in range(self._breaker.fail_counter):
            storage.increment_counter()
        breaker = pybreaker.CircuitBreaker(
            self._breaker.fail_max, self._breaker.reset_timeout, state_storage=storage
        )
        child = Circuit(self._name, breaker, self._cooldown, self._clock)
        child._opened_at = self._opened_at
        child._wait = 0.0 if probing else self._wait
        child._hold_until, child._held = self._hold_until, self._held
        return child

    def _settle(self, permit: Permit, error: BaseException | None, reason: str, *, at_once: bool) -> None:
        self.land(permit)
        self._notice()
        if permit.generation != self._generation:
            return
        if error is None:
            self._hold_until = -math.inf
        self._replay(error)
        if at_once and self._breaker.current_state != pybreaker.STATE_OPEN:
            self._breaker.open()
        new = STATES[self._breaker.current_state]
        if new is CircuitState.OPEN:
            self.opened += 1
            if permit.probe:
                self._cooldown.grow()
        self._move(new, reason)

    def _replay(self, error: BaseException | None) -> None:
        def outcome() -> None:
            if error is not None:
                raise error

        origin = None if error is None else error.__traceback__
        try:
            self._breaker.call(outcome)
        except pybreaker.CircuitBreakerError:
            pass
        except BaseException as raised:
            if raised is error:
                return
            if not isinstance(raised, Exception):
                raise  # a Ctrl-C, say
            self._listener_error = raised
        finally:
            if error is not None:
                error.__traceback__ = origin  # else it holds this frame, and that all that called it

    def _notice(self) -> None:
        """See what others did to the breaker. One of our own is changed by nobody else."""

    def _move(self, new: CircuitState, reason: str) -> None:
        old = self._seen
        if new is old:
            return
        now = self._clock()  # before anything is changed: it may raise
        self._seen = new
        self._generation += 1
        if new is CircuitState.OPEN:
            self._opened_at = now
            # A clock that was set back must not lengthen what the backend asked for.
            self._held = min(max(0.0, self._hold_until - self._opened_at), self._cooldown.longest)
            self._wait = max(self._cooldown.draw(), self._held)
        elif new is CircuitState.CLOSED:
            self._cooldown.reset()
            self._held = 0.0
        self._transitions.append(
            CircuitTransition(
                name=self._name,
                old=old,
                new=new,
                at=time.time(),
                reason=reason,
                cooldown=self.cooldown,
                consecutive_failures=self._counted(),
            )
        )

    def _counted(self) -> int:
        """Failures in a row; 0 where the storage of a given breaker cannot say."""
        try:
            return self._breaker.fail_counter
        except Exception:
            return 0


def own_circuit(
    name: str,
    *,
    failure_threshold: int,
    cooldown: float,
    max_cooldown: float,
    jitter: float,
    clock: Callable[[], float],
) -> Circuit:
    """A circuit with a breaker of its own."""
    breaker = pybreaker.CircuitBreaker(failure_threshold, cooldown)
    return Circuit(name, breaker, GrowingCooldown(cooldown, max_cooldown, jitter), clock)
