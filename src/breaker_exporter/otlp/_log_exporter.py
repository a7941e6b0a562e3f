"""The contract of log record exporters, for those of this package: by whichever protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult

from .._core.report import ExportReport
from ._encode.batch import Encoded
from ._encode.log_records import encode_log_records
from ._encoding_exporter import EncodingExporter, exporting_what_it_encodes
from ._signals import LOGS


@exporting_what_it_encodes
class OTLPLogRecordExporter(EncodingExporter[Sequence[ReadableLogRecord]], LogRecordExporter):
    """Exports log records by any sender; usable alone or wrapped. The arguments are those of its base."""

    _signal = LOGS
    signal = LOGS.name

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Export `batch`; for use alone. The first loss after a success is one WARNING.

        Returns:
            ``SUCCESS`` where the collector took it, if only in part.
        """
        return LogRecordExportResult.SUCCESS if self._export_alone(batch) else LogRecordExportResult.FAILURE

    def export_and_report(self, batch: Sequence[ReadableLogRecord]) -> ExportReport:
        """Export `batch`, and say what the collector answered.

        Never raises an ``Exception``. Takes no longer than `timeout`, as the span exporters of this package.
        """
        return self._export(batch)

    def _encode(self, batch: Sequence[ReadableLogRecord], limit: int, rest: Callable[[], None]) -> Encoded:
        return encode_log_records(batch, limit, rest, self._resource_of)

    def _count(self, batch: Sequence[ReadableLogRecord]) -> int:
        return len(batch)
