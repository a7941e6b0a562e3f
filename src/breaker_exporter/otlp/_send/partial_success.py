"""The report of a request that succeeded, for all of its spans or for part of them."""

from __future__ import annotations

from ..._core.report import ExportReport, Verdict


def report_of_success(rejected: int, spans: int, said: str = "") -> ExportReport:
    """The report of an answer that is good and says how many spans were rejected.

    Args:
        rejected: Number of spans rejected, as the answer has it.
        spans: Number of spans sent.
        said: The message that came with it, without secrets.
    """
    rejected = min(max(rejected, 0), spans)
    if not rejected:
        return ExportReport(Verdict.DELIVERED)
    reason = f"the collector rejected {rejected} spans{said and f': {said}'}"
    return ExportReport(Verdict.DELIVERED, spans - rejected, reason)
