"""What feeds an exporter in batches, of any signal, with a ``force_flush`` that ends in time.

The SDK's batch processors ignore the timeout, and export until the queue is empty, which it never is under
load (open-telemetry/opentelemetry-python #4568).
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from .._base import checks as check
from .._concurrency import hub
from .._concurrency.fork import renew_lock_in_child
from .._concurrency.state_lock import new_state_lock
from .flush import Flush

if TYPE_CHECKING:
    from .._logs import CircuitBreakerLogRecordExporter
    from .._spans import CircuitBreakerSpanExporter

    Exporter = CircuitBreakerSpanExporter | CircuitBreakerLogRecordExporter


class _Processor(Protocol):
    """A batch processor of the SDK."""

    def shutdown(self) -> object: ...

    def force_flush(self) -> bool: ...


Item = TypeVar("Item")
SDKProcessor = TypeVar("SDKProcessor", bound=_Processor)


class Batches(Generic[Item, SDKProcessor]):
    """Feeds an exporter in batches, by a batch processor of the SDK.

    Args:
        exporter: The exporter of the batches.
        make: Makes the processor for the exporter that it gets, which tells of each batch.
        identity_of: An object that an item has alone, and still has in its batch.
    """

    def __init__(
        self,
        exporter: Exporter,
        make: Callable[[Any], SDKProcessor],
        identity_of: Callable[[Item], object],
    ) -> None:
        self.lock = self._new_lock()
        renew_lock_in_child(self)
        self._flushes: tuple[Flush, ...] = ()
        self._flusher: object = None
        self._pid = os.getpid()
        self._exporter = exporter
        self._identity_of = identity_of
        self._batches = make(_ObservedExporter(exporter, self))

    def shutdown(self) -> None:
        self._batches.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Export the items that came before this call, and flush the exporter behind them.

        It waits for these and for what the exporter has kept by then, and for no later ones.

        Args:
            timeout_millis: Milliseconds after which this returns. Where no thread can start, at interpreter
                exit, it still waits for an export that is running by then.

        Returns:
            True once all of them are exported, refused or dropped, and the exporter says that nothing is
            left. False where that took too long, after :meth:`shutdown`, and where the caller must not wait:
            on the hub greenlet, and in a signal handler that has interrupted what one of our locks guards.
        """
        if hub.must_not_wait():
            return False
        flush = Flush(check.budget(timeout_millis))
        if not self._started_beside(flush):
            self._run_flushes()
        try:
            exported = flush.wait()
        finally:
            flush.end(exported=False)
        # The SDK's processor never asks: what an exporter has accepted and kept would count as delivered.
        return exported and self._exporter.force_flush(int(flush.left * 1000))

    def export_begins(self, batch: Sequence[Item]) -> None:
        """End the flushes that only wait for earlier batches."""
        for flush in self._flushes:
            if flush.ignores(self._identity_of(batch[0])):
                flush.end(exported=True)

    def export_ended(self, batch: Sequence[Item]) -> None:
        """End the flushes that wait for this batch and for no later one.

        Raises:
            _FlushIsOver: The caller is the SDK's flush, and nobody waits for more.
        """
        for flush in self._flushes:
            if flush.ignores(self._identity_of(batch[-1])):
                flush.end(exported=True)
        if self._flusher is not None and self._flusher == hub.caller() and not self._pending():
            raise _FlushIsOver

    def _ignore(self, identity: object) -> None:
        """Not wait for an item that comes only now."""
        if self._flushes:
            self._forget_parent()
            for flush in self._flushes:
                flush.ignore(identity)

    def _new_lock(self) -> threading.RLock:
        return new_state_lock()

    def _started_beside(self, flush: Flush) -> bool:
        """Let a thread run the flush; false where no thread can start."""
        with self.lock:
            self._forget_parent()
            self._flushes = (*self._flushes, flush)
            if self._flusher is not None:
                return True
            self._flusher = flush  # until its thread has begun
        # After gevent's patch it is a greenlet. Nobody joins it.
        thread = threading.Thread(target=self._run_flushes, name="breaker-exporter-flush", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # at interpreter exit, from Python 3.12 on
            return False
        return True

    def _run_flushes(self) -> None:
        self._flusher = hub.caller()
        try:
            while pending := self._next_flushes():
                exported = False
                with contextlib.suppress(_FlushIsOver):
                    exported = self._batches.force_flush()
                for flush in pending:  # the queue was empty after they had begun, or it is shut down
                    flush.end(exported=exported)
        except BaseException:  # a greenlet that was killed, say
            self._flusher = None
            raise

    def _next_flushes(self) -> tuple[Flush, ...]:
        with self.lock:
            self._flushes = self._pending()
            if not self._flushes:
                self._flusher = None
            return self._flushes

    def _forget_parent(self) -> None:
        if self._pid != os.getpid():
            self._pid, self._flushes, self._flusher = os.getpid(), (), None

    def _pending(self) -> tuple[Flush, ...]:
        return tuple(flush for flush in self._flushes if not flush.is_over)


class _FlushIsOver(BaseException):
    """Ends the SDK's flush, which goes on while items keep coming, and catches an ``Exception`` only."""


class _ObservedExporter:
    """Tells of each batch that the SDK exports."""

    def __init__(self, exporter: Exporter, batches: Batches[Any, Any]) -> None:
        self._exporter = exporter
        self._batches = batches

    def export(self, batch: Sequence[Any]) -> object:
        self._batches.export_begins(batch)
        result = self._exporter.export(batch)
        self._batches.export_ended(batch)
        return result

    def shutdown(self, timeout_millis: int = 30_000) -> None:
        self._exporter.shutdown(timeout_millis=timeout_millis)
