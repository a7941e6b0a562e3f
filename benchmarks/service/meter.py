"""The benchmark's meter: every delay of a worker's hub, its CPU time, its memory, circuit changes."""

from __future__ import annotations

import os
import time

from breaker_exporter._concurrency.patched import is_patched
from breaker_exporter._harness import meter as harness

BEAT = 0.002
"""Seconds between two heartbeats; what they take longer is the delay of the hub."""
_REPORT = 0.25
"""Seconds between two lines."""


class Meter(harness.Meter):
    """One worker's meter: a line has all heartbeats since the line before."""

    def __init__(self) -> None:
        super().__init__()
        self._beats: list[tuple[float, float]] = []

    def start(self) -> None:
        """Start: in the worker, after any monkey patch."""
        # Without a hub there is no delay to feel, and a thread that wakes so often costs CPU itself.
        feels_hub = is_patched() and not os.environ.get("BENCH_CPU_ONLY")
        self.begin(BEAT if feels_hub else _REPORT, _REPORT)

    def beat(self, last: float, now: float, pause: float) -> None:
        """Keep when the hub was due back, and how late it was."""
        self._beats.append((round(last, 4), round(max(0.0, now - last - pause), 5)))

    def line(self) -> dict[str, object]:
        """Return heartbeats, CPU time and memory."""
        beats, self._beats = self._beats, []
        return {
            "kind": "meter",
            "at": time.monotonic(),
            "beats": beats,
            "cpu": time.process_time(),  # os.times() counts in steps of 10 ms
            "resident": harness.resident_bytes(),
            "started": self.spans_started,
        }


meter = Meter()
"""The one that configuration and application share."""
