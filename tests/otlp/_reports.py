"""The words of reports, as far as they are the same on every machine."""

from __future__ import annotations

import re

from breaker_exporter import ExportReport, Verdict


def is_late(report: ExportReport) -> bool:
    """True where the time of the call was over, and the reason says how much that was."""
    return report.verdict is Verdict.FAILED and re.search(r" in [\d.]+ s\b", report.reason) is not None
