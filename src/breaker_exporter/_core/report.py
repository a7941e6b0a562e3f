"""What a wrapped exporter may tell of an export beyond SUCCESS and FAILURE: values, and the protocol."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from opentelemetry.sdk.trace.export import SpanExportResult

from .._base import checks as check
from .._base.redaction import message, origin
from .._wiring.environment import header_values

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


class Verdict(enum.StrEnum):
    """What an export says about the backend."""

    DELIVERED = "delivered"
    """The backend took the batch, or part of it: a success."""
    REJECTED = "rejected"
    """The backend answered and will never take this batch (HTTP 400, 413, 422): it is alive all the same."""
    UNSENT = "unsent"
    """The batch cannot be sent as it is: that says nothing about the backend, and a probe is still due."""
    FAILED = "failed"
    """The backend did not do its work; counts towards the threshold."""
    MISCONFIGURED = "misconfigured"
    """Nothing will pass until somebody changes something (HTTP 401, 403, 404): opens the circuit at once."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """The outcome of one export, as :meth:`ReportingSpanExporter.export_and_report` returns it.

    Attributes:
        verdict: What it says about the backend.
        delivered: How many spans of the batch the backend holds now; the others count as failed. ``None``:
            all of them where the verdict is ``DELIVERED``, else none.
        reason: Short text without secrets, for log lines, health and transitions.
        retry_after: Seconds for which the backend asked to be left alone. If this failure opens the circuit,
            or one that follows within these seconds, it stays open at least that long, up to
            ``max_cooldown``.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: `delivered` or `retry_after` is negative, or `retry_after` not finite.
    """

    verdict: Verdict
    delivered: int | None = None
    reason: str = ""
    retry_after: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.verdict, Verdict):
            raise TypeError(f"verdict must be a Verdict, not {self.verdict!r}")
        if not isinstance(self.reason, str):
            raise TypeError(f"reason must be a string, not {self.reason!r}")
        if self.delivered is not None:
            check.count("delivered", self.delivered, zero=True)
        if self.retry_after is not None:
            check.finite_seconds("retry_after", self.retry_after, zero=True)

    def held_of(self, spans: int) -> int:
        """How many of so many spans the backend holds: never more than there are."""
        if self.delivered is None:
            return spans if self.verdict is Verdict.DELIVERED else 0
        return min(self.delivered, spans)


class ReportingSpanExporter(Protocol):
    """A span exporter that tells the circuit breaker more than ``SUCCESS`` or ``FAILURE``.

    Where the class of a wrapped exporter has this method, it is called instead of ``export``, under the same
    rules: it may raise, which is a failure, and overrunning ``export_timeout`` opens the circuit. A subclass
    that overrides ``export`` alone is asked by ``export``.
    """

    def export_and_report(self, spans: Sequence[ReadableSpan]) -> ExportReport:
        """Export `spans`, and say what became of them."""
        ...


_LONGEST_WORDS = 250
"""Characters of what an exporter logged: a last line, and one before it that has the cause."""
_DELIVERED = ExportReport(Verdict.DELIVERED)
_RETURNED_FAILURE = ExportReport(Verdict.FAILED, reason="returned FAILURE")


def report_of_result(value: object) -> ExportReport:
    """What it means that an exporter returned `value`."""
    if value is SpanExportResult.SUCCESS:
        return _DELIVERED
    if value is SpanExportResult.FAILURE:
        return _RETURNED_FAILURE
    if isinstance(value, ExportReport):
        return value
    return ExportReport(Verdict.FAILED, reason=f"returned {type(value).__qualname__}, no SpanExportResult")


def explained(value: object, words: str) -> object:
    """`value`, an exporter's, with what it logged where it says FAILURE and no more."""
    report = report_of_result(value)
    if report.reason != _RETURNED_FAILURE.reason:
        return value
    words = message(words, header_values(), longest=_LONGEST_WORDS)
    return replace(report, reason=f"{_RETURNED_FAILURE.reason} and logged: {words}") if words else report


def report_of_success(rejected: int, spans: int, said: str = "") -> ExportReport:
    """What became of so many spans where the answer is good, and says how many of them were rejected.

    Args:
        rejected: Number of spans, as the answer has it.
        spans: Number of spans that were sent.
        said: The message that came with it, without secrets.
    """
    rejected = min(max(rejected, 0), spans)
    if not rejected:
        return _DELIVERED
    reason = f"the collector rejected {rejected} spans{said and f': {said}'}"
    return ExportReport(Verdict.DELIVERED, spans - rejected, reason)


def raised(error: BaseException) -> str:
    """The reason where an exporter raised: type, place, and of the text what is safe to show."""
    return f"raised {origin(error)}"
