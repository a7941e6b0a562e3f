"""OpenTelemetry's batch processor of spans, with a ``force_flush`` that ends in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from .batches import Batches

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Span

    from .._spans import CircuitBreakerSpanExporter
    from .batch_settings import Batching


class BatchProcessor(Batches[ReadableSpan, BatchSpanProcessor], SpanProcessor):
    """Feeds an exporter of spans in batches.

    Args:
        exporter: The exporter of the batches.
        schedule_delay: Milliseconds between two batches that are not full.
        batching: The delay and all other settings; `schedule_delay` is not used then.
    """

    def __init__(
        self,
        exporter: CircuitBreakerSpanExporter,
        schedule_delay: float | None = None,
        *,
        batching: Batching | None = None,
    ) -> None:
        settings = {"schedule_delay_millis": schedule_delay} if batching is None else batching._asdict()
        super().__init__(
            exporter, lambda observed: BatchSpanProcessor(observed, **settings), lambda span: span
        )

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self._batches.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        self._ignore(span)
        self._batches.on_end(span)
