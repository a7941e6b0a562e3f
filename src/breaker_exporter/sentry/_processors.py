"""Span processors around another one: a share of the traces only, and no exceptions in the application."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span


class _Wrapper(SpanProcessor):
    """Passes everything on to another processor."""

    def __init__(self, inner: SpanProcessor) -> None:
        self._inner = inner

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self._inner.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        self._inner.on_end(span)

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)


class SamplingProcessor(_Wrapper):
    """Passes on a share of the traces: whole ones, chosen by their id as OpenTelemetry's sampler does."""

    def __init__(self, inner: SpanProcessor, rate: float) -> None:
        super().__init__(inner)
        self._sampler = TraceIdRatioBased(rate)

    def on_end(self, span: ReadableSpan) -> None:
        sampled = self._sampler.should_sample(None, span.context.trace_id, span.name)
        if sampled.decision is Decision.RECORD_AND_SAMPLE:
            super().on_end(span)


class SilencedProcessor(_Wrapper):
    """Drops what the other processor raises: Sentry's prunes dicts that several threads change."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        with contextlib.suppress(Exception):
            super().on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        with contextlib.suppress(Exception):
            super().on_end(span)
