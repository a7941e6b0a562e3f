"""The targets of the suite ``signals``: all three at once, beside no exporter and the three official ones."""

from __future__ import annotations

from collections.abc import Iterator

from .results import Results
from .verdict import Verdict

OURS, OFFICIAL = "hooks-signals", "bare-http-signals"
WHERE = {"suite": "signals", "fault": "refuse"}
"""The cells that have an outage."""
_PHASES = (
    ("healthy", "healthy", 1.2, 1.8),
    ("fault", "outage", 1.3, 2.0),
    ("recovering", "replay", 1.3, 2.0),
)
"""Phases, as they are called, with the limits of request p99 and of hub p99.9."""


def verdicts_of_signals(results: Results) -> Iterator[Verdict]:
    """Yield the targets of all three signals at once, each with its measured values."""
    for phase, what, *limits in _PHASES:
        for figure, said, limit in zip(
            ("p99_ms", "hub_p99.9_ms"), ("request p99", "hub p99.9"), limits, strict=True
        ):
            values = results.ratios(phase, figure, OURS, "none", **WHERE)
            yield Verdict(f"all signals, {what}: {said} / none", f"<= {limit:g}", limit, values)
    yield Verdict("all signals: memory over traces alone, MB", "<= 6", 6, more_memory(results))
    for kind in ("log records", "data points"):
        seconds = results.micro(f"refused_export_of[{kind}]")
        values = () if seconds is None else (seconds * 1e6,)
        yield Verdict(f"refused export of {kind}, µs", "<= 10", 10, values)


def more_memory(results: Results) -> tuple[float, ...]:
    """Return the MB that all signals take more than traces alone, while all is well."""

    def more(number: int) -> float | None:
        three = results.figure(OURS, number, "healthy", "resident_mb", **WHERE)
        one = results.figure("hooks", number, "healthy", "resident_mb", **{**WHERE, "fault": "none"})
        return None if three is None or one is None else three - one

    return results.per_round(more)
