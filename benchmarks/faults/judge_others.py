"""The promises about log records and metrics, judged by sequence numbers and by sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from breaker_exporter._harness.received import is_of_work, written_by
from breaker_exporter.testing import Fault

from .observations import Observations
from .other_signals import OtherSignals, Received

_FOREIGN = 40
"""Log lines of ours and of other libraries in a cell; what an export logs of itself would be hundreds."""
_FINAL = (400, 413)
"""Statuses that say that the items will never be taken."""


def other_signals(lasts: Sequence[Mapping[str, Any]], received: Received) -> OtherSignals:
    """Return the figures of log records and metrics.

    Args:
        lasts: The last reports of workers.
        received: What the collector took.
    """
    healths = [last["logs"] or {} for last in lasts]
    written = {last["pid"]: int(last["log_records"]) for last in lasts}
    counted = {last["pid"]: int(last["counted"]) for last in lasts}
    bodies = {body for pid, number in written.items() for body in written_by(pid, number)}

    def total(*names: str) -> int:
        return sum(int(health.get(name, 0)) for health in healths for name in names)

    queue = sum(max(0, last["log_records"] - last["logs"]["received"]) for last in lasts if last["logs"])
    return OtherSignals(
        written=len(bodies),
        lost=len(bodies - received.bodies),
        counted_lost=total("failed", "refused", "dropped") + queue,
        exported=total("exported"),
        resent=total("resent"),
        taken=received.log_records,
        duplicates=received.duplicates,
        foreign=received.log_records - sum(map(is_of_work, received.bodies)),
        counted=sum(counted.values()),
        received=sum(map(min, received.counted.values())),
        wrong_sums=sum(received.counted.get(pid) != (number, number) for pid, number in counted.items()),
    )


def broken_of_others(raw: Observations, it: OtherSignals) -> list[str]:
    """Return the promises about log records and metrics that did not hold."""
    row = raw.cell.row
    rejected = row.steps[0].fault is Fault.PARTIAL_SUCCESS
    is_final = rejected or row.steps[0].settings.get("status") in _FINAL
    ends = row.ends or row.replaces  # in the fault, and what is kept in memory with it
    checks = {
        f"{it.lost} log records were lost": it.lost > 0 and not (is_final or ends),
        f"{it.lost} log records were lost, and {it.counted_lost} count as lost": it.lost > it.counted_lost,
        f"{it.exported} log records count as exported, and the collector took {it.taken}": it.exported
        > it.taken,
        f"{it.duplicates} log records were delivered twice": it.duplicates > it.resent,
        f"{it.foreign} log records are none of the application's": it.foreign > _FOREIGN,
        f"the sum of a counter is {it.received}, and {it.counted} requests were counted": it.wrong_sums > 0
        and not ends,
    }
    return [text for text, holds in checks.items() if holds]
