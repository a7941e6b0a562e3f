"""OTLP over gRPC for the hooks: OpenTelemetry's exporter, fed in slices.

It encodes what it is given in one go, in C, which holds the GIL and with it the hub for milliseconds.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

from ..._base.address import place
from ..._core.report import ExportReport, Verdict, raised
from ..._span_results import report_of_result
from .._pacing import Pace
from .._remarks import Remarks
from .grpc_client import Client, Told
from .partial_success import report_of_success

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_SLICE = 64
"""Spans in a call: a call costs more than the pause between two slices of ours."""
_CHANNEL_OPTIONS = (("grpc.enable_retries", 0),)
"""gRPC would try again by itself, as often as it can connect: to a server that says GOAWAY to each connection
300 times a second were measured, 60 % of a processor, and then up to 245 ms in which it held the GIL."""


_LOGGERS = [
    logging.getLogger(name) for name in sorted({kind.__module__ for kind in OTLPSpanExporter.__mro__})
]
_reported: ContextVar[bool] = ContextVar("breaker_exporter_reported", default=False)


def _is_news(record: logging.LogRecord) -> bool:
    """Not what the official exporter says of a call: that is in our report, where secrets are masked."""
    return record.levelno < logging.WARNING or not _reported.get()


class SlicingOTLPSpanExporter(OTLPSpanExporter):
    """Makes a batch several calls, with a pause between two; one where the queue presses or calls take long.

    Args:
        args: As for OpenTelemetry's.
        spare: Seconds that all calls but the last may take. Half of them gone, what is left is one call; all
            of them gone, it fails. So a batch takes no longer than this and one timeout.
        kwargs: As for OpenTelemetry's.
    """

    _listening: Client | None = None

    def __init__(self, *args: Any, spare: float, **kwargs: Any) -> None:
        self._told = Told()
        for logger in _LOGGERS:
            logger.addFilter(_is_news)
        super().__init__(*args, **{"channel_options": _CHANNEL_OPTIONS, **kwargs})
        self._remarks = Remarks(self.destination)
        self._spare = spare
        self._pace = Pace(_SLICE)
        self._call_took = math.inf  # the first one tells

    @property
    def destination(self) -> str:
        """Where spans are sent to, such as ``grpc://collector:4317``: host and port."""
        return f"grpc://{place(self._endpoint)}"  # a private door, with a test: the official class knows it

    def export_and_report(self, spans: Sequence[ReadableSpan]) -> ExportReport:
        """Export `spans`, up to the first call that fails."""
        began = time.monotonic()
        self._pace.begin(began + self._spare)
        size, sent, held, said = self._pace.slice, 0, 0, ""
        if self._call_took * len(spans) / size > self._spare / 2:
            size = len(spans)
        try:
            while True:
                part = list(spans[sent : sent + size])
                count = len(part)
                report = self._send(part)
                part.clear()  # the frames of an error hold it until the garbage is collected
                sent += count
                held += report.accepted_of(count)
                said = self._told.message or said
                if report.verdict is not Verdict.DELIVERED:
                    return replace(report, delivered=held)
                if sent >= len(spans):
                    return report_of_success(sent - held, sent, said)
                self._pace.rest()
                elapsed = time.monotonic() - began
                if elapsed > self._spare:
                    return ExportReport(Verdict.FAILED, held, "too slow to send all of a batch")
                if elapsed > self._spare / 2:
                    size = len(spans)
        finally:
            spans = ()
            self._pace.end()

    def _send(self, spans: Sequence[ReadableSpan]) -> ExportReport:
        began = time.monotonic()
        self._told.failure = None
        token = _reported.set(True)
        try:
            report = report_of_result(super().export(spans))
        except Exception as error:
            return ExportReport(Verdict.FAILED, reason=raised(error))
        finally:
            _reported.reset(token)
        told = self._told
        if report.verdict is not Verdict.DELIVERED:
            return told.failure or report
        self._call_took = time.monotonic() - began
        warns = told.message and told.rejected <= 0
        self._remarks.note(f"the collector warns: {told.message}" if warns else "")
        return report_of_success(told.rejected, len(spans), told.message)

    # A private door, with a test: the official exporter calls its client by this name (1.39 to 1.45), and
    # keeps to itself what the answer says. Under another name rejected spans would count as taken, failures
    # would have no reason, and it would send again what was lost on the way.
    @property  # type: ignore[override]
    def _client(self) -> Client | None:
        return self._listening

    @_client.setter
    def _client(self, client: Any) -> None:
        headers: Any = self._headers
        secrets = [str(value) for _, value in headers]
        self._listening = None if client is None else Client(client, self._told, secrets)
