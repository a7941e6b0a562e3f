"""The part that all OTLP exporters share, whatever they export and by which protocol."""

from __future__ import annotations

import abc
import logging
import math
from collections.abc import Callable
from typing import ClassVar, Generic, TypeVar

from .._base.log import counted, say
from .._concurrency.log_feedback import watch_loggers, without_feedback
from .._core.report import AFTER_SHUTDOWN, Cause, ExportReport, Verdict, raised
from ._delivery import deliver
from ._encode.batch import Encoded
from ._encode.groups import ResourceOf
from ._encode.request import Request
from ._pacing import Pace
from ._payload import EncodedPayload
from ._remarks import Remarks
from ._self_metrics import SelfMetrics
from ._send.sender import Answer, Deadline, Sender
from ._signals import Signal

Batch = TypeVar("Batch")

SHUT_DOWN = ExportReport(Verdict.FAILED, reason=AFTER_SHUTDOWN, cause=Cause.UNREACHABLE)


class OTLPExporter(abc.ABC, Generic[Batch]):
    """One encoder and one sender.

    Args:
        sender: Sends what was encoded.
        timeout: Seconds for one batch, encoding included.
        max_request_size: Bytes of a request before compression; 0: any number.
        metrics: What the exporter counts of itself; ``None``: nothing.
        resource_of: Returns the resource that is sent in place of one; ``None``: that itself.
    """

    _signal: ClassVar[Signal]
    """The signal that it exports."""

    _max_request_items = 0
    """Number of items of a request at most; 0: any number."""
    _said_failing = False

    def __init__(
        self,
        sender: Sender,
        *,
        timeout: float,
        max_request_size: int,
        metrics: SelfMetrics | None,
        resource_of: ResourceOf | None = None,
    ) -> None:
        watch_loggers()
        self._sender = sender
        self._timeout = timeout
        self._max_request_size = max_request_size
        self._metrics = metrics
        self._resource_of = resource_of
        self._pace = Pace()
        self._remarks = Remarks(sender.destination)
        self._is_shut_down = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} to {self.destination}>"

    @property
    def destination(self) -> str:
        """The scheme, host and port that batches are sent to, such as ``http://collector:4318``."""
        return self._sender.destination

    def force_flush(self, timeout_millis: float = 30_000) -> bool:
        """Nothing is kept here."""
        return True

    def shutdown(self) -> None:
        """End what is under way, which then failed, and close the connections that are kept alive."""
        self._is_shut_down = True
        self._sender.close()

    @abc.abstractmethod
    def _encode(self, batch: Batch, limit: int, rest: Callable[[], None]) -> Encoded:
        """Encode a batch into requests of `limit` bytes at most (0: any number); `rest` lets others run."""

    @abc.abstractmethod
    def _count(self, batch: Batch) -> int:
        """Return the number of items in a batch.

        Raises:
            Exception: It is no batch.
        """

    @without_feedback
    def _export(self, batch: Batch, longest: float = math.inf) -> ExportReport:
        """Export a batch, and say what the collector answered. Never raises an ``Exception``.

        Args:
            batch: The batch.
            longest: Seconds, where that is shorter than the exporter's own timeout.
        """
        if self._is_shut_down:
            return SHUT_DOWN
        deadline = Deadline.after(min(self._timeout, longest))
        work = self._pace.begin(deadline.at)
        report = ExportReport(Verdict.FAILED)
        count_it = None
        try:
            if self._metrics is not None:
                count_it = self._metrics.counting(self._count(batch))
            encoded = self._encode(batch, self._max_request_size, work.rest)
            report = self._deliver(encoded, deadline, work.rest)
        except Exception as error:
            report = ExportReport(Verdict.FAILED, reason=raised(error))
        finally:
            work.end()
            if count_it is not None:
                count_it(report)
        return report

    def _deliver(self, encoded: Encoded, deadline: Deadline, rest: Callable[[], None]) -> ExportReport:
        if not encoded.requests and not encoded.left_out:
            return ExportReport(Verdict.DELIVERED)
        return deliver(
            EncodedPayload(encoded.requests),
            lambda request: self._send_at_last(request, deadline, rest),
            rest,
            self._max_request_size,
            self._signal.unit,
            encoded.left_out,
            self._max_request_items,
        ).report

    def _export_alone(self, batch: Batch, longest: float = math.inf) -> bool:
        """Export a batch; for use alone. The first loss after a success is one WARNING.

        Returns:
            True where the collector took it, if only in part.
        """
        report = self._export(batch, longest)
        try:
            items = self._count(batch)
        except Exception:  # it is no batch, and its report says so
            items = 0
        lost = items - report.accepted_of(items)
        is_taken = report.verdict is Verdict.DELIVERED
        is_failing = lost > 0 or not is_taken
        if is_failing and not self._said_failing:
            say(
                logging.WARNING,
                "%s: %s not exported: %s",
                self.destination,
                counted(lost, self._signal.unit),
                report.reason,
            )
        self._said_failing = is_failing
        return is_taken

    def _send(self, request: Request, deadline: Deadline, rest: Callable[[], None]) -> Answer:
        answer = self._sender.send(request.body, deadline, rest)
        self._remarks.note(answer.remark)
        return answer

    def _send_at_last(self, request: Request, deadline: Deadline, rest: Callable[[], None]) -> Answer:
        """Send what is lost where this fails."""
        answer = self._send(request, deadline, rest)
        if answer.is_last_word:
            items = counted(request.items, self._signal.unit)
            say(logging.WARNING, "%s not exported: %s", items, answer.reason)
        return answer
