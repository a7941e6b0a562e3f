"""The way of a batch in one process: admit, run, settle, account.

Items are counted and a call is made; what the items are and what the call does, the guard does not know.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar, cast

from .._base.log import counted, say
from .._base.redaction import message
from .._base.values import CircuitState, ExporterHealth
from .._concurrency import hub
from .._concurrency.fork import renew_lock_in_child
from .._concurrency.memory import let_go
from .._concurrency.state_lock import new_state_lock, register_state_lock
from .._concurrency.thrown import Thrown
from . import deadline_clock as time
from .announcer import Announcer
from .circuit import Circuit, Permit
from .ledger import Ledger, Loss
from .report import ExportReport, Verdict, raised
from .runner import Runner
from .turn import (
    CannotStart,
    CutShort,
    Outcome,
    Overran,
    Raised,
    Refused,
    Returned,
    Turn,
    Unfinished,
)

Value = TypeVar("Value")

_LOSSES = {
    Verdict.DELIVERED: Loss.REJECTED,
    Verdict.REJECTED: Loss.REJECTED,
    Verdict.UNSENT: Loss.UNSENT,
    Verdict.FAILED: Loss.FAILED,
    Verdict.MISCONFIGURED: Loss.FAILED,
}
_LONGEST_REASON = 280
"""Characters: a message of the backend, and ours around it. Classes have been seen with names of a page."""
_MANY_ITEMS = 32
"""Items; a batch this large comes from a batch processor. A caller that exports one by one wants to go on."""
_LAST_LINE_WITHIN = 0.2
"""Seconds that a shutdown waits for its last line to be written."""


class Guard:
    """Joins circuit, runner and ledger for one wrapped exporter in one process. A forked child makes its own.

    Args:
        name: The exporter's name.
        export_timeout: Seconds that one export may take.
        circuit: Decides which calls are made.
        announcer: Tells the log and the listeners.
        runner: Where calls run.
        unit: What is counted, in the plural.
    """

    def __init__(
        self,
        name: str,
        export_timeout: float,
        circuit: Circuit,
        announcer: Announcer,
        runner: Runner,
        unit: str,
    ) -> None:
        self._name = name
        self._export_timeout = export_timeout
        self._circuit = circuit
        self._announcer = announcer
        self._runner = runner
        self._unit = unit
        self._ledger = Ledger(unit, in_outage=not circuit.is_closed)
        self._latest = 0.0
        self._said_stopped = False
        self._lock = self._new_lock()
        renew_lock_in_child(self)
        self._said_blocked = False
        self._said_broken = False

    def forked(self) -> Guard:
        """For a forked child: the parent's circuit and its shutdown, nothing else of it (R5)."""
        return Guard(
            self._name,
            self._export_timeout,
            self._circuit.forked(),
            self._announcer.forked(),
            self._runner.forked(),
            self._unit,
        )

    @property
    def state(self) -> CircuitState:
        return self._read(lambda: _or(lambda: self._circuit.state, self._circuit.last_state))

    def health(self) -> ExporterHealth:
        return self._read(self._health)

    def export(self, items: int, call: Callable[[], ExportReport]) -> bool:
        """Make `call` for a batch of so many items, if the circuit lets it through.

        Returns:
            True where the batch was delivered.
        """
        batch = _Batch(time.monotonic() + self._export_timeout)
        succeeded = False
        try:
            self._runner.settle_orphan()
            with self._lock:
                self._ledger.receive(items)
                batch.owed = items
                refusal = self._refusal()
            if refusal is None:
                batch.waited = True
                succeeded = self._attempt(batch, call)
            else:
                self._refuse(batch, refusal)
        except Refused as refused:
            self._refuse(batch, str(refused))
        except CannotStart as reason:
            self._fail(batch, f"no thread can be started: {reason}")
            say(
                logging.WARNING,
                "%s: %s not exported: no thread can be started: %s",
                self._name,
                counted(items, self._unit),
                reason,
            )
        except Thrown as thrown:
            raise thrown.error from None
        except Exception as error:
            # A given breaker, its storage, or a clock: nothing of that may reach the caller.
            self._fail(batch, raised(error))
            if not self._said_broken:
                self._said_broken = True
                say(logging.WARNING, "%s: breaker or clock raised; exports fail", self._name, cause=error)
        finally:
            if batch.owed:
                self._fail(batch, "the caller was cancelled")
            self._announcer.announce()
        if not batch.waited and items >= _MANY_ITEMS:
            # A processor throws its whole queue away in one go: thousands of spans, milliseconds.
            hub.yield_to_hub()
        return succeeded

    def flush(self, call: Callable[[], object], timeout: float) -> bool:
        """Make `call` in turn, within `timeout` seconds.

        Returns:
            True where it came back in time, and returned nothing or something true.
        """
        deadline = time.monotonic() + timeout
        turn = Turn()
        try:
            try:
                self._runner.take(turn, deadline, lambda: self._runner.blocked_reason)
                hang_at = max(deadline, time.monotonic() + self._export_timeout)
                outcome = self._runner.run(turn, call, deadline=deadline, hang_at=hang_at)
            finally:
                self._runner.release(turn)
        except (Refused, CannotStart) as reason:
            say(logging.DEBUG, "%s: not flushed: %s", self._name, reason)
            return False
        except Thrown as thrown:
            raise thrown.error from None
        return isinstance(outcome, Returned) and (outcome.value is None or bool(outcome.value))

    def begin_shutdown(self, timeout: float) -> None:
        """Allow `timeout` seconds from now for everything that is still to come."""
        self._runner.begin_shutdown(timeout)

    def shutdown(self, call: Callable[[float], object], timeout: float) -> None:
        """End admission; give `call` the seconds that are left of `timeout` by then."""
        deadline = time.monotonic() + timeout
        try:
            outcome = self._runner.shutdown(call, deadline)
        except CannotStart as reason:
            say(logging.WARNING, "%s: wrapped exporter not shut down: no thread: %s", self._name, reason)
        except Refused as reason:  # a child that was forked while this waited
            say(logging.DEBUG, "%s: not shut down: %s", self._name, reason)
        except Thrown as thrown:
            raise thrown.error from None
        else:
            if isinstance(outcome, Raised):
                say(
                    logging.WARNING,
                    "%s: shutdown of the wrapped exporter %s",
                    self._name,
                    raised(outcome.error),
                )
            elif outcome is None:
                say(logging.DEBUG, "%s: wrapped exporter still shutting down after its time", self._name)
        finally:
            self.say_stopped()

    def say_stopped(self) -> None:
        """Say once what this process has exported and lost, when nothing more is to come (G2).

        Under gevent a logging handler that never gets rid of the line is not waited for.
        """
        with self._lock:
            said, self._said_stopped = self._said_stopped, True
            if not said:
                self._announcer.add_line(self._ledger.balance())
        try:
            hub.run_beside(self._announcer.announce)(_LAST_LINE_WITHIN)
        except Thrown as thrown:
            raise thrown.error from None

    def _new_lock(self) -> threading.RLock:
        # The storage of a given breaker may switch greenlets: then a lock that knows them.
        if self._circuit.given:
            return register_state_lock(threading.RLock())
        return new_state_lock()

    def _read(self, read: Callable[[], Value]) -> Value:
        """Call `read` under the lock, after an orphaned call that has ended is settled."""
        self._runner.settle_orphan()
        with self._lock:
            value = read()
            self._collect()
        self._announcer.announce()
        return value

    def _health(self) -> ExporterHealth:
        circuit, ledger = self._circuit, self._ledger
        probe_in = None if circuit.is_closed else 0.0
        return ExporterHealth(
            name=self._name,
            state=_or(lambda: circuit.state, circuit.last_state),
            consecutive_failures=_or(lambda: circuit.consecutive_failures, 0),
            cooldown=circuit.cooldown,
            retry_in=_or(lambda: circuit.retry_in, probe_in),
            received=ledger.received,
            exported=ledger.exported,
            failed=ledger.failed,
            refused=ledger.refused,
            in_flight=ledger.in_flight,
            hung_calls=self._runner.hung_calls,
            opened=circuit.opened,
            blocked_reason=None if _or(circuit.refusal, None) else self._runner.blocked_reason,
            last_error=ledger.last_error,
            last_success_at=ledger.last_success_at,
            last_failure_at=ledger.last_failure_at,
        )

    def _attempt(self, batch: _Batch, call: Callable[[], ExportReport]) -> bool:
        turn = Turn()
        permit: Permit | None = None
        settled = False
        try:
            self._runner.take(turn, batch.deadline, self._refusal)
            with self._lock:
                if refusal := self._refusal():
                    raise Refused(refusal)
                now = time.monotonic()
                if now >= batch.deadline:
                    raise Refused("no time left")
                permit = self._circuit.admit()
                self._collect()
            if permit.probe:
                self._runner.recheck()
            self._said_blocked = False
            given = permit
            turn.orphaned = lambda outcome: self._settle(_Batch(0.0), given, outcome)
            # A call that starts late has its own time all the same before it counts as hung.
            is_late = turn.queued or batch.deadline - now < 0.9 * self._export_timeout
            hang_at = now + self._export_timeout if is_late else batch.deadline
            outcome = self._runner.run(turn, call, deadline=batch.deadline, hang_at=hang_at)
            if isinstance(outcome, Unfinished):
                self._fail(batch, "its time ended before the call did")
                return False
            succeeded = self._settle(batch, permit, outcome)
            settled = True
            return succeeded
        finally:
            try:
                if permit is not None and not settled and not turn.is_orphan:
                    self._give_back(permit)
            finally:
                self._runner.release(turn)

    def _give_back(self, permit: Permit) -> None:
        self._circuit.land(permit)  # first: what follows may raise, or be thrown out of a wait for the lock
        try:
            with self._lock:
                self._circuit.cancel(permit)
                self._collect()
        except Exception as error:
            self._say_broken(error)

    def _settle(self, batch: _Batch, permit: Permit, outcome: Outcome) -> bool:
        report = self._report(outcome)
        kind = _LOSSES[report.verdict]
        with self._lock:
            items, batch.owed = batch.owed, 0
            held = report.accepted_of(items)
            if kind is Loss.REJECTED:
                try:
                    error = self._tell_circuit(permit, outcome, report)
                    moved = self._collect()  # what is rejected is not of the outage that it ends
                finally:
                    self._ledger.settle(held, items - held, report.reason, kind, self._now())
                self._collect()
            else:
                self._ledger.settle(held, items - held, report.reason, kind, self._now())
                error = self._tell_circuit(permit, outcome, report)
                moved = self._collect()
        if isinstance(outcome, Raised):
            let_go(outcome.error)
        if moved:
            self._runner.recheck()
        if error is not None:
            self._say_broken(error)
        return report.verdict is Verdict.DELIVERED

    def _tell_circuit(self, permit: Permit, outcome: Outcome, report: ExportReport) -> BaseException | None:
        """Tell the circuit the outcome of the call of `permit`.

        Returns:
            The error that a given breaker, its storage, its listeners or the clock raised. The items are
            accounted for all the same.
        """
        try:
            if report.verdict in (Verdict.DELIVERED, Verdict.REJECTED):
                self._circuit.succeeded(permit)
            elif report.verdict is Verdict.UNSENT:
                self._circuit.cancel(permit)
            else:
                self._circuit.failed(
                    permit,
                    report.reason,
                    outcome.error if isinstance(outcome, Raised) else None,
                    at_once=isinstance(outcome, Overran) or report.verdict is Verdict.MISCONFIGURED,
                    retry_after=report.retry_after,
                )
        except Exception as error:
            return error
        return self._circuit.take_listener_error()

    def _say_broken(self, error: BaseException) -> None:
        if not self._said_broken:
            self._said_broken = True
            say(
                logging.WARNING,
                "%s: a listener or the storage of the given breaker, or the clock, raised; "
                "its circuit may stay closed",
                self._name,
                cause=error,
            )

    def _report(self, outcome: Outcome) -> ExportReport:
        if isinstance(outcome, Returned):
            report = cast(ExportReport, outcome.value)
            return (
                replace(report, reason=message(report.reason, longest=_LONGEST_REASON))
                if report.reason
                else report
            )
        if isinstance(outcome, Raised):
            error = outcome.error
            reason = str(error) if isinstance(error, CannotStart | CutShort) else raised(error)
            return ExportReport(Verdict.FAILED, reason=message(reason, longest=_LONGEST_REASON))
        return ExportReport(
            Verdict.FAILED, reason=f"gave no answer for {outcome.seconds:.3g} s and was given up"
        )

    def _refusal(self) -> str | None:
        with self._lock:
            return self._circuit.refusal() or self._runner.blocked_reason

    def _refuse(self, batch: _Batch, reason: str) -> None:
        with self._lock:
            items, batch.owed = batch.owed, 0
            self._collect()
            self._ledger.refuse(items, reason, self._now())
            self._collect()
        if reason == self._runner.blocked_reason and not self._said_blocked:
            self._said_blocked = True
            say(logging.WARNING, "%s: no probe may run: %s", self._name, reason)
        say(logging.DEBUG, "%s: %s refused: %s", self._name, counted(items, self._unit), reason)

    def _fail(self, batch: _Batch, reason: str) -> None:
        with self._lock:
            items, batch.owed = batch.owed, 0
            self._ledger.fail(items, reason, Loss.FAILED, self._now())

    def _collect(self) -> bool:
        """Hand transitions and lines to the announcer, under the lock, so that they stay in order.

        Returns:
            True where the circuit's state has changed.
        """
        now = self._now()
        transitions = self._circuit.take_transitions()
        for transition in transitions:
            self._announcer.add(transition, lost=self._ledger.lost_in_outage, now=now)
            if transition.new is CircuitState.OPEN:
                self._ledger.open()
            elif transition.new is CircuitState.CLOSED:
                self._ledger.close()
        if line := self._ledger.due(now):
            self._announcer.add_line(line)
        return bool(transitions)

    def _now(self) -> float:
        """The circuit's time. A clock that raises is told of elsewhere, and must not raise here."""
        try:
            self._latest = self._circuit.now
        except Exception:
            pass
        return self._latest


def _or(question: Callable[[], Value], otherwise: Value) -> Value:
    """The circuit's answer; `otherwise` where the storage of a given breaker, or the clock, raises.

    An export logs what is wrong with them.
    """
    try:
        return question()
    except Exception:
        return otherwise


class _Batch:
    """Items on their way: `owed` until they are accounted for; `waited` where other greenlets ran."""

    __slots__ = ("deadline", "owed", "waited")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.owed = 0
        self.waited = False
