"""The way of a batch in one process: admit, run, settle, account; and the end of the wrapped exporter.

Items are counted and a call is made; what the items are and what the call does, the guard does not know.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from .._base.log import counted, say
from .._base.values import CircuitState, ExporterHealth
from .._concurrency import hub
from .._concurrency.thrown import passing_on
from . import deadline_clock as time
from .accounts import Accounts
from .attempt import Attempt
from .batch import Batch
from .flush import Flush
from .report import ExportReport, raised
from .runner import Runner
from .turn import CannotStart, Raised, Refused, Unfinished

if TYPE_CHECKING:
    from .custody import Custody

_MANY_ITEMS = 32
"""Items; a batch this large comes from a batch processor. A caller that exports one by one wants to go on."""
_LAST_LINE_WITHIN = 0.2
"""Seconds that a shutdown waits for its last line to be written."""


class Guard:
    """Takes batches through accounts and runner of one wrapped exporter. A forked child makes its own.

    Args:
        name: The exporter's name.
        export_timeout: Seconds that one export may take.
        accounts: Of the exporter, with its circuit.
        runner: Runs the calls.
        unit: The name of an item, in the plural.
        custody: Keeps what cannot be delivered; ``None``: nothing is kept.

    Attributes:
        name: The exporter's name.
        custody: As given.
    """

    def __init__(
        self,
        name: str,
        export_timeout: float,
        accounts: Accounts,
        runner: Runner,
        unit: str,
        custody: Custody | None = None,
    ) -> None:
        self.name = name
        self._export_timeout = export_timeout
        self._accounts = accounts
        self._runner = runner
        self._unit = unit
        self.custody = custody
        self._said_blocked = False
        accounts.join(self)

    def forked(self) -> Guard:
        """For a forked child: the parent's circuit and its shutdown, nothing else of it (R5)."""
        accounts, runner = self._accounts.forked(), self._runner.forked()
        custody = self.custody and self.custody.forked(accounts, runner)
        return Guard(self.name, self._export_timeout, accounts, runner, self._unit, custody)

    def look_again(self) -> None:
        """The circuit has changed, by a call of another exporter too: whoever waits for that may go on."""
        self._runner.look_again()
        if self.custody is not None:
            self.custody.look_again()

    def settle_late(self) -> None:
        """Settle the call whose caller has left, if there is one and it is over."""
        self._runner.settle_late()

    @property
    def state(self) -> CircuitState:
        """Of the circuit, after a call that has ended meanwhile is settled."""
        self._runner.settle_late()
        return self._accounts.state

    def health(self) -> ExporterHealth:
        """A consistent snapshot."""
        status, custody = self._runner.status(), self.custody
        if custody is None:
            return self._accounts.health(status)
        return self._accounts.health(status, custody.retained_bytes, custody.oldest_at, custody.census)

    def export(self, items: int, call: Callable[[], ExportReport], deadline: float) -> bool:
        """Make `call` for a batch of so many items, if the circuit lets it through.

        Args:
            items: Their number.
            call: Exports them.
            deadline: Monotonic seconds at which the caller must have its thread back.

        Returns:
            True where the batch was delivered.
        """
        batch = Batch()
        waited = is_delivered = False
        with passing_on():
            try:
                self._accounts.receive(batch, items)
                if reason := self._runner.refusal(self._accounts.refusal):
                    self._refuse(batch, reason)
                else:
                    waited = True
                    is_delivered = self._attempt(batch, call, deadline)
            except Refused as refused:
                self._refuse(batch, str(refused))
            except CannotStart as error:
                self._cannot_start(batch, str(error))
            except Exception as error:
                # A given breaker, its storage or a clock raised; the caller must not see it.
                self._accounts.breaker_raised(batch, error)
            finally:
                if batch.owed:
                    self._accounts.fail(batch, "the caller was cancelled")
                self._accounts.announce()
        if not waited and items >= _MANY_ITEMS:
            # A processor throws its whole queue away in one go: thousands of items, milliseconds.
            hub.yield_to_hub()
        return is_delivered

    def flush(self, call: Callable[[], object], timeout: float) -> bool:
        """Make `call` in turn, within `timeout` seconds.

        Returns:
            True where it came back in time, and returned nothing or something true.
        """
        flush = Flush(call, deadline=time.monotonic() + timeout, timeout=self._export_timeout)
        with passing_on():
            try:
                self._runner.run(flush)
            except (Refused, CannotStart) as reason:
                say(logging.DEBUG, "%s: not flushed: %s", self.name, reason)
        return flush.has_succeeded

    def begin_shutdown(self, timeout: float) -> None:
        """Allow `timeout` seconds from now for everything that is still to come."""
        self._runner.begin_shutdown(timeout)

    def shutdown(self, call: Callable[[float], object], timeout: float) -> None:
        """End admission; give `call` the seconds that are left of `timeout` by then."""
        deadline = time.monotonic() + timeout
        ends_here = True
        try:
            if self.custody is not None:
                try:
                    ends_here = self.custody.close(deadline - min(0.5, timeout / 10))
                except BaseException:  # thrown into the caller: it does not wait any more
                    with passing_on():
                        self._runner.shutdown(call, time.monotonic())
                    raise
                if not self.custody.is_drained:
                    return  # the first shutdown has more time than this one
            with passing_on():
                outcome = self._runner.shutdown(call, deadline)
        except CannotStart as reason:
            text = "%s: wrapped exporter not shut down: no thread can be started: %s"
            say(logging.WARNING, text, self.name, reason)
        except Refused as reason:  # a child that was forked while this waited
            say(logging.DEBUG, "%s: not shut down: %s", self.name, reason)
        else:
            if isinstance(outcome, Raised):
                text = "%s: shutdown of the wrapped exporter %s"
                say(logging.WARNING, text, self.name, raised(outcome.error))
            elif outcome is None:
                say(logging.DEBUG, "%s: wrapped exporter still shutting down after its time", self.name)
        finally:
            if ends_here:
                self.say_stopped()

    def say_stopped(self) -> None:
        """Say once what this process has exported and lost, when nothing more is to come (G2).

        Under gevent a logging handler that never gets rid of the line is not waited for.
        """
        if self.custody is not None:
            self.custody.drop_rest()
        self._accounts.stop()
        with passing_on():
            hub.run_beside(self._accounts.announce)(_LAST_LINE_WITHIN)

    def _attempt(self, batch: Batch, call: Callable[[], ExportReport], deadline: float) -> bool:
        account = partial(self._accounts.account, batch)
        attempt = Attempt(self._accounts, call, account, deadline=deadline, timeout=self._export_timeout)
        try:
            if isinstance(self._runner.run(attempt), Unfinished):
                self._accounts.fail(batch, "its time ended before the call did")
        finally:
            self._said_blocked = self._said_blocked and attempt.permit is None
        return attempt.is_delivered

    def _refuse(self, batch: Batch, reason: str) -> None:
        items = self._accounts.refuse(batch, reason)
        if reason == self._runner.blocked_reason and not self._said_blocked:
            self._said_blocked = True
            text = "%s: no probe may run: %s; exports are refused until one of them ends"
            say(logging.WARNING, text, self.name, reason)
        say(logging.DEBUG, "%s: %s refused: %s", self.name, counted(items, self._unit), reason)

    def _cannot_start(self, batch: Batch, reason: str) -> None:
        items = self._accounts.fail(batch, f"no thread can be started: {reason}")
        text = "%s: %s not exported: no thread can be started: %s"
        say(logging.WARNING, text, self.name, counted(items, self._unit), reason)
