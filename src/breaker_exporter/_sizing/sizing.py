"""The memory for an outage, by encoding and packing spans, and the time of the replay, by its own pace."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .._core.replay_pace import ReplayPace
from .._core.retention import SHARE_OF_CGROUP
from .._core.retention_settings import RETAIN_MAX_AGE
from .._wiring.batch_settings import BATCH_SIZE, SCHEDULE_DELAY
from ..otlp._settings import MAX_REQUEST_SIZE

_MIB = 1 << 20
_IN_HAND = 2
"""Batches that are not packed: one that has just come, one in a call."""
_MOST_STEPS = 500_000
"""Batches of a replay that are simulated; the pace is steady long before."""
_WARM_UP = 60.0
"""Seconds of traffic before the outage ends, after which the pace knows the live rate."""


@dataclass(frozen=True, slots=True)
class SpanSize:
    """The bytes that a span takes on average.

    Attributes:
        spans: Number of spans that were measured, in one batch.
        encoded: Bytes.
        packed: Bytes, in the form in which it is kept.
    """

    spans: int
    encoded: float
    packed: float


@dataclass(frozen=True, slots=True)
class Sizing:
    """The memory and the time that an outage takes.

    Attributes:
        spans: Number of spans that end in it.
        memory: Bytes that keep them in each process: a whole number of MiB.
        container: Bytes that the process's cgroup must have, so that the memory is not cut.
        replay: Seconds from the backend's return until all are delivered.
        max_age: Seconds that the first of them waits, where that is more than the default allows.
    """

    spans: int
    memory: int
    container: int
    replay: float
    max_age: int | None


def batch_size(rate: float) -> int:
    """Number of spans in a batch of the SDK's processor, with its own settings, at `rate` spans/s."""
    return max(1, min(BATCH_SIZE.default, math.ceil(rate * SCHEDULE_DELAY.default / 1000)))


def measured(spans: int) -> SpanSize:
    """Encode and pack a batch of so many spans of a web service."""
    from ..otlp._encode.spans import encode_spans
    from ..otlp._payload import EncodedPayload
    from .spans import web_spans

    encoded = encode_spans(web_spans(spans), MAX_REQUEST_SIZE.default, _nothing)
    payload = EncodedPayload(encoded.requests)
    return SpanSize(spans, payload.size / spans, payload.packed(_nothing).size / spans)


def sizing(rate: float, seconds: float, replay_rate: float, size: SpanSize) -> Sizing:
    """Compute the memory and the time that an outage takes.

    Args:
        rate: Spans/s of one process.
        seconds: Length of the outage.
        replay_rate: Most that is replayed, in multiples of `rate`.
        size: Of a span.
    """
    spans = math.ceil(rate * seconds)
    needed = spans * size.packed + _IN_HAND * size.spans * size.encoded
    memory = math.ceil(needed / _MIB) * _MIB
    replay = replay_time(rate, spans, replay_rate, size.spans)
    age = math.ceil(seconds + replay)
    return Sizing(
        spans, memory, memory * SHARE_OF_CGROUP, replay, age if age > RETAIN_MAX_AGE.default else None
    )


def replay_time(rate: float, spans: int, replay_rate: float, batch: int) -> float:
    """Seconds until so many kept spans are replayed, where the backend takes them and traffic stays as it is.

    Args:
        rate: Spans/s of live traffic.
        spans: Number of kept spans.
        replay_rate: Most that is replayed, in multiples of `rate`.
        batch: Spans in each batch.
    """
    pace, gap = ReplayPace(replay_rate), batch / rate
    begin = now = max(_WARM_UP, gap)
    left, steady_since, steady_left, live_at = spans, now, spans, 0.0
    for step in range(_MOST_STEPS):
        while live_at <= now:
            pace.live(batch, live_at)
            live_at += gap
        if (wait := pace.wait(now)) > 0:
            now = min(now + wait, live_at)
            continue
        if step < _MOST_STEPS // 2:
            steady_since, steady_left = now, left
        items = min(batch, left)
        pace.replayed(items, 0.0, now)
        left -= items
        if not left:
            return now - begin
    return now - begin + left * (now - steady_since) / (steady_left - left)


def _nothing() -> None:
    """Nobody else has to run here."""
