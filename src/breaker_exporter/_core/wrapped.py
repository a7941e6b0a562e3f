"""The calls into a wrapped exporter: export, flush, shutdown, destination."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Generic, TypeVar

from .._base.redaction import message
from .._concurrency.memory import CallWithBatch, free_slowly
from . import deadline_clock as time
from .payload import Delivery, Encoder, ObjectPayload, Payload
from .report import ExportReport, Verdict
from .signal_contract import SignalContract
from .wrapped_log import Listener

Batch = TypeVar("Batch")


class Wrapped(Generic[Batch]):
    """A wrapped exporter.

    Args:
        exporter: The wrapped exporter.
        export: Exports a batch by it.
        judge: The meaning of a result of `export`, given what the exporter logged meanwhile.
        secrets: Returns values that no text may show.
        encoder: The exporter, where it can encode a batch and send it later.
        signal: Of its batches.
        export_timeout: Seconds that one export may take.
    """

    def __init__(
        self,
        exporter: object,
        export: Callable[..., object],
        judge: Callable[[object, str], ExportReport],
        secrets: Callable[[], Iterable[str]],
        encoder: Encoder | None,
        signal: SignalContract,
        export_timeout: float,
    ) -> None:
        self._exporter = exporter
        self._export = export
        self._judge = judge
        self._listener = Listener(exporter, secrets)
        self._encoder = encoder
        self._size_of: Callable[[Batch], int] = signal.size_of
        self._item_size = signal.item_size
        self.export_timeout = export_timeout
        self._tells_time = signal.tells_time and _takes_timeout(export)

    @property
    def class_name(self) -> str:
        """The name of its class."""
        return type(self._exporter).__name__

    @property
    def is_cooperative(self) -> bool:
        """True where it declares that it yields to the hub by itself (R1)."""
        return getattr(self._exporter, "cooperative", False) is True

    @property
    def destination(self) -> str:
        """The address that it sends to; empty where it does not say."""
        try:
            destination = getattr(self._exporter, "destination", None)
        except Exception:  # a property of the wrapped exporter may raise anything
            destination = None
        return message(destination) if isinstance(destination, str) else ""

    def export_of(
        self, batch: Batch, deadline: float, options: Mapping[str, Any]
    ) -> Callable[[], ExportReport]:
        """The call that exports `batch`, to be made once.

        Args:
            batch: Of one item or more.
            deadline: Of the call, in monotonic seconds.
            options: What the export method gets beside the batch.
        """
        export = partial(self._export_until, deadline, options)
        return partial(self._report_of, CallWithBatch(export, batch))

    def payload_of(self, batch: Batch) -> Payload:
        """The batch in the form in which it is kept; to encode it may yield to other greenlets."""
        if self._encoder is not None:
            return self._encoder.encode_batch(batch)
        items = self._size_of(batch)
        kept = tuple(batch) if isinstance(batch, list) else batch
        return ObjectPayload(kept, items, items * self._item_size)

    def send_of(self, payload: Payload) -> Callable[[], Delivery]:
        """The call that sends what :meth:`payload_of` made, or what was left of it."""
        if self._encoder is not None:
            return partial(self._encoder.send_payload, payload)
        assert isinstance(payload, ObjectPayload)
        return partial(self._delivery_of, payload)

    def drop(self, payload: Payload) -> None:
        """Tell the exporter that what it encoded will not be sent any more."""
        if self._encoder is not None:
            try:
                self._encoder.drop_payload(payload)
            except Exception:  # it only keeps counts of its own
                pass

    def flush_of(self, timeout: float) -> Callable[[], object] | None:
        """The call that flushes within so many seconds; ``None`` where the exporter has none."""
        flush: Callable[..., object] | None = getattr(self._exporter, "force_flush", None)
        if flush is not None and _takes_timeout(flush):
            return partial(flush, timeout_millis=int(timeout * 1000))
        return flush

    def shutdown(self, timeout: float) -> None:
        """Shut it down within so many seconds, where it takes them."""
        shutdown: Callable[..., object] | None = getattr(self._exporter, "shutdown", None)
        if shutdown is not None:
            if _takes_timeout(shutdown):
                shutdown(timeout_millis=int(timeout * 1000))
            else:
                shutdown()

    def _delivery_of(self, payload: ObjectPayload) -> Delivery:
        export = partial(self._export_until, time.monotonic() + self.export_timeout, {})
        report = self._report_of(CallWithBatch(export, payload.batch))
        if report.verdict in (Verdict.FAILED, Verdict.MISCONFIGURED):
            return Delivery(report, payload)
        free_slowly(payload.batch)
        return Delivery(report)

    def _export_until(self, deadline: float, options: Mapping[str, Any]) -> Callable[[Batch], object]:
        """The export method, with all that it gets beside the batch."""
        if self._tells_time:
            left = max(0.0, deadline - time.monotonic())
            options = {**options, "timeout_millis": left * 1000}
        return partial(self._export, **options) if options else self._export

    def _report_of(self, call: Callable[[], object]) -> ExportReport:
        with self._listener.listening() as heard:
            result = call()
        return self._judge(result, self._listener.text_of(heard))


def _takes_timeout(method: Callable[..., object]) -> bool:
    try:
        parameters = inspect.signature(method).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(p.name == "timeout_millis" or p.kind is p.VAR_KEYWORD for p in parameters)
