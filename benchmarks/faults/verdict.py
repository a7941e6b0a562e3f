"""The outcome of a cell: its figures, and the promises that did not hold."""

from __future__ import annotations

from breaker_exporter._harness.percentiles import percentile
from breaker_exporter.testing import Fault

from .cell import Row
from .conditions import FAULTY, HEALTHY, MAX_COOLDOWN, RATE, SHUTDOWN_TIMEOUT, TIMEOUT, WARM_UP
from .disk.judge import broken_on_disk, in_hand
from .judge_others import broken_of_others, other_signals
from .observations import NONE, OURS, Observations, Service
from .outcome import Outcome

_MARGIN = 3.0
"""Seconds that recovery may take beyond a cooldown and a timeout: a batch's delay, a busy machine."""
_END = 5.0
"""Seconds that Gunicorn and a busy machine may take to stop, on top of the shutdown budget."""
_RATIO, _FELT = 3.0, 0.05
"""A hub delay breaks a promise where it is this many times that of the other service, and this many s."""
_CUT = 10
"""Requests that may be lost with a killed or replaced worker, more than the other service lost."""
_COUNTS = ("received", "exported", "failed", "refused", "dropped", "resent", "spooled", "recovered")
_MORE = 12
"""Threads or descriptors that may be there at the end and not at the beginning: gRPC makes its own."""


def outcome_of(raw: Observations) -> Outcome:
    """Return the outcome of a cell."""
    ours, none = raw.services[OURS], raw.services[NONE]
    lasts = [last for service in raw.exporting for last in service.lasts]
    counts = {name: sum(int((last["health"] or {}).get(name, 0)) for last in lasts) for name in _COUNTS}
    started = sum(int(last["started"]) for last in lasts)
    claimed = {span_id for last in lasts for span_id in last["claimed"]}
    gap, other = _longest(ours), _longest(none)
    opened = next((at for at, new in ours.changes if new == "open" and at >= HEALTHY), None)
    outcome = Outcome(
        row=raw.cell.row.name,
        column=raw.cell.column.name,
        p99_ratio=_p99(ours, raw.cell.row) / max(_p99(none, raw.cell.row), 1e-6),
        gap_ratio=None if gap is None or other is None else gap / max(other, 1e-6),
        gap=gap,
        opened_after=None if opened is None else opened - HEALTHY,
        failing_for=None if opened is None else max(0.0, opened - _first_failure(ours, opened)),
        delivered_after=None if raw.cell.row.ends else _back(raw),
        started=started,
        received=counts["received"],
        exported=counts["exported"],
        failed=counts["failed"],
        refused=counts["refused"],
        given_up=counts["dropped"],
        resent=counts["resent"],
        spooled=counts["spooled"],
        recovered=counts["recovered"],
        left=len(raw.left.ids),
        p99=_p99(ours, raw.cell.row),
        taken=len(raw.taken),
        duplicates=raw.duplicates,
        dropped=started - counts["received"] if raw.cell.column.wiring != "official" else 0,
        unfounded=len(claimed - raw.taken - {*raw.left.ids}),
        threads=_before_and_after(ours, "threads"),
        descriptors=_before_and_after(ours, "descriptors"),
        resident=_before_and_after(ours, "resident"),
        seconds_to_end=ours.seconds_to_end,
        returncode=ours.returncode,
    )
    if raw.cell.column.all_signals:
        outcome.others = other_signals(lasts, raw.others)
    if raw.cell.column.wiring != "official":  # which promises nothing
        outcome.broken = [*_broken(raw, outcome), *broken_on_disk(raw)]
        if outcome.others is not None:
            outcome.broken += broken_of_others(raw, outcome.others)
    return outcome


def _broken(raw: Observations, it: Outcome) -> list[str]:
    ours, row = raw.services[OURS], raw.cell.row
    unanswered = _unanswered(ours, row)
    allowed = _unanswered(raw.services[NONE], row) + _CUT if row.replaces else 0
    official = raw.cell.column.wiring != "hooks"  # it sends again where it got no answer
    rejected = row.steps[0].fault is Fault.PARTIAL_SUCCESS
    unseen = rejected and raw.cell.column.wiring != "hooks"
    is_same = bool(ours.lasts) and ours.lasts[-1]["pid"] == ours.first.get("pid")
    checks = {
        f"{unanswered} requests were not answered": unanswered > allowed,
        f"the request for the event got status {ours.told}": ours.told not in (None, 200),
        "the worker's last report is missing": not ours.lasts,
        "no new worker replaced the old one": row.replaces and is_same,
        "received is not exported + failed + refused + given up": it.received + it.recovered
        != it.exported + it.failed + it.refused + it.given_up + it.spooled,
        f"{it.duplicates} spans were delivered twice": it.duplicates > it.resent + in_hand(raw)
        and not official,
        f"request p99 was {it.p99:.3f} s, {it.p99_ratio:.1f} times that without an exporter": raw.cell.disk
        is not None
        and not row.replaces
        and it.p99 > _FELT
        and it.p99_ratio > _RATIO,
        f"{it.exported} spans count as exported, and the collector took {it.taken}": it.exported > it.taken
        and not unseen,
        f"{it.unfounded} spans count as exported and did not arrive": not unseen
        and it.unfounded > it.given_up + (it.failed if rejected else 0),
        "no span was delivered after the fault": it.delivered_after is None and not row.ends,
        f"the first span arrived {it.delivered_after or 0:.1f} s after the fault": (it.delivered_after or 0)
        > MAX_COOLDOWN + TIMEOUT + _MARGIN,
        f"exit status {it.returncode}": it.returncode != 0,
        f"the service took {it.seconds_to_end:.1f} s to stop": it.seconds_to_end > SHUTDOWN_TIMEOUT + _END,
        f"the hub stood still for {it.gap or 0:.3f} s": (it.gap or 0) > _FELT
        and (it.gap_ratio or 0) > _RATIO,
        "threads were leaked": it.threads[1] > it.threads[0] + _MORE,
        "descriptors were leaked": it.descriptors[1] > it.descriptors[0] + _MORE,
        "an error of this package is in the output": "/breaker_exporter/" in raw.output,
        "spans that a partial success rejected do not count as failed": rejected
        and it.failed == 0
        and not unseen,
    }
    return [text for text, holds in checks.items() if holds]


def _requests(row: Row) -> int:
    return int(RATE * row.load)


def _unanswered(service: Service, row: Row) -> int:
    return _requests(row) - sum(status == 200 for _, status in service.latencies.values())


def _p99(service: Service, row: Row) -> float:
    """Return p99 of the requests due from the begin of the fault on; no answer counts as a minute."""
    first = int(RATE * (WARM_UP + HEALTHY))
    latencies = sorted(service.latencies.get(index, (60.0, 0))[0] for index in range(first, _requests(row)))
    return percentile(latencies, 99.0)


def _longest(service: Service) -> float | None:
    gaps = [gap for at, gap in service.gaps if at >= HEALTHY]
    return max(gaps) if gaps else None


def _back(raw: Observations) -> float | None:
    end = HEALTHY + FAULTY
    before = max((count for at, count in raw.delivered if at <= end), default=0)
    return next((at - end for at, count in raw.delivered if at > end and count > before), None)


def _first_failure(service: Service, opened: float) -> float:
    """Return when the first failure was reported; if none before the circuit opened, that moment."""
    healthy = max((failed for at, failed in service.failed if at < HEALTHY), default=0)
    return next((at for at, failed in service.failed if at >= HEALTHY and failed > healthy), opened)


def _before_and_after(service: Service, name: str) -> tuple[int, int]:
    return int(service.first.get(name, 0)), int(service.lasts[-1][name]) if service.lasts else 0
