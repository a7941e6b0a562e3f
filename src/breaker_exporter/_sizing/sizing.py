"""The memory for an outage, and the time of the replay, by its own pace."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .._core.replay_pace import ReplayPace
from .._core.retention import SHARE_OF_CGROUP
from .._core.retention_settings import RETAIN_MAX_AGE
from .traffic import ItemSize, Traffic

_MIB = 1 << 20
_IN_HAND = 2
"""Batches of a signal that are not packed: one that has just come, one in a call."""
_MOST_STEPS = 500_000
"""Batches of a replay that are simulated; the pace is steady long before."""
_WARM_UP = 60.0
"""Seconds of traffic before the outage ends, after which the pace knows the live rate."""


@dataclass(frozen=True, slots=True)
class Sizing:
    """The memory and the time that an outage takes.

    Attributes:
        items: Number of items of each signal that come in it.
        memory: Bytes that keep them all in each process: a whole number of MiB.
        container: Bytes that the process's cgroup must have, so that the memory is not cut.
        replay: Seconds from the backend's return until all are delivered, all signals side by side.
        max_age: Seconds that the first of them waits, where that is more than the default allows.
    """

    items: tuple[int, ...]
    memory: int
    container: int
    replay: float
    max_age: int | None


def sizing(signals: Sequence[tuple[Traffic, ItemSize]], seconds: float, replay_rate: float) -> Sizing:
    """Compute the memory and the time that an outage takes.

    Args:
        signals: What one process makes of each signal, one or more, and what an item takes.
        seconds: Length of the outage.
        replay_rate: Most that is replayed, in multiples of the live rate.
    """
    items = tuple(traffic.items_in(seconds) for traffic, _ in signals)
    needed = sum(
        count * size.packed + _IN_HAND * traffic.batch * size.encoded
        for count, (traffic, size) in zip(items, signals, strict=True)
    )
    memory = math.ceil(needed / _MIB) * _MIB
    replay = max(
        replay_time(traffic, count, replay_rate) for count, (traffic, _) in zip(items, signals, strict=True)
    )
    age = math.ceil(seconds + replay)
    return Sizing(
        items, memory, memory * SHARE_OF_CGROUP, replay, age if age > RETAIN_MAX_AGE.default else None
    )


def replay_time(traffic: Traffic, kept: int, replay_rate: float) -> float:
    """Seconds until what was kept is replayed, where the backend takes it and traffic stays as it is.

    Where the order matters, until what has come meanwhile is, too.

    Args:
        traffic: What comes live.
        kept: Number of items.
        replay_rate: Most that is replayed, in multiples of the live rate.
    """
    pace, gap = ReplayPace(replay_rate, carries_live=traffic.is_in_order), traffic.batch / traffic.rate
    begin = now = max(_WARM_UP, gap)
    left, steady_since, steady_left, live_at = kept, now, kept, 0.0
    for step in range(_MOST_STEPS):
        while live_at <= now:
            pace.live(traffic.batch, live_at)
            if traffic.is_in_order and live_at > begin:
                left += traffic.batch
            live_at += gap
        if (wait := pace.wait(now)) > 0:
            now = min(now + wait, live_at)
            continue
        if step < _MOST_STEPS // 2:
            steady_since, steady_left = now, left
        items = min(traffic.batch, left)
        pace.replayed(items, 0.0, now)
        left -= items
        if not left:
            return now - begin
    gone = max(steady_left - left, 1)  # at the slowest rates, live items hide it
    return now - begin + left * (now - steady_since) / gone
