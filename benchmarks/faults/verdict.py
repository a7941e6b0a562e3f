"""From what was observed in a cell to its figures, and to the promises that it broke."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from breaker_exporter._demo.figures import percentile
from breaker_exporter.testing import Fault

from .measure import NONE, OURS, Raw, Service
from .plan import FAULTY, HEALTHY, MAX_COOLDOWN, RATE, RECOVERING, SHUTDOWN_TIMEOUT, TIMEOUT, WARM_UP

_ROOM = 3.0
"""Seconds that the way back may take beyond a cooldown and a timeout: a batch's delay, a busy machine."""
_END = 5.0
"""Seconds that Gunicorn and the machine may take for an end, on top of the shutdown budget."""
_RATIO, _FELT = 3.0, 0.05
"""A hub's delay is broken where it is so many times that of the other service, and so many seconds."""
_MORE = 12
"""Threads or descriptors that may be there at the end and not at the beginning: gRPC makes its own."""


@dataclass(slots=True)
class Outcome:
    """What a cell came to; times in seconds.

    Attributes:
        broken: What was promised and did not hold, a sentence each.
        p99_ratio: Of the requests in and after the fault, to those of the service without an exporter.
        gap_ratio: The same of the hub's longest delay; ``None`` without a hub.
        opened_after: From the begin of the fault; ``None``: it stayed closed.
        delivered_after: From the end of the fault to the next span that the collector took.
        dropped: Spans that were started and never handed to the exporter: the SDK's queue was full.
    """

    row: str
    column: str
    p99_ratio: float
    gap_ratio: float | None
    gap: float | None
    opened_after: float | None
    delivered_after: float | None
    started: int
    received: int
    exported: int
    failed: int
    refused: int
    taken: int
    duplicates: int
    dropped: int
    threads: tuple[int, int]
    descriptors: tuple[int, int]
    seconds_to_end: float
    returncode: int | None
    broken: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def outcome_of(raw: Raw) -> Outcome:
    """The figures, and what was broken."""
    ours, none = raw.services[OURS], raw.services[NONE]
    health = ours.last.get("health") or {}
    counts = {name: int(health.get(name, 0)) for name in ("received", "exported", "failed", "refused")}
    gap, other = _longest(ours), _longest(none)
    outcome = Outcome(
        row=raw.cell.row.name,
        column=raw.cell.column.name,
        p99_ratio=_p99(ours) / max(_p99(none), 1e-6),
        gap_ratio=None if gap is None or other is None else gap / max(other, 1e-6),
        gap=gap,
        opened_after=next(
            (at - HEALTHY for at, new in ours.changes if new == "open" and at >= HEALTHY), None
        ),
        delivered_after=_back(raw),
        started=int(ours.last.get("started", 0)),
        received=counts["received"],
        exported=counts["exported"],
        failed=counts["failed"],
        refused=counts["refused"],
        taken=raw.taken,
        duplicates=raw.duplicates,
        dropped=int(ours.last.get("started", 0)) - counts["received"],
        threads=_before_and_after(ours, "threads"),
        descriptors=_before_and_after(ours, "descriptors"),
        seconds_to_end=ours.seconds_to_end,
        returncode=ours.returncode,
    )
    outcome.broken = list(_broken(raw, outcome))
    return outcome


def _broken(raw: Raw, it: Outcome) -> list[str]:
    ours = raw.services[OURS]
    unanswered = _requests() - sum(status == 200 for _, status in ours.latencies.values())
    rejected = raw.cell.row.steps[0].fault is Fault.PARTIAL_SUCCESS
    checks = {
        f"{unanswered} requests were not answered": unanswered > 0,
        "the worker's last word is missing": not ours.last,
        "received is not exported + failed + refused": it.received != it.exported + it.failed + it.refused,
        f"{it.duplicates} spans were delivered twice": it.duplicates > 0,
        f"exported {it.exported}, and the collector holds {it.taken}": it.exported > it.taken,
        "no span was delivered after the fault": it.delivered_after is None,
        f"the first span came {it.delivered_after or 0:.1f} s after the fault": (it.delivered_after or 0)
        > MAX_COOLDOWN + TIMEOUT + _ROOM,
        f"exit status {it.returncode}": it.returncode != 0,
        f"it took {it.seconds_to_end:.1f} s to end": it.seconds_to_end > SHUTDOWN_TIMEOUT + _END,
        f"the hub stood still for {it.gap or 0:.3f} s": (it.gap or 0) > _FELT
        and (it.gap_ratio or 0) > _RATIO,
        "threads are left over": it.threads[1] > it.threads[0] + _MORE,
        "descriptors are left over": it.descriptors[1] > it.descriptors[0] + _MORE,
        "something of ours was raised": "/breaker_exporter/" in raw.output,
        "partial success was not seen": rejected and it.failed == 0,
    }
    return [text for text, holds in checks.items() if holds]


def _requests() -> int:
    return int(RATE * (WARM_UP + HEALTHY + FAULTY + RECOVERING))


def _p99(service: Service) -> float:
    """Of the requests due from the begin of the fault on; one without an answer counts as a minute."""
    first = int(RATE * (WARM_UP + HEALTHY))
    latencies = sorted(service.latencies.get(index, (60.0, 0))[0] for index in range(first, _requests()))
    return percentile(latencies, 99.0)


def _longest(service: Service) -> float | None:
    gaps = [gap for at, gap in service.gaps if at >= HEALTHY]
    return max(gaps) if gaps else None


def _back(raw: Raw) -> float | None:
    end = HEALTHY + FAULTY
    before = max((count for at, count in raw.delivered if at <= end), default=0)
    return next((at - end for at, count in raw.delivered if at > end and count > before), None)


def _before_and_after(service: Service, name: str) -> tuple[int, int]:
    return int(service.first.get(name, 0)), int(service.last.get(name, 0))
