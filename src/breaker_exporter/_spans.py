"""The contract of a span exporter, kept by a guard around any other one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ._breaker_exporter import BreakerExporter
from ._contract import Contract

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_SPAN_SIZE = 4096
"""Bytes of memory that a span takes, measured: 2.7 kB without attributes, 4.0 kB with ten."""


class CircuitBreakerSpanExporter(BreakerExporter[SpanExporter, Sequence["ReadableSpan"]], SpanExporter):
    """Wraps any span exporter so that the application never notices what its backend does.

    Consecutive failures open a circuit; while it is open, exports are refused in microseconds; after a
    cooldown one probe asks whether the backend is back. The wrapped exporter runs off the gevent hub and
    under a hard deadline. One instance serves one processor; it may be made before or after a fork, and
    before or after gevent's monkey patch.
    """

    _contract = Contract(
        kind="span exporter",
        unit="spans",
        results=(SpanExportResult,),
        size_of=len,
        resource_of=lambda spans: spans[0].resource,
        item_size=_SPAN_SIZE,
    )

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export `spans` through the wrapped exporter, or refuse at once while the circuit is open.

        Never raises an ``Exception``, never takes longer than `export_timeout`, never holds the hub.

        Args:
            spans: Handed on as they are.

        Returns:
            ``SUCCESS`` where the wrapped exporter said so, or where there was nothing to export.
        """
        return SpanExportResult.SUCCESS if self._guarded.export(spans) else SpanExportResult.FAILURE
