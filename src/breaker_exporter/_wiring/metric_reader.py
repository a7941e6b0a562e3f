"""OpenTelemetry's periodic reader of metrics, with a thread that no forked child starts anew.

The SDK's goes on in each forked child, from the sums of its parent, and never again exports where the fork
came in the middle of an export.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

from .._base.log import say
from .._base.redaction import origin

if TYPE_CHECKING:
    from .._metrics import CircuitBreakerMetricExporter
    from .batch_settings import Reading


class IntervalReader(PeriodicExportingMetricReader):
    """Collects and exports metrics at intervals, in the process that made it.

    Args:
        exporter: The exporter of the metrics; its temporality and aggregation hold.
        reading: The interval, and the time for one collection.
    """

    def __init__(self, exporter: CircuitBreakerMetricExporter, reading: Reading) -> None:
        super().__init__(exporter, math.inf, reading.timeout * 1000)  # inf: no thread of the SDK's
        self._breaker = exporter
        self._reading = reading
        self._failed = False
        self._pid = os.getpid()
        self._told_to_end = threading.Event()
        # After gevent's patch it is a greenlet.
        self._thread = threading.Thread(target=self._run, name="breaker-exporter-metrics", daemon=True)
        self._thread.start()

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Collect and export now; false after the shutdown, and in a forked child."""
        if self._told_to_end.is_set() or self._pid != os.getpid():
            return False
        deadline = time.monotonic() + timeout_millis / 1000
        self.collect(timeout_millis=timeout_millis)
        left = max(0.0, deadline - time.monotonic())
        return self._breaker.force_flush(left * 1000)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Collect and export for the last time, and shut the exporter down, in so many milliseconds."""
        if self._told_to_end.is_set():
            return
        deadline = time.monotonic() + timeout_millis / 1000
        self._told_to_end.set()
        self._thread.join(max(0.0, timeout_millis / 1000))
        left = max(0.0, deadline - time.monotonic())
        super().shutdown(timeout_millis=left * 1000, **kwargs)

    def _run(self) -> None:
        try:
            while not self._told_to_end.wait(self._reading.interval):
                self._export_once()
            self._export_once()  # here: at interpreter exit, from Python 3.12 on, no other thread can start
        except BaseException as error:  # a greenlet that was killed, or a callback that let a timeout out
            say(logging.WARNING, "metrics are not exported any more: %r ended their thread", error)
            raise

    def _export_once(self) -> None:
        try:
            self.collect(timeout_millis=self._reading.timeout * 1000)
        except Exception as error:  # a callback of the application's that takes too long
            if not self._failed:
                say(logging.WARNING, "metrics were not collected, and are not exported: %s", origin(error))
            self._failed = True
        else:
            self._failed = False
