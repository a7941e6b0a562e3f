"""The meter of a service: a heartbeat that measures delays of the hub, and lines that report them.

Lines go through a pipe, because a hub that stands still answers no request. Gunicorn's arbiter imports this
module before gevent's monkey patch, so it loads nothing heavy.
"""

from __future__ import annotations

import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .pipe import say_or_end, set_blocking

if TYPE_CHECKING:
    from .._base.values import CircuitTransition
    from .._breaker_exporter import BreakerExporter


_OF_OTHERS = ("collector logs", "collector metrics")
"""Names of the circuits that log records and metrics have for themselves; one that is shared counts."""


class Meter(ABC):
    """One worker's meter; subclasses define what each heartbeat measures and each line reports.

    Attributes:
        spans_started: Number of spans that the application has started; the application counts them.
        log_records_written: Number of log records that it has written.
        requests_counted: Number of requests that its counter and its histogram have counted.
    """

    def __init__(self) -> None:
        self.spans_started = 0
        self.log_records_written = 0
        self.requests_counted = 0
        self._is_over = False

    def begin(self, pause: float, every: float) -> None:
        """Start the heartbeat in the worker, after any monkey patch: a greenlet then, else a thread.

        Args:
            pause: Seconds between two heartbeats; what they take longer is the delay of the hub.
            every: Seconds between two lines.
        """
        set_blocking(False)
        threading.Thread(target=self._run, args=(pause, every), daemon=True).start()

    def note(self, transition: CircuitTransition) -> None:
        """Report a change of a circuit's state at once, but for those of other signals than spans alone."""
        if transition.name in _OF_OTHERS:
            return
        say_or_end(
            {
                "kind": "change",
                "at": time.monotonic(),
                "old": transition.old.value,
                "new": transition.new.value,
                "reason": transition.reason,
            }
        )

    def end(self, line: Mapping[str, object]) -> None:
        """Write the last line: no other comes after it, however long the process takes to end."""
        self._is_over = True
        say_or_end(line)

    @abstractmethod
    def beat(self, last: float, now: float, pause: float) -> None:
        """Keep what a heartbeat at `now` shows; the previous one was at `last` (s, monotonic clock)."""

    @abstractmethod
    def line(self) -> dict[str, object]:
        """Return the next line, and begin to collect for the following one."""

    def _run(self, pause: float, every: float) -> None:
        last = reported = time.monotonic()
        while True:
            time.sleep(pause)
            now = time.monotonic()
            self.beat(last, now, pause)
            last = now
            if self._is_over:
                return
            if now - reported >= every:
                say_or_end(self.line())
                # The time that the line itself took is no delay of the service.
                last = reported = time.monotonic()


def health_of(exporter: BreakerExporter[Any, Any]) -> dict[str, object]:
    """Return the exporter's health, ready for JSON."""
    health = exporter.health()
    return {**asdict(health), "state": health.state.value}


def resident_bytes() -> int:
    """Return the memory of this process that is resident, in bytes."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
