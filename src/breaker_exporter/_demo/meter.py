"""The demo's meter: hub gaps, spans and circuit of a service while it runs."""

from __future__ import annotations

import atexit
import os
import time
from typing import TYPE_CHECKING

from .._harness import meter as harness
from .._harness.pipe import say_or_end

if TYPE_CHECKING:
    from .._spans import CircuitBreakerSpanExporter
    from ..telemetry import Telemetry

BEAT = 0.005
"""Seconds between two heartbeats."""
REPORT = 0.2
"""Seconds between two lines."""


class Meter(harness.Meter):
    """One worker's meter: a line has the longest gap between two heartbeats since the line before."""

    def __init__(self) -> None:
        super().__init__()
        self._telemetry: Telemetry | None = None
        self._exporters: tuple[CircuitBreakerSpanExporter, ...] = ()
        self._began = self._longest = 0.0

    def watch(self, telemetry: Telemetry) -> None:
        """Report the health of its exporters too."""
        self._telemetry = telemetry

    def start(self) -> None:
        """Start: in the worker, after the monkey patch and before the processor is made."""
        from .sdk_metrics import SDKMetrics

        self._sdk = SDKMetrics()
        # Registered before the providers' own handlers, so that it runs after their last flush and counts it.
        atexit.register(self._last_line)
        self.begin(BEAT, REPORT)

    def beat(self, last: float, now: float, pause: float) -> None:
        """Keep the longest gap, and when it began."""
        if now - last > self._longest:
            self._began, self._longest = last, now - last

    def line(self) -> dict[str, object]:
        """Return counts, health and the longest gap."""
        line = {**self._counts(), "gap_began": self._began, "gap": self._longest}
        self._longest = 0.0
        return line

    def _last_line(self) -> None:
        say_or_end({**self._counts(), "gap_began": time.monotonic(), "gap": 0.0, "last": True})
        self._exporters = ()  # a gRPC channel must not be alive when the interpreter ends

    def _counts(self) -> dict[str, object]:
        dropped, failed = self._sdk.read()
        if self._telemetry and (exporters := self._telemetry.exporters):
            self._exporters = exporters  # kept, because Telemetry drops them when it stops
        return {
            "kind": "beat",
            "at": time.monotonic(),
            "pid": os.getpid(),
            "started": self.spans_started,
            "dropped": dropped,
            "failed": failed,
            "health": harness.health_of(self._exporters[-1]) if self._exporters else None,
        }


meter = Meter()
"""The one that configuration and application share."""
