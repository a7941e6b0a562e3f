"""What a worker tells about itself: every delay of its hub, its CPU time, its memory, circuit changes.

By a pipe, a line of JSON at a time; a hub that stands still says nothing, and its next line has the delay.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

from breaker_exporter._concurrency.hub import is_patched
from breaker_exporter._demo.pipe import FD_VARIABLE, say

if TYPE_CHECKING:
    from breaker_exporter import CircuitTransition

BEAT = 0.002
"""Seconds that the heartbeat sleeps; what it oversleeps is the delay of the hub."""
_REPORT = 0.25
"""Seconds between two lines."""


class Meter:
    """One worker's meter.

    Attributes:
        spans_started: Spans the application has started; it counts them.
    """

    def __init__(self) -> None:
        self.spans_started = 0
        self._beats: list[tuple[float, float]] = []

    def start(self) -> None:
        """Begin: in the worker, after any monkey patch. A greenlet there, a thread elsewhere."""
        os.set_blocking(int(os.environ[FD_VARIABLE]), False)
        # Without a hub there is nothing to feel, and what wakes so often costs CPU itself.
        pause = BEAT if is_patched() and not os.environ.get("BENCH_CPU_ONLY") else _REPORT
        threading.Thread(target=self._beat, args=(pause,), daemon=True).start()

    def note(self, transition: CircuitTransition) -> None:
        """Tell of a circuit's change at once."""
        self._say({"kind": "change", "at": time.monotonic(), "new": transition.new.value})

    def _beat(self, pause: float) -> None:
        last = reported = time.monotonic()
        while True:
            time.sleep(pause)
            now = time.monotonic()
            self._beats.append((round(last, 4), round(max(0.0, now - last - pause), 5)))
            last = now
            if now - reported >= _REPORT:
                self._report()
                last = reported = time.monotonic()

    def _report(self) -> None:
        beats, self._beats = self._beats, []
        with open("/proc/self/statm") as statm:
            resident = int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        self._say(
            {
                "kind": "meter",
                "at": time.monotonic(),
                "beats": beats,
                "cpu": time.process_time(),  # os.times() counts in steps of 10 ms
                "resident": resident,
                "started": self.spans_started,
            }
        )

    def _say(self, line: dict[str, object]) -> None:
        try:
            with contextlib.suppress(BlockingIOError):
                say(line)
        except BrokenPipeError:
            os.killpg(0, signal.SIGTERM)  # the benchmark is gone, and so should its service be


meter = Meter()
"""The one that configuration and application share."""
