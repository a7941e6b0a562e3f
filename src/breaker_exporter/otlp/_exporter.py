"""The part that all OTLP exporters share, whatever they export and by which protocol."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from .._base.log import say
from .._concurrency.thrown import waiting
from .._core.payload import Delivery
from .._core.report import Cause, ExportReport, Verdict, raised
from ._delivery import deliver
from ._encode.batch import Encoded
from ._encode.request import Request
from ._joining import joined
from ._pacing import Pace, every_so_often
from ._payload import EncodedPayload
from ._remarks import Remarks
from ._self_metrics import SelfMetrics
from ._send.sender import Answer, Deadline, Sender
from ._stored import loaded

Item = TypeVar("Item")

_SHUT_DOWN = ExportReport(Verdict.FAILED, reason="exporter is shut down", cause=Cause.UNREACHABLE)

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
            return _SHUT_DOWN
        deadline = Deadline.after(self._timeout)
        work = self._pace.begin(deadline.at)
        report = ExportReport(Verdict.FAILED)
        count_it = None
        try:
            if self._metrics is not None:
                count_it = self._metrics.counting(len(items))
            encoded = self._encode(items, self._max_request_size, work.rest)
            report = deliver(
                EncodedPayload(encoded.requests),
                lambda request: self._send_at_last(request, deadline, work.rest),
                work.rest,
                self._max_request_size,
                self._unit,
                encoded.left_out,
            ).report
        except Exception as error:
            report = ExportReport(Verdict.FAILED, reason=raised(error))
        finally:
            work.end()
            if count_it is not None:
                count_it(report)
        return report

    def _encode_batch(self, items: Sequence[Item]) -> EncodedPayload:
        """Encode a batch, to be sent later, or more than once.

        Raises:
            RuntimeError: The exporter is shut down.
            Exception: It is no batch.
        """
        if self._is_shut_down:
            raise RuntimeError(_SHUT_DOWN.reason)
        work = self._pace.begin(time.monotonic() + self._timeout)

        def rest() -> None:
            with waiting():  # what is thrown into the caller is no error of its batch
                work.rest()

        try:
            encoded = self._encode(items, self._max_request_size, rest)
        finally:
            work.end()
        if self._metrics is not None:
            self._metrics.encoded(encoded.items, encoded.left_out)
        return EncodedPayload(encoded.requests)

    def _send_payload(self, payload: EncodedPayload) -> Delivery:
        """Send a batch once. Never raises an ``Exception``."""
        if self._is_shut_down:
            return Delivery(_SHUT_DOWN, payload)
        deadline = Deadline.after(self._timeout)
        work = self._pace.go_on(deadline.at)
        count_it = self._metrics.sending() if self._metrics else None
        try:
            delivery = deliver(
                payload,
                lambda request: self._send_or_fail(request, deadline, work.rest),
                work.rest,
                self._max_request_size,
                self._unit,
            )
        finally:
            work.end()
        settled = payload.items - (delivery.left.items if delivery.left else 0)
        self._end_flight(payload, settled)
        if count_it is not None:
            count_it(delivery, settled)
        return delivery

    def _drop_payload(self, payload: EncodedPayload) -> None:
        """A batch, or what was left of it, will not be sent any more."""
        self._end_flight(payload, payload.items)
        if self._metrics is not None:
            self._metrics.dropped(payload.items)

    def _join_payloads(self, payloads: Sequence[EncodedPayload], rest: Callable[[], None]) -> EncodedPayload:
        """All of `payloads` as one, in requests that the peer takes, packed."""
        return joined(payloads, self._max_request_size, every_so_often(rest))

    def _release_payload(self, payload: EncodedPayload) -> None:
        """A batch will be sent by whoever reads it from a disk."""
        self._end_flight(payload, payload.items)

    def _load_payload(self, data: bytes, rest: Callable[[], None]) -> EncodedPayload:
        """What was stored, in requests that the peer takes.

        Raises:
            ValueError: It is no payload.
        """
        return loaded(data, self._max_request_size, every_so_often(rest))

    def _end_flight(self, payload: EncodedPayload, items: int) -> None:
        if self._metrics is not None and payload.is_in_flight:
            self._metrics.take_out(items)

    def force_flush(self, timeout_millis: float = 30_000) -> bool:
        """Nothing is kept here."""
        return True

    def shutdown(self) -> None:
        """End what is under way, which then failed, and close the connections that are kept alive."""
        self._is_shut_down = True
        self._sender.close()

    def _send(self, request: Request, deadline: Deadline, rest: Callable[[], None]) -> Answer:
        answer = self._sender.send(request.body, deadline, rest)
        self._remarks.note(answer.remark)
        return answer

    def _send_at_last(self, request: Request, deadline: Deadline, rest: Callable[[], None]) -> Answer:
        """Send what is lost where this fails."""
        answer = self._send(request, deadline, rest)
        if answer.is_last_word:
            say(logging.WARNING, "%d %s not exported: %s", request.items, self._unit, answer.reason)
        return answer

    def _send_or_fail(self, request: Request, deadline: Deadline, rest: Callable[[], None]) -> Answer:
        """Send what is kept where this fails: an error must not take along what was accepted before it."""
        try:
            return self._send(request, deadline, rest)
        except Exception as error:
            return Answer(Verdict.FAILED, raised(error))
