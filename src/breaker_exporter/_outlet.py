"""The one span processor that a provider ever gets from us, and how what is behind it is shut down in time.

A provider cannot be told to let go of a processor. What this process exports to stands behind the outlet,
so that a forked worker can have its own instead of its parent's, and a stopped telemetry can start again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import SpanProcessor

from ._log import say
from ._shown import origin

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

    from ._pipeline import Pipeline


class Outlet(SpanProcessor):
    """Passes spans on to the pipelines of this process, if there are any."""

    def __init__(self) -> None:
        self._pipelines: tuple[Pipeline, ...] = ()
        self._shutdown_timeout = 0.0

    def open(self, pipelines: tuple[Pipeline, ...], shutdown_timeout: float) -> None:
        """From now on, spans go to these; `shutdown_timeout` (s) is for a shutdown by the provider."""
        self._shutdown_timeout = shutdown_timeout
        self._pipelines = pipelines

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        for pipeline in self._pipelines:
            pipeline.processor.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        for pipeline in self._pipelines:
            pipeline.processor.on_end(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        flushed = [pipeline.processor.force_flush(timeout_millis) for pipeline in self._pipelines]
        return all(flushed)

    def shutdown(self) -> None:
        self.close(self._shutdown_timeout)

    def close(self, seconds: float, beside: Iterable[Callable[[], object]] = ()) -> None:
        """Drains and shuts down all pipelines, side by side and beside the other calls, within `seconds`."""
        deadline = time.monotonic() + seconds
        pipelines, self._pipelines = self._pipelines, ()
        for pipeline in pipelines:
            if pipeline.exporter:
                pipeline.exporter.begin_shutdown(seconds)
        calls = [pipeline.processor.shutdown for pipeline in pipelines]
        threads = [thread for call in [*calls, *beside] if (thread := _started(call))]
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))


def _started(call: Callable[[], object]) -> threading.Thread | None:
    """A daemon thread that makes the call, or ``None`` where no thread can start and it was made here.

    ``threading.Thread`` is right in both worlds: after gevent's patch it is a greenlet.
    """

    def quietly() -> None:
        try:
            call()
        except Exception as error:
            say(logging.WARNING, "a span processor's shutdown failed: %s", origin(error))

    thread = threading.Thread(target=quietly, name="breaker-exporter-shutdown", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # at interpreter exit, from Python 3.12 on
        quietly()
        return None
    return thread
