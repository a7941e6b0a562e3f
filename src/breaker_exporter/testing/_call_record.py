"""The record of a scripted exporter: its calls, and how many ran at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ._native import native

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.trace import ReadableSpan


@dataclass(frozen=True, slots=True)
class Call:
    """One call of ``export``.

    Attributes:
        spans: The spans it was given; none for an exporter of another signal.
        thread: The operating system's id of the thread it ran on (``threading.get_native_id()``), which
            greenlets of one thread share.
        started: When it began, in seconds of ``time.monotonic``.
        ended: When it returned or raised; ``None`` while it runs.
        log_records: The log records it was given, likewise.
        metrics_data: The metrics it was given, or ``None``.
        timeout_millis: The time it was given for its metrics, in ms, or ``None``.
    """

    spans: tuple[ReadableSpan, ...]
    thread: int
    started: float
    ended: float | None = None
    log_records: tuple[ReadableLogRecord, ...] = ()
    metrics_data: MetricsData | None = None
    timeout_millis: float | None = None


class CallRecord:
    """Records calls of any threads and greenlets."""

    def __init__(self) -> None:
        self._allocate_lock: Callable[[], threading.Lock] = native("_thread", "allocate_lock")
        self._guard = self._allocate_lock()
        self._calls: list[Call] = []
        self._running: dict[int, int] = {}
        self._max_concurrency = 0
        self._successful: list[Call] = []
        self._shutdown_calls = 0
        self._flush_calls = 0

    def begin(
        self,
        spans: tuple[ReadableSpan, ...] = (),
        log_records: tuple[ReadableLogRecord, ...] = (),
        metrics_data: MetricsData | None = None,
        timeout_millis: float | None = None,
    ) -> int:
        """Record that a call of ``export`` begins; return its number, from 0."""
        call = Call(
            spans,
            threading.get_native_id(),
            time.monotonic(),
            log_records=log_records,
            metrics_data=metrics_data,
            timeout_millis=timeout_millis,
        )
        with self._guard:
            number = len(self._calls)
            self._calls.append(call)
            self._running[number] = threading.get_ident()
            self._max_concurrency = max(self._max_concurrency, len(self._running))
            return number

    def end(self, number: int, *, succeeded: bool) -> None:
        """Record the end of a call."""
        with self._guard:
            call = self._calls[number] = replace(self._calls[number], ended=time.monotonic())
            self._running.pop(number, None)  # not there where a fork came between
            if succeeded:
                self._successful.append(call)

    def shutdown(self) -> None:
        """Record a call of ``shutdown``."""
        with self._guard:
            self._shutdown_calls += 1

    def flush(self) -> None:
        """Record a call of ``force_flush``."""
        with self._guard:
            self._flush_calls += 1

    @property
    def calls(self) -> list[Call]:
        """The calls of ``export`` so far, in the order in which they began."""
        with self._guard:
            return list(self._calls)

    @property
    def successful(self) -> list[Call]:
        """The calls that returned ``SUCCESS``, in the order in which they returned."""
        with self._guard:
            return list(self._successful)

    @property
    def max_concurrency(self) -> int:
        """The largest number of calls of ``export`` that ran at once."""
        return self._max_concurrency

    @property
    def shutdown_calls(self) -> int:
        """Number of calls of ``shutdown``."""
        return self._shutdown_calls

    @property
    def flush_calls(self) -> int:
        """Number of calls of ``force_flush``."""
        return self._flush_calls

    def forked(self) -> None:
        """Forget running calls of other threads in a forked child, and replace the guard they may hold."""
        self._guard = self._allocate_lock()
        here = threading.get_ident()
        self._running = {number: thread for number, thread in self._running.items() if thread == here}
