"""What a worker tells about itself: its hub's longest delay, its circuit, its spans; and its last word."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter._concurrency.hub import is_patched
from breaker_exporter._demo.pipe import FD_VARIABLE, say

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from breaker_exporter import CircuitBreakerSpanExporter, CircuitTransition

_BEAT = 0.005
_REPORT = 0.2
"""Seconds."""


class Facts:
    """One worker's.

    Attributes:
        spans_started: Spans the application has started; it counts them.
        exporters: Whose health is told.
    """

    def __init__(self) -> None:
        self.spans_started = 0
        self.exporters: tuple[CircuitBreakerSpanExporter, ...] = ()
        self._claimed: list[str] = []

    def start(self) -> None:
        """Begin: in the worker, after any monkey patch."""
        os.set_blocking(int(os.environ[FD_VARIABLE]), False)
        if os.environ.get("FAULTS_CLAIMS"):
            for exporter in self.exporters:
                self._listen_to(exporter)
        threading.Thread(target=self._beat, daemon=True).start()

    def note(self, transition: CircuitTransition) -> None:
        """Tell of a circuit's change at once."""
        self._say({"kind": "change", "at": time.monotonic(), "new": transition.new.value})

    def last(self) -> None:
        """The last word, once all that was queued has had its time."""
        os.set_blocking(int(os.environ[FD_VARIABLE]), True)
        self._say({**self._now(), "kind": "last", "claimed": self._claimed})
        self.exporters = ()  # a gRPC channel that lives until the interpreter's end may complain there

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

    def _beat(self) -> None:
        # Without a hub there is nothing to feel, and a thread that wakes so often would be felt itself.
        pause = _BEAT if is_patched() else _REPORT
        last = reported = time.monotonic()
        longest = 0.0
        while True:
            time.sleep(pause)
            now = time.monotonic()
            longest = max(longest, now - last - pause)
            if now - reported >= _REPORT:
                self._say({**self._now(), "kind": "facts", "gap": longest if is_patched() else None})
                longest, now = 0.0, time.monotonic()  # what this line cost is no delay of the service
                reported = now
            last = now

    def _now(self) -> dict[str, object]:
        health = [asdict(exporter.health()) for exporter in self.exporters]
        return {
            "pid": os.getpid(),
            "at": time.monotonic(),
            "started": self.spans_started,
            "health": {**health[0], "state": health[0]["state"].value} if health else None,
            "threads": len(os.listdir("/proc/self/task")),
            "descriptors": len(os.listdir("/proc/self/fd")),
            "resident": _resident(),
        }

    def _say(self, line: dict[str, object]) -> None:
        try:
            say(line)
        except BlockingIOError:
            pass  # nobody reads just now
        except BrokenPipeError:
            os.killpg(0, signal.SIGTERM)  # nobody ever will: who measured is gone, and so this should be


def _resident() -> int:
    """Bytes."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


facts = Facts()
"""The one that configuration and application share."""
