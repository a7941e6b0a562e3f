"""The entry of lines into the recording."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .figures import SETTLED, held_now
from .plan import WARM_UP
from .recording import Beat, Change, Items, Recording


def take(recording: Recording, name: str, line: Mapping[str, Any]) -> None:
    """Enter a line of the service called `name`, or of the load.

    Lines from before the load's start are left out: the services still boot.
    """
    kind = line["kind"]
    if kind == "load":
        recording.start = line["start"] + WARM_UP
    elif kind == "requests":
        _take_requests(recording, line)
    elif recording.start and kind == "change":
        change = Change(line["at"] - recording.start, line["old"], line["new"], line["reason"])
        recording.contenders[name].changes.append(change)
    elif recording.start and kind == "beat":
        _take_beat(recording, name, line)


def note_kill(recording: Recording, name: str) -> None:
    """Enter that the worker of the service called `name` is killed now."""
    contender = recording.contenders[name]
    for items in (contender, contender.log_records):
        items.held = held_now(items)


def _take_requests(recording: Recording, line: Mapping[str, Any]) -> None:
    recording.load_late = max(recording.load_late, line["late"])
    for name, index, latency, status in line["done"]:
        contender = recording.contenders[name]
        contender.latencies[index] = latency
        if status != 200:
            contender.errors.add(index)


def _take_beat(recording: Recording, name: str, line: Mapping[str, Any]) -> None:
    contender = recording.contenders[name]
    is_new = contender.worker not in (None, line["pid"])
    contender.worker = line["pid"]
    contender.counted[line["pid"]] = line["counted"]
    for items, counts in ((contender, line), (contender.log_records, line["logs"])):
        if is_new:
            items.earlier = _counts_of(items.beats[-1])
        _enter(recording, items, line, counts)


def _enter(recording: Recording, items: Items, line: Mapping[str, Any], counts: Mapping[str, Any]) -> None:
    earlier, health = items.earlier, counts["health"]
    beat = Beat(
        at=line["at"] - recording.start,
        gap_began=line["gap_began"] - recording.start,
        gap=line["gap"],
        started=counts["started"] + earlier.get("started", 0),
        dropped=_sum(counts["dropped"], earlier, "dropped by the queue"),
        failed=_sum(counts["failed"], earlier, "failed, as the SDK counts"),
        health=health and {**health, **{each: health[each] + earlier.get(each, 0) for each in SETTLED}},
    )
    items.beats.append(beat)
    items.stopped = line.get("last", False)


def _counts_of(beat: Beat) -> dict[str, int]:
    """The counts that go on with the next worker: what this one still held is no part of them."""
    counts = {
        "started": beat.started,
        "dropped by the queue": beat.dropped or 0,
        "failed, as the SDK counts": beat.failed or 0,
    }
    if beat.health is not None:
        counts |= {each: int(beat.health[each]) for each in SETTLED}
        counts["received"] -= int(beat.health["retained"]) + int(beat.health["in_flight"])
    return counts


def _sum(now: int | None, earlier: Mapping[str, int], name: str) -> int | None:
    return None if now is None else now + earlier.get(name, 0)
