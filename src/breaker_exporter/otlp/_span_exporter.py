"""The contract of span exporters, for those of this package: by whichever protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from .._core.report import ExportReport
from ._encode.batch import Encoded
from ._encode.spans import encode_spans
from ._encoding_exporter import EncodingExporter, exporting_what_it_encodes
from ._signals import TRACES


@exporting_what_it_encodes
class OTLPSpanExporter(EncodingExporter[Sequence[ReadableSpan]], SpanExporter):
    """Exports spans by any sender; usable alone or wrapped. The arguments are those of its base."""

    _signal = TRACES
    signal = TRACES.name

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export `spans`; for use alone. The first loss after a success is one WARNING.

        Returns:
            ``SUCCESS`` where the collector took them, if only in part.
        """
        return SpanExportResult.SUCCESS if self._export_alone(spans) else SpanExportResult.FAILURE

    def export_and_report(self, spans: Sequence[ReadableSpan]) -> ExportReport:
        """Export `spans`, and say what the collector answered.

        Never raises an ``Exception``. Takes no longer than `timeout`, but for a name that takes longer to
        resolve, and through a SOCKS proxy, where it holds for each read: there the circuit breaker's
        ``export_timeout`` is the limit.
        """
        return self._export(spans)

    def _encode(self, batch: Sequence[ReadableSpan], limit: int, rest: Callable[[], None]) -> Encoded:
        return encode_spans(batch, limit, rest, self._resource_of)

    def _count(self, batch: Sequence[ReadableSpan]) -> int:
        return len(batch)
