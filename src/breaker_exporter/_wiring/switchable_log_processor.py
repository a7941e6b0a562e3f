"""The one log record processor that a ``Telemetry`` adds to a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk._logs import LogRecordProcessor

from .._concurrency.exporting import is_exporting
from .switch import Switch

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadWriteLogRecord


class SwitchableLogProcessor(Switch, LogRecordProcessor):
    """Passes log records on to the pipelines that it was switched to, if there are any.

    Not those that come from within an export of ours: each would make the next (L3).
    """

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        if is_exporting():
            return
        for pipeline in self._pipelines:
            pipeline.processor.on_emit(log_record)
