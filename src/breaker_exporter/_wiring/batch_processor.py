"""OpenTelemetry's batch processor, with a flush that ends.

The SDK's ``force_flush`` ignores its timeout, and exports until the queue is empty, which under load it
never is (open-telemetry/opentelemetry-python #4568).
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from .._base import checks as check
from .._concurrency import hub
from .._concurrency.fork import renew_lock_in_child
from .._concurrency.parker import new_parker
from .._concurrency.state_lock import new_state_lock
from .._concurrency.thrown import passing_on

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

    from .._spans import CircuitBreakerSpanExporter
    from .batch_settings import Batching


class BatchProcessor(SpanProcessor):
    """Feeds an exporter in batches.

    Args:
        exporter: Where the batches go.
        schedule_delay: Milliseconds between two batches that are not full.
        batching: That and all else, in its place.
    """

    def __init__(
        self,
        exporter: CircuitBreakerSpanExporter,
        schedule_delay: float | None = None,
        *,
        batching: Batching | None = None,
    ) -> None:
        self._lock = self._new_lock()
        renew_lock_in_child(self)
        self._flushes: tuple[_Flush, ...] = ()
        self._flusher: object = None
        self._pid = os.getpid()
        settings = {"schedule_delay_millis": schedule_delay} if batching is None else batching._asdict()
        self._batches = BatchSpanProcessor(_Outgoing(exporter, self), **settings)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self._batches.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        if self._flushes:
            self._forget_parent()
            for flush in self._flushes:
                flush.ended_later(span)
        self._batches.on_end(span)

    def shutdown(self) -> None:
        self._batches.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Export what has ended before this call, and wait for that alone.

        Args:
            timeout_millis: Milliseconds after which this comes back. Where no thread can start, at
                interpreter exit, an export that is out by then is still waited for.

        Returns:
            True once all of it is exported, refused or dropped; False where it was late, after
            :meth:`shutdown`, and where nobody may wait: on the hub greenlet, and in a signal handler that has
            interrupted what one of our locks guards.
        """
        if hub.must_not_wait():
            return False
        flush = _Flush(check.budget(timeout_millis))
        if self._flush_beside(flush):
            self._run_flushes()
        try:
            return flush.wait()
        finally:
            flush.end(exported=False)

    def came_up(self, batch: Sequence[ReadableSpan]) -> None:
        """A batch is about to be exported: all earlier ones have been."""
        for flush in self._flushes:
            if flush.is_later(batch[0]):
                flush.end(exported=True)

    def came_out(self, batch: Sequence[ReadableSpan]) -> None:
        """A batch has been exported.

        Raises:
            _Enough: It was one of a flush, and nobody waits for the next one.
        """
        for flush in self._flushes:
            if flush.is_later(batch[-1]):
                flush.end(exported=True)
        if self._flusher is not None and self._flusher == hub.caller() and not self._pending():
            raise _Enough

    def _new_lock(self) -> threading.RLock:
        return new_state_lock()

    def _flush_beside(self, flush: _Flush) -> bool:
        """Have it seen to by a thread. True where there is none to be had, so that the caller has to."""
        with self._lock:
            self._forget_parent()
            self._flushes = (*self._flushes, flush)
            if self._flusher is not None:
                return False
            self._flusher = flush  # until its thread has come to life
        # Nobody joins it, and after gevent's patch it is a greenlet.
        thread = threading.Thread(target=self._run_flushes, name="breaker-exporter-flush", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # at interpreter exit, from Python 3.12 on
            return True
        return False

    def _run_flushes(self) -> None:
        self._flusher = hub.caller()
        try:
            while pending := self._next_flushes():
                exported = False
                with contextlib.suppress(_Enough):
                    exported = self._batches.force_flush()
                for flush in pending:  # the queue was empty after they were asked for, or it is shut down
                    flush.end(exported=exported)
        except BaseException:  # a greenlet that was killed, say
            self._flusher = None
            raise

    def _next_flushes(self) -> tuple[_Flush, ...]:
        with self._lock:
            self._flushes = self._pending()
            if not self._flushes:
                self._flusher = None
            return self._flushes

    def _forget_parent(self) -> None:
        if self._pid != os.getpid():
            self._pid, self._flushes, self._flusher = os.getpid(), (), None

    def _pending(self) -> tuple[_Flush, ...]:
        return tuple(flush for flush in self._flushes if not flush.is_over)


class _Flush:
    """One call of ``force_flush``, which waits for this."""

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        # Of spans that are alive or gone: an earlier one that is still queued cannot have the same id.
        self._later: set[int] = set()
        self._exported: bool | None = None
        self._parker = new_parker()

    @property
    def is_over(self) -> bool:
        return self._exported is not None or time.monotonic() >= self._deadline

    def ended_later(self, span: ReadableSpan) -> None:
        if not self.is_over:
            self._later.add(id(span))

    def is_later(self, span: ReadableSpan) -> bool:
        return id(span) in self._later

    def end(self, *, exported: bool) -> None:
        if self._exported is None:
            self._exported = exported
            self._parker.unpark()

    def wait(self) -> bool:
        with passing_on():
            while self._exported is None and (left := self._deadline - time.monotonic()) > 0:
                self._parker.park(left)
        return self._exported is True


class _Enough(BaseException):
    """Ends the SDK's flush, which has no other end while spans keep coming: it catches exceptions alone."""


class _Outgoing(SpanExporter):
    """Stands between the SDK's processor and the exporter, and tells what comes out."""

    def __init__(self, exporter: CircuitBreakerSpanExporter, processor: BatchProcessor) -> None:
        self._exporter = exporter
        self._processor = processor

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._processor.came_up(spans)
        result = self._exporter.export(spans)
        self._processor.came_out(spans)
        return result

    def shutdown(self, timeout_millis: int = 30_000) -> None:
        self._exporter.shutdown(timeout_millis=timeout_millis)
