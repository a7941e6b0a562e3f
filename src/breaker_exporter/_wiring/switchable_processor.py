"""The one span processor that a ``Telemetry`` adds to a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import SpanProcessor

from .switch import Switch

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span


class SwitchableProcessor(Switch, SpanProcessor):
    """Passes spans on to the pipelines that it was switched to, if there are any."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        for pipeline in self._pipelines:
            pipeline.processor.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        for pipeline in self._pipelines:
            pipeline.processor.on_end(span)
