"""The fault matrix's meter: a worker's hub delay, circuit, items, threads; and a last report."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter._concurrency.patched import is_patched
from breaker_exporter._harness.meter import Meter, health_of, resident_bytes
from breaker_exporter._harness.pipe import set_blocking

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from breaker_exporter._breaker_exporter import BreakerExporter

_BEAT = 0.005
_REPORT = 0.2
"""Seconds."""


class Facts(Meter):
    """One worker's meter.

    Attributes:
        exporters: The exporters whose health is reported, that of spans first, then that of log records.
    """

    def __init__(self) -> None:
        super().__init__()
        self.exporters: tuple[BreakerExporter[Any, Any], ...] = ()
        self._claimed: list[str] = []
        self._longest = 0.0

    def start(self) -> None:
        """Start: in the worker, after any monkey patch."""
        if os.environ.get("FAULTS_CLAIMS") and self.exporters:
            self._listen_to(self.exporters[0])
        # Without a hub there is no delay to feel, and a thread that wakes so often would be felt itself.
        self.begin(_BEAT if is_patched() else _REPORT, _REPORT)

    def last(self) -> None:
        """Write the last report, once the queue has been exported."""
        set_blocking(True)
        self.end({**self._now(), "kind": "last", "claimed": self._claimed})
        self.exporters = ()  # a gRPC channel that lives until the interpreter's end may complain there

    def beat(self, last: float, now: float, pause: float) -> None:
        """Keep the longest delay."""
        self._longest = max(self._longest, now - last - pause)

    def line(self) -> dict[str, object]:
        """Return the facts as they are now, and the longest delay."""
        longest, self._longest = self._longest, 0.0
        return {**self._now(), "kind": "facts", "gap": longest if is_patched() else None}

    def _listen_to(self, exporter: Any) -> None:
        """Keep the ids of the spans that the exporter says it has exported."""
        export = exporter.export

        def noting(spans: Sequence[ReadableSpan]) -> SpanExportResult:
            contexts = [span.get_span_context() for span in spans]
            result: SpanExportResult = export(spans)
            if result is SpanExportResult.SUCCESS:
                self._claimed += [f"{context.span_id:016x}" for context in contexts if context]
            return result

        exporter.export = noting

    def _now(self) -> dict[str, object]:
        return {
            "pid": os.getpid(),
            "at": time.monotonic(),
            "started": self.spans_started,
            "health": health_of(self.exporters[0]) if self.exporters else None,
            "logs": health_of(self.exporters[1]) if len(self.exporters) > 1 else None,
            "log_records": self.log_records_written,
            "counted": self.requests_counted,
            "threads": len(os.listdir("/proc/self/task")),
            "descriptors": len(os.listdir("/proc/self/fd")),
            "resident": resident_bytes(),
        }


facts = Facts()
"""The one that configuration and application share."""
