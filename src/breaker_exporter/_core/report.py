"""The result of one export as the engine understands it: a verdict on the backend, and counts."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from .._base import checks as check
from .._base.redaction import origin

LONGEST_PAUSE = 86_400.0
"""Seconds that a backend may ask to be left alone for: what is longer is clipped by the circuit anyway."""
ENDED_BY_SHUTDOWN = "the exporter was shut down meanwhile"
"""The reason of a call that our shutdown has ended."""
AFTER_SHUTDOWN = "exporter is shut down"
"""The reason of a call that came after it."""


class Verdict(enum.StrEnum):
    """The judgement on the backend after an export."""

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


class Cause(enum.StrEnum):
    """The place where an export failed: it decides what happens to the batch next."""

    UNKNOWN = "unknown"
    """Nobody can say whether the backend has the batch: it was sent, and no whole answer came."""
    UNREACHABLE = "unreachable"
    """Not a byte of the batch can have been read: no address, no connection, no TLS."""
    UNANSWERED = "unanswered"
    """The same as ``UNKNOWN``, where not a byte of an answer came."""
    GATEWAY = "gateway"
    """Something in between answered for the backend (HTTP 408, 502, 504), which may have the batch."""
    BUSY = "busy"
    """The backend has too much to do (HTTP 429, 503; gRPC RESOURCE_EXHAUSTED)."""
    LOCAL = "local"
    """A file that the request needs is missing here: nothing was sent, nothing is known of the backend."""
    ANSWERED = "answered"
    """The backend answered with another error, which may be the batch's own fault."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """The result of one export, as :meth:`ReportingSpanExporter.export_and_report` returns it.

    Attributes:
        verdict: The judgement on the backend.
        delivered: Number of items of the batch that the backend accepted; the others count as
            failed. ``None``: all of them where the verdict is ``DELIVERED``, else none.
        reason: Short text without secrets, for log lines, health and transitions.
        retry_after: Seconds for which the backend asked to be left alone. If this failure opens the circuit,
            or one that follows within these seconds, it stays open at least that long, up to
            ``max_cooldown``.
        cause: Where an export that was not delivered failed.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: `delivered` or `retry_after` is negative, or `retry_after` not finite.
    """

    verdict: Verdict
    delivered: int | None = None
    reason: str = ""
    retry_after: float | None = None
    cause: Cause = Cause.UNKNOWN

    def __post_init__(self) -> None:
        if not isinstance(self.verdict, Verdict):
            raise TypeError(f"verdict must be a Verdict, not {self.verdict!r}")
        if not isinstance(self.cause, Cause):
            raise TypeError(f"cause must be a Cause, not {self.cause!r}")
        if not isinstance(self.reason, str):
            raise TypeError(f"reason must be a string, not {self.reason!r}")
        if self.delivered is not None:
            check.count("delivered", self.delivered, zero=True)
        if self.retry_after is not None:
            check.finite_seconds("retry_after", self.retry_after, zero=True)

    def accepted_of(self, items: int) -> int:
        """Number of items the backend accepted, at most `items`, the size of the batch."""
        if self.delivered is None:
            return items if self.verdict is Verdict.DELIVERED else 0
        return min(self.delivered, items)


def raised(error: BaseException) -> str:
    """The reason of a failure where an exporter raised: type, place, and text where that is safe."""
    return f"raised {origin(error)}"
