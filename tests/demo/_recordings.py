"""Made-up recordings of a run in which all went well; a test spoils one figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from breaker_exporter._demo.plan import BARE, OURS, Plan
from breaker_exporter._demo.recording import Beat, Change, Contender, Delivered, Recording

QUICK, STALL = 0.004, 9.0
PLAN = Plan(rate=20.0, seconds=(4.0, 10.0, 10.0))


def good_run(plan: Plan = PLAN) -> Recording:
    """Return a run in which only the bare exporter's hub stands still, for 9 s of the fault."""
    recording = Recording(plan, start=1000.0, now=plan.total, told_to_stop=plan.total)
    _, fault, after = plan.phases
    for name, contender in recording.contenders.items():
        for index in recording.requests(name, 0.0, plan.total):
            left = fault.begin + STALL - recording.due(name, index)
            stalled = name == BARE and 0 <= left <= STALL
            contender.latencies[index] = left + QUICK if stalled else QUICK
        contender.delivered = [
            Delivered(1.0, 100, 0),
            Delivered(fault.end - 0.1, 400, 0),
            Delivered(plan.total, 1000 if name == OURS else 900, 0),
        ]
        contender.stopped, contender.stopped_after = True, 0.8
        contender.log_records.delivered = [
            Delivered(1.0, 20, 0),
            Delivered(plan.total, 200 if name == OURS else 150, 0),
        ]
        contender.log_records.stopped = True
        contender.counted = {7: 100}
        contender.counts_received = {7: (100, 100) if name == OURS else (90, 95)}
    recording.contenders[BARE].beats = [
        beat(fault.begin, started=200),
        beat(fault.begin + STALL, gap=STALL, started=250, dropped=30, failed=70),
        beat(plan.total, started=1000, dropped=30, failed=70),
    ]
    recording.contenders[BARE].log_records.beats = [
        beat(1.0, started=20),
        beat(plan.total, started=200, dropped=20, failed=30),
    ]
    recording.contenders[OURS].log_records.beats = [
        beat(1.0, started=20, health=health(exported=20)),
        beat(plan.total, started=200, health=health(exported=203)),  # three were other libraries'
    ]
    recording.contenders[OURS].beats = [
        beat(1.0, started=100, health=health(exported=100)),
        beat(fault.begin + 5.4, started=200, health=health(exported=150, in_flight=30)),
        beat(fault.end, started=600, health=health(state="open", retry_in=2.0, exported=400, retained=50)),
        beat(plan.total, started=1000, health=health(exported=1000)),
    ]
    recording.contenders[OURS].changes = [
        Change(fault.begin + 5, "closed", "open", "returned FAILURE"),
        Change(after.begin + 1, "open", "half-open", "cooldown over, probing"),
        Change(after.begin + 1.01, "half-open", "closed", "probe succeeded"),
    ]
    return recording


def beat(
    at: float,
    *,
    gap: float = 0.02,
    started: int = 0,
    dropped: int | None = 0,
    failed: int | None = 0,
    health: Mapping[str, Any] | None = None,
) -> Beat:
    """Return a line of a meter with a gap that ends at its time."""
    return Beat(at, at - gap, gap, started, dropped, failed, health)


def health(
    *,
    state: str = "closed",
    retry_in: float | None = None,
    exported: int = 0,
    failed: int = 0,
    refused: int = 0,
    dropped: int = 0,
    retained: int = 0,
    in_flight: int = 0,
) -> dict[str, Any]:
    """Return a health whose sums agree."""
    return {
        "state": state,
        "retry_in": retry_in,
        "received": exported + failed + refused + dropped + retained + in_flight,
        "exported": exported,
        "failed": failed,
        "refused": refused,
        "dropped": dropped,
        "retained": retained,
        "in_flight": in_flight,
        "spooled": 0,
        "recovered": 0,
    }


def with_health(contender: Contender, **changed: int) -> None:
    """Change the last health that a service has reported."""
    last = contender.beats[-1]
    assert last.health is not None
    contender.beats[-1] = replace(last, health={**last.health, **changed})
