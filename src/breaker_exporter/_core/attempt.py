"""One call of an export, as the runner takes it: admitted by the circuit, settled with it, accounted for."""

from __future__ import annotations

from collections.abc import Callable

from .._concurrency.memory import let_go
from . import deadline_clock as time
from .accounts import Accounts
from .batch import Batch
from .circuit import Permit
from .judgement import report_of
from .report import ExportReport, Verdict
from .turn import Outcome, Raised


class Attempt:
    """A :class:`Task` of the runner: one call with a batch.

    Args:
        accounts: Of the exporter.
        call: Exports the batch.
        account: Says what becomes of the items; called under the lock of `accounts`.
        deadline: Monotonic seconds at which the caller must have its thread back.
        timeout: Seconds that a call may take before it counts as hung.

    Attributes:
        permit: ``None`` until the circuit has let the call through.
        is_delivered: True where the backend accepted the batch.
    """

    def __init__(
        self,
        accounts: Accounts,
        call: Callable[[], ExportReport],
        account: Callable[[ExportReport], None],
        *,
        deadline: float,
        timeout: float,
    ) -> None:
        self._accounts = accounts
        self._call = call
        self._account = account
        self.deadline = deadline
        self._timeout = timeout
        self.permit: Permit | None = None
        self.is_delivered = False

    def refusal(self) -> str | None:
        return self._accounts.refusal()

    def admit(self, *, queued: bool) -> float:
        self._accounts.admit(self)
        now = time.monotonic()
        # A call that starts late has its own time all the same before it counts as hung.
        is_late = queued or self.deadline - now < 0.9 * self._timeout
        return now + self._timeout if is_late else self.deadline

    def call(self) -> ExportReport:
        return self._call()

    def settle(self, outcome: Outcome) -> None:
        self.is_delivered = self._settle(outcome, self._account)

    def settle_late(self, outcome: Outcome) -> None:
        # Its items are accounted for already, when the caller left.
        self._settle(outcome, lambda report: self._accounts.account(Batch(), report))

    def settle_abandoned(self, outcome: Outcome) -> None:
        """Nothing: it counts as failed (C6)."""

    def withdraw(self) -> None:
        if self.permit is not None:
            self._accounts.give_back(self.permit)

    def _settle(self, outcome: Outcome, account: Callable[[ExportReport], None]) -> bool:
        report = report_of(outcome)
        assert self.permit is not None
        self._accounts.settle(self.permit, outcome, report, account)
        if isinstance(outcome, Raised):
            let_go(outcome.error)
        return report.verdict is Verdict.DELIVERED
