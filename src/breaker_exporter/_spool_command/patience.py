"""The end of patience with a backend: after a few failures in a row, nothing more is sent."""

from __future__ import annotations

from .._core.report import ExportReport, Verdict
from .leasing import GivenUp

_MOST_FAILURES = 3
"""In a row."""
_MOST_REJECTED = 10
"""Batches in a row: what rejects more is not the backend that was meant, and would have all of them."""
_PAUSE = 1.0
"""Seconds after the first failure; doubled with each one in a row."""
_LONGEST_PAUSE = 60.0
"""Seconds that are waited where the backend asks for it."""


class Patience:
    """Counts what one backend did not accept, since it accepted anything.

    Signals that go to the same place have one together: a place that is dead to spans is so to log records.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._rejected = 0

    def pause_after(self, report: ExportReport, *, is_left: bool, accepted: int) -> float:
        """Seconds to wait after a batch.

        Args:
            report: The backend's answer.
            is_left: True where the batch, or a part of it, has to be sent again.
            accepted: Number of items of it that were accepted.

        Raises:
            GivenUp: Nothing more should be sent now.
        """
        if accepted:
            self._failures = self._rejected = 0
        if is_left:
            return self._pause_after_failure(report)
        self._rejected += not accepted
        if self._rejected >= _MOST_REJECTED:
            raise GivenUp(f"the backend has rejected {_MOST_REJECTED} batches in a row ({report.reason})")
        return 0.0

    def _pause_after_failure(self, report: ExportReport) -> float:
        self._failures += 1
        asked_for = report.retry_after or 0.0
        if report.verdict is Verdict.MISCONFIGURED:
            raise GivenUp(f"the backend takes nothing with these settings ({report.reason})")
        if self._failures >= _MOST_FAILURES:
            raise GivenUp(f"the backend has failed {self._failures} times in a row ({report.reason})")
        if asked_for > _LONGEST_PAUSE:
            raise GivenUp(f"the backend asks to be left alone for {asked_for:.0f} s ({report.reason})")
        return max(asked_for, _PAUSE * 2.0 ** (self._failures - 1))
