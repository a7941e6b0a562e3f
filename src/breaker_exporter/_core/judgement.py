"""The meaning of an export's outcome: as a report, to the circuit, and to the ledger."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from .._base.redaction import message
from .any_circuit import AnyCircuit
from .circuit import Permit
from .loss import Loss
from .report import ExportReport, Verdict, raised
from .turn import CannotStart, CutShort, Outcome, Raised, Returned

_LONGEST_REASON = 280
"""Characters: a message of the backend, and ours around it. Classes have been seen with names of a page."""

_LOSSES = {
    Verdict.DELIVERED: Loss.REJECTED,
    Verdict.REJECTED: Loss.REJECTED,
    Verdict.UNSENT: Loss.UNSENT,
    Verdict.FAILED: Loss.FAILED,
    Verdict.MISCONFIGURED: Loss.FAILED,
}


def report_of(outcome: Outcome) -> ExportReport:
    """The report that the outcome of a call stands for; a call that returned has returned its own."""
    if isinstance(outcome, Returned):
        report = cast(ExportReport, outcome.value)
        if not report.reason:
            return report
        return replace(report, reason=message(report.reason, longest=_LONGEST_REASON))
    if isinstance(outcome, Raised):
        error = outcome.error
        reason = str(error) if isinstance(error, CannotStart | CutShort) else raised(error)
        return ExportReport(Verdict.FAILED, reason=message(reason, longest=_LONGEST_REASON))
    return ExportReport(Verdict.FAILED, reason=f"gave no answer for {outcome.seconds:.3g} s and was given up")


def loss_of(report: ExportReport) -> Loss:
    """The kind of loss of the items that the backend did not accept."""
    return _LOSSES[report.verdict]


def tell_circuit(
    circuit: AnyCircuit, permit: Permit, outcome: Outcome, report: ExportReport
) -> Exception | None:
    """Tell the circuit what came of the call of `permit`.

    Returns:
        The error that a given breaker, its storage, its listeners or the clock raised.
    """
    try:
        return circuit.tell(permit, outcome, report)
    except Exception as error:
        return error
