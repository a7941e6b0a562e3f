"""The entry of lines into the recording."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .figures import SETTLED, held_now
from .plan import WARM_UP
from .recording import Beat, Change, Recording


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
    recording.contenders[name].held = held_now(recording.contenders[name])


def _take_requests(recording: Recording, line: Mapping[str, Any]) -> None:
    recording.load_late = max(recording.load_late, line["late"])
    for name, index, latency, status in line["done"]:
        contender = recording.contenders[name]
        contender.latencies[index] = latency
        if status != 200:
            contender.errors.add(index)


def _take_beat(recording: Recording, name: str, line: Mapping[str, Any]) -> None:
    contender = recording.contenders[name]
    if contender.worker not in (None, line["pid"]):
        contender.earlier = _counts_of(contender.beats[-1])
    contender.worker = line["pid"]
    earlier, health = contender.earlier, line["health"]
    beat = Beat(
        at=line["at"] - recording.start,
        gap_began=line["gap_began"] - recording.start,
        gap=line["gap"],
        started=line["started"] + earlier.get("started", 0),
        dropped=_sum(line["dropped"], earlier, "dropped by the queue"),
        failed=_sum(line["failed"], earlier, "failed, as the SDK counts"),
        health=health and {**health, **{each: health[each] + earlier.get(each, 0) for each in SETTLED}},
    )
    contender.beats.append(beat)
    contender.stopped = line.get("last", False)


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
