"""The meaning of a call's outcome for its parcel: what was accepted, what is lost, what is sent again."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .judgement import loss_of, report_of
from .loss import Loss
from .parcel import Parcel
from .payload import Delivery, Payload
from .report import Cause, ExportReport, Verdict
from .turn import Outcome, Returned

_MOST_ERRORS = 5
"""Answers with an error of its own that a parcel may get while others are accepted (K3)."""
COMES_BACK = (Verdict.FAILED, Verdict.MISCONFIGURED)
"""Verdicts after which the same may be sent again."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """The meaning of one outcome.

    Attributes:
        report: Of the call.
        told: The report that the circuit gets.
        left: What is sent again, if anything.
        accepted: Number of items that the backend accepted.
        lost: Number of items that it never will.
        kind: Of that loss.
        pauses_replay: True where the backend is too busy for what was kept; it gets what is new all the same.
    """

    report: ExportReport
    told: ExportReport
    left: Payload | None
    accepted: int
    lost: int
    kind: Loss
    pauses_replay: bool


def settlement_of(
    parcel: Parcel,
    outcome: Outcome,
    others_accepted: int,
    *,
    is_probe: bool,
    is_replay: bool,
    are_others_tried: bool,
) -> Settlement:
    """Turn the outcome of a call into a settlement, and count an error of the batch's own on `parcel`.

    Args:
        parcel: In the call.
        outcome: Of the call.
        others_accepted: Number of parcels that the backend has accepted so far.
        is_probe: True where the call was a probe.
        is_replay: True where the parcel had been kept before.
        are_others_tried: True where a probe has failed with each other parcel that waits, if there is any; of
            a call that was no probe it is not asked.
    """
    delivery = _delivery_of(parcel, outcome)
    report, left = delivery.report, delivery.left
    told, pauses = report, False
    if left is not None and report.verdict in COMES_BACK:
        parcel.may_be_there |= report.cause in (Cause.UNKNOWN, Cause.UNANSWERED, Cause.GATEWAY)
        is_error = report.verdict is Verdict.FAILED and report.cause is Cause.ANSWERED
        if is_error and _is_at_fault(parcel, others_accepted, is_last_hope=is_probe and are_others_tried):
            reason = f"{report.reason} (the answer to this batch {parcel.errors} times)"
            report, left = replace(report, reason=reason), None
            told = replace(report, verdict=Verdict.UNSENT)
        elif report.cause is Cause.BUSY and is_replay and not is_probe:
            # What is new is the last to slow down: this says nothing to the circuit.
            told, pauses = replace(report, verdict=Verdict.UNSENT), True
    gone = parcel.payload.items - (left.items if left is not None else 0)
    accepted = report.accepted_of(gone)
    kind = Loss.REJECTED if left is not None else loss_of(report)
    return Settlement(report, told, left, accepted, gone - accepted, kind, pauses)


def _delivery_of(parcel: Parcel, outcome: Outcome) -> Delivery:
    """The delivery that the call returned. Without a valid one, all of the parcel is left."""
    payload = parcel.payload
    if not isinstance(outcome, Returned):
        return Delivery(report_of(outcome), payload)
    delivery = outcome.value
    if not (isinstance(delivery, Delivery) and isinstance(delivery.report, ExportReport)):
        kind = type(delivery).__qualname__
        return Delivery(ExportReport(Verdict.FAILED, reason=f"returned {kind}, no Delivery"), payload)
    left = delivery.left
    if left is not None and not 0 < left.items <= payload.items:
        left = payload if left.items else None
    return Delivery(report_of(Returned(delivery.report)), left)


def _is_at_fault(parcel: Parcel, others_accepted: int, *, is_last_hope: bool) -> bool:
    """True where the backend has often answered to this one with an error, and accepts others.

    Or no other is left to be tried: then such parcels alone may be what keeps the circuit open.
    """
    if is_last_hope or parcel.accepted != others_accepted:
        parcel.errors += 1
        parcel.accepted = others_accepted
    return parcel.errors >= _MOST_ERRORS
