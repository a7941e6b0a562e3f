"""The figures of a cell, and the promises that did not hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from .other_signals import OtherSignals


@dataclass(slots=True)
class Outcome:
    """The result of a cell; times in seconds.

    Attributes:
        p99_ratio: Request p99 in and after the fault, as a ratio to the service without an exporter.
        gap_ratio: The hub's longest delay, likewise; ``None`` without a hub.
        opened_after: Seconds from the begin of the fault to the open circuit; ``None``: it stayed closed.
        failing_for: Seconds from the first failure to the open circuit, exact to a report (0.2 s).
        delivered_after: Seconds from the end of the fault to the next span that the collector took.
        given_up: Spans that were kept and had to go, at the end of the service at the latest.
        resent: Spans sent again that the collector may have had: nobody knew what had become of them.
        spooled: Spans that were written to disk.
        recovered: Spans from the disk that were settled.
        left: Spans that lie on disk at the end.
        p99: Request p99 in and after the fault.
        dropped: Spans that were started and never reached the exporter: the SDK's queue was full.
        unfounded: Spans for which `export` said SUCCESS and that the collector does not have.
        others: What became of log records and metrics; ``None`` where they are not exported.
        broken: The promises that did not hold, a sentence each.
    """

    row: str
    column: str
    p99_ratio: float
    gap_ratio: float | None
    gap: float | None
    opened_after: float | None
    failing_for: float | None
    delivered_after: float | None
    started: int
    received: int
    exported: int
    failed: int
    refused: int
    given_up: int
    resent: int
    spooled: int
    recovered: int
    left: int
    p99: float
    taken: int
    duplicates: int
    dropped: int
    unfounded: int
    threads: tuple[int, int]
    descriptors: tuple[int, int]
    resident: tuple[int, int]
    seconds_to_end: float
    returncode: int | None
    others: OtherSignals | None = None
    broken: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """Return all fields, ready for JSON."""
        return asdict(self)
