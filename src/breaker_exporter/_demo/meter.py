"""The demo's meter: hub gaps, spans, log records, counter and circuit of a service while it runs."""

from __future__ import annotations

import atexit
import os
import time
from typing import TYPE_CHECKING, Any

from .._harness import meter as harness

if TYPE_CHECKING:
    from .._breaker_exporter import BreakerExporter
    from .sdk_metrics import Counts, SDKMetrics

BEAT = 0.005
"""Seconds between two heartbeats."""
REPORT = 0.2
"""Seconds between two lines."""


class Meter(harness.Meter):
    """One worker's meter: a line has the longest gap between two heartbeats since the line before.

    Attributes:
        sdk: Reads the SDK's metrics about itself; there once the meter has been started.
    """

    def __init__(self) -> None:
        super().__init__()
        self._exporters: tuple[BreakerExporter[Any, Any], ...] = ()
        self._began = self._longest = 0.0
        self.sdk: SDKMetrics

    def watch(self, exporters: tuple[BreakerExporter[Any, Any], ...]) -> None:
        """Report their health too; they are kept, because ``Telemetry`` drops them when it stops."""
        self._exporters = exporters

    def start(self) -> None:
        """Start: in the worker, after the monkey patch."""
        from .sdk_metrics import SDKMetrics

        self.sdk = SDKMetrics()
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
        self.end({**self._counts(), "gap_began": time.monotonic(), "gap": 0.0, "last": True})
        self._exporters = ()  # a gRPC channel must not be alive when the interpreter ends

    def _counts(self) -> dict[str, object]:
        from .sdk_metrics import LOG_RECORDS, SPANS

        sdk = self.sdk.read()
        return {
            "kind": "beat",
            "at": time.monotonic(),
            "pid": os.getpid(),
            **self._of("collector", self.spans_started, sdk[SPANS]),
            "logs": self._of("collector logs", self.log_records_written, sdk[LOG_RECORDS]),
            "counted": self.requests_counted,
        }

    def _of(self, name: str, started: int, sdk: Counts) -> dict[str, object]:
        """Return the counts of one signal, whose exporter has this name."""
        healths = [health for each in self._exporters if (health := harness.health_of(each))["name"] == name]
        return {
            "started": started,
            "dropped": sdk[0],
            "failed": sdk[1],
            "health": healths[0] if healths else None,
        }


meter = Meter()
"""The one that configuration and application share."""
