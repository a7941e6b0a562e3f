"""The promises about batches on disk, judged by ids of spans: what ended, what arrived, what lies there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from breaker_exporter.testing import Fault

from ..cell import Event
from ..observations import Observations
from .lost import IN_HAND, lost_of


def broken_on_disk(raw: Observations) -> list[str]:
    """Return the promises about the disk that did not hold."""
    disk = raw.cell.disk
    if disk is None:
        return []
    lasts = [last for service in raw.exporting for last in service.lasts]
    lost, counted = len(lost_ids(raw)), sum(map(_lost_by_count, lasts))
    gone = len(raw.lay_there - raw.taken - {*raw.left.ids})
    owed, lie = _still_spooled(lasts), len(raw.left.ids) - len(raw.lay_there)
    is_killed = any(service.killed for service in raw.exporting)
    is_frozen = any(service.frozen for service in raw.exporting)
    row = raw.cell.row
    # Or it ends in the outage, and can neither send nor write.
    may_lose = row.steps[0].fault is Fault.PARTIAL_SUCCESS or (row.ends and bool(disk.warnings))
    checks = {
        "nobody held the lease": row.event is Event.FREEZE and not is_frozen,
        f"{lost} spans were lost": lost > 0 and not may_lose,
        f"{counted} spans count as lost": counted > 0 and not may_lose,
        f"{lost} spans were lost, and {counted} count as lost": lost > counted,
        f"{gone} spans that lay there before were lost": gone > 0,
        f"{owed} spans count as on disk, and {lie} lie there": not is_killed
        and (owed > lie or (owed < lie and not disk.may_leave_more)),
        f"{raw.files_while_healthy} files were written while all was well": raw.files_while_healthy > 0,
    }
    return [*_said(raw), *raw.littered, *(text for text, holds in checks.items() if holds)]


def lost_ids(raw: Observations) -> set[str]:
    """Return the spans that neither arrived nor lie on disk, those aside that a killed worker may lose."""
    killed = {pid: at for service in raw.exporting for pid, at in service.killed.items()}
    return lost_of({*raw.ended} - raw.taken - {*raw.left.ids}, raw.ended, killed)


def in_hand(raw: Observations) -> int:
    """Return the number of spans that may arrive twice since their worker was killed."""
    return IN_HAND * sum(len(service.killed) for service in raw.exporting)


def _lost_by_count(last: Mapping[str, Any]) -> int:
    health = last["health"]
    queue: int = last["started"] - health["received"]
    return queue + int(health["failed"]) + int(health["refused"]) + int(health["dropped"])


def _still_spooled(lasts: list[dict[str, Any]]) -> int:
    return sum(int(last["health"]["spooled"]) - int(last["health"]["recovered"]) for last in lasts)


def _said(raw: Observations) -> list[str]:
    """Each warning once from each service, and no other about the disk."""
    disk = raw.cell.disk
    assert disk is not None
    # A disk hangs when it has not answered for 5 s: the service may end before.
    is_cut_short = raw.cell.row.ends and disk.may_leave_more
    found = []
    for service in raw.exporting:
        told = Counter({words: service.output.count(words) for words in {*disk.warnings, *_ABOUT_THE_DISK}})
        found += [
            f"{words!r} was said {told[words]} times"
            for words in disk.warnings
            if told[words] > 1 or not (told[words] or is_cut_short)
        ]
        if not disk.warnings:
            found += [f"{words!r} was said" for words in _ABOUT_THE_DISK if told[words]]
    return found


_ABOUT_THE_DISK = ("in memory alone", "no room on disk")
