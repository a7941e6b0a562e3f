"""The entry of lines into the recording."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def _take_requests(recording: Recording, line: Mapping[str, Any]) -> None:
    recording.load_late = max(recording.load_late, line["late"])
    for name, index, latency, status in line["done"]:
        contender = recording.contenders[name]
        contender.latencies[index] = latency
        if status != 200:
            contender.errors.add(index)


def _take_beat(recording: Recording, name: str, line: Mapping[str, Any]) -> None:
    contender = recording.contenders[name]
    beat = Beat(
        at=line["at"] - recording.start,
        gap_began=line["gap_began"] - recording.start,
        gap=line["gap"],
        started=line["started"],
        dropped=line["dropped"],
        failed=line["failed"],
        health=line["health"],
    )
    contender.beats.append(beat)
    contender.stopped = line.get("last", False)
