"""The scripted exporter of log records."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from typing import cast

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult

from ._player import Player


class ScriptedLogRecordExporter(Player, LogRecordExporter):
    """A log record exporter that plays a list of outcomes: ``ScriptedExporter`` for logs.

    Its arguments, and all that it has, are those of ``ScriptedExporter``; a function in the script gets the
    log records.
    """

    _name = "ScriptedLogRecordExporter"
    _results = LogRecordExportResult
    __repr__ = reprlib.recursive_repr(f"<{_name} ...>")(Player._shown)

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Play the next outcome of the script."""
        records = tuple(batch)
        number = self._record.begin(log_records=records)
        return cast("LogRecordExportResult", self._played(number, records))

    def shutdown(self) -> None:
        """Play ``on_shutdown``."""
        self._shut_down()

    @property
    def log_records(self) -> list[ReadableLogRecord]:
        """The records of all calls that returned ``SUCCESS``, in the order in which they returned."""
        return [record for call in self._record.successful for record in call.log_records]
