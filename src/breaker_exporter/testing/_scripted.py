"""The scripted exporter of spans."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from typing import cast

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ._player import Player


class ScriptedExporter(Player, SpanExporter):
    """A span exporter that plays a list of outcomes, one a call, and records what happened.

    It blocks as a real exporter does: ``hang`` and ``take`` block the operating system thread even in a
    process that gevent has patched; any thread or greenlet may call ``release()``. A forked child has a copy
    of the record, without calls of other threads that had not returned.

    Args:
        outcomes: The outcomes of the first calls, in order.
        default: The outcome of each later call.
        on_shutdown: The outcome of each ``shutdown``; a function gets ``()``.
        on_flush: The outcome of each ``force_flush``; ``SUCCESS`` and ``FAILURE`` are answered as ``True``
            and ``False``, anything else as it is.

    Raises:
        TypeError: An outcome cannot be played.
    """

    _name = "ScriptedExporter"
    _results = SpanExportResult

    # A script may hold a function over the exporter.
    __repr__ = reprlib.recursive_repr(f"<{_name} ...>")(Player._shown)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Play the next outcome of the script."""
        batch = tuple(spans)
        return cast("SpanExportResult", self._played(self._record.begin(spans=batch), batch))

    def shutdown(self) -> None:
        """Play ``on_shutdown``."""
        self._shut_down()

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans of all calls that returned ``SUCCESS``, in the order in which they returned."""
        return [span for call in self._record.successful for span in call.spans]
