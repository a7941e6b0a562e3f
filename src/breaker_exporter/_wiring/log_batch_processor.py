"""OpenTelemetry's batch processor of log records, with a ``force_flush`` that ends in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

from .batches import Batches

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadWriteLogRecord

    from .._logs import CircuitBreakerLogRecordExporter
    from .batch_settings import Batching


class LogBatchProcessor(Batches[ReadableLogRecord, BatchLogRecordProcessor], LogRecordProcessor):
    """Feeds an exporter of log records in batches.

    Args:
        exporter: The exporter of the batches.
        batching: All settings.
    """

    def __init__(self, exporter: CircuitBreakerLogRecordExporter, batching: Batching) -> None:
        super().__init__(
            exporter,
            lambda observed: BatchLogRecordProcessor(observed, **batching._asdict()),
            lambda record: record.log_record.attributes,  # the record in a batch is a copy with the same ones
        )

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        self._ignore(log_record.log_record.attributes)
        self._batches.on_emit(log_record)
