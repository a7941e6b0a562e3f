"""What a service tells about itself while it runs: hub gaps, spans, circuit; one line of JSON at a time.

By a pipe, for a hub that stands still answers no request; that it does so is seen from the silence. The
arbiter imports this before gevent's monkey patch: it loads nothing heavy.
"""

from __future__ import annotations

import atexit
import os
import signal
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from .._base.values import CircuitTransition
from .pipe import FD_VARIABLE, say

if TYPE_CHECKING:
    from .._spans import CircuitBreakerSpanExporter
    from ..telemetry import Telemetry

BEAT = 0.005
"""Seconds the heartbeat sleeps."""
REPORT = 0.2
"""Seconds between two lines."""


class Meter:
    """One worker's meter.

    Attributes:
        spans_started: Spans the application has started; it counts them.
    """

    def __init__(self) -> None:
        self.spans_started = 0
        self._telemetry: Telemetry | None = None
        self._exporters: tuple[CircuitBreakerSpanExporter, ...] = ()

    def watch(self, telemetry: Telemetry) -> None:
        """Report the health of these exporters too."""
        self._telemetry = telemetry

    def start(self) -> None:
        """Start the heartbeat: in the worker, after the monkey patch and before the processor is made."""
        import gevent

        from .sdk_metrics import SDKMetrics

        self._sdk = SDKMetrics()
        os.set_blocking(int(os.environ[FD_VARIABLE]), False)
        # Registered before the providers' own: runs after them, and sees what their last flush did.
        atexit.register(self._last_line)
        gevent.spawn(self._beat)

    def note(self, transition: CircuitTransition) -> None:
        """Report a transition at once."""
        self._write(
            {
                "kind": "transition",
                "at": time.monotonic(),
                "old": transition.old.value,
                "new": transition.new.value,
                "reason": transition.reason,
            }
        )

    def _beat(self) -> None:
        import gevent

        last = reported = time.monotonic()
        began, longest = last, 0.0
        while True:
            gevent.sleep(BEAT)
            now = time.monotonic()
            if now - last > longest:
                began, longest = last, now - last
            last = now
            if now - reported >= REPORT:
                self._write({**self._facts(), "gap_began": began, "gap": longest})
                # What this line itself cost is no standstill of the service.
                last = reported = time.monotonic()
                began, longest = last, 0.0

    def _last_line(self) -> None:
        now = time.monotonic()
        self._write({**self._facts(), "gap_began": now, "gap": 0.0, "last": True})
        self._exporters = ()  # a gRPC channel is not to live on into the interpreter's end

    def _facts(self) -> dict[str, object]:
        dropped, failed = self._sdk.read()
        if self._telemetry and (exporters := self._telemetry.exporters):
            self._exporters = exporters  # kept, for it lets go of them when it stops
        health = None
        for exporter in self._exporters:
            snapshot = exporter.health()
            health = {**asdict(snapshot), "state": snapshot.state.value}
        return {
            "kind": "beat",
            "at": time.monotonic(),
            "pid": os.getpid(),
            "started": self.spans_started,
            "dropped": dropped,
            "failed": failed,
            "health": health,
        }

    def _write(self, line: dict[str, object]) -> None:
        try:
            say(line)
        except BlockingIOError:
            pass  # nobody reads just now; the next line says more
        except BrokenPipeError:
            os.killpg(0, signal.SIGTERM)  # nobody ever will: the demo is gone, and so should its services be


meter = Meter()
"""The one that configuration and application share."""
