"""The part that all OTLP exporters share, whatever they export and by which protocol."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from .._base.log import say
from .._core.report import ExportReport, Verdict, raised
from ._delivery import deliver
from ._encode.batch import Encoded
from ._encode.request import Request
from ._pacing import Pace
from ._remarks import Remarks
from ._self_metrics import SelfMetrics
from ._send.sender import Answer, Deadline, Sender

Item = TypeVar("Item")

Encode = Callable[[Sequence[Item], int, Callable[[], None]], Encoded]
"""Encodes a batch into requests of so many bytes at most (0: any number); the callable lets others run."""


class OTLPExporter(Generic[Item]):
    """One encoder and one sender.

    Args:
        encode: Encodes a batch.
        sender: Sends what was encoded.
        unit: What items are called, in the plural: ``spans``.
        timeout: Seconds for one batch, encoding included.
        max_request_size: Bytes of a request before compression; 0: any number.
        metrics: What the exporter counts of itself; ``None``: nothing.
    """

    def __init__(
        self,
        encode: Encode[Item],
        sender: Sender,
        *,
        unit: str,
        timeout: float,
        max_request_size: int,
        metrics: SelfMetrics | None,
    ) -> None:
        self._encode = encode
        self._sender = sender
        self._unit = unit
        self._timeout = timeout
        self._max_request_size = max_request_size
        self._metrics = metrics
        self._pace = Pace()
        self._remarks = Remarks(sender.destination)
        self._is_shut_down = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} to {self.destination}>"

    @property
    def destination(self) -> str:
        """The scheme, host and port that batches are sent to, such as ``http://collector:4318``."""
        return self._sender.destination

    def _export(self, items: Sequence[Item]) -> ExportReport:
        """Export a batch, and say what the collector answered. Never raises an ``Exception``."""
        if self._is_shut_down:
            return ExportReport(Verdict.FAILED, reason="exporter is shut down")
        deadline = Deadline.after(self._timeout)
        self._pace.begin(deadline.at)
        report = ExportReport(Verdict.FAILED)
        count_it = self._metrics.counting(len(items)) if self._metrics else None
        try:
            encoded = self._encode(items, self._max_request_size, self._pace.rest)
            report = deliver(
                encoded, lambda request: self._send(request, deadline), self._max_request_size, self._unit
            )
        except Exception as error:
            report = ExportReport(Verdict.FAILED, reason=raised(error))
        finally:
            self._pace.end()
            if count_it is not None:
                count_it(report)
        return report

    def force_flush(self, timeout_millis: float = 30_000) -> bool:
        """Nothing is kept here."""
        return True

    def shutdown(self) -> None:
        """End what is under way, which then failed, and close the connections that are kept alive."""
        self._is_shut_down = True
        self._sender.close()

    def _send(self, request: Request, deadline: Deadline) -> Answer:
        answer = self._sender.send(request.body, deadline, self._pace.rest)
        self._remarks.note(answer.remark)
        if answer.is_last_word:
            say(logging.WARNING, "%d %s not exported: %s", request.items, self._unit, answer.reason)
        return answer
