"""OTLP exporters that encode a batch now, and send it later, or more than once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from .._concurrency.log_feedback import without_feedback
from .._concurrency.thrown import waiting
from .._core.payload import Delivery
from .._core.report import Verdict, raised
from ._delivery import deliver
from ._encode.request import Request
from ._exporter import SHUT_DOWN, Batch, OTLPExporter
from ._joining import joined
from ._pacing import every_so_often
from ._payload import EncodedPayload
from ._send.sender import Answer, Deadline
from ._stored import dumped, loaded

Kind = TypeVar("Kind", bound=type)


def exporting_what_it_encodes(kind: Kind) -> Kind:
    """Give a class the methods of an encoder as its own, beside its `export`.

    A class that has only that one of its own means it: its batches would be exported by that, not encoded.
    """
    for name, member in vars(EncodingExporter).items():
        if not name.startswith("_"):
            setattr(kind, name, member)
    return kind


class EncodingExporter(OTLPExporter[Batch]):
    """An exporter whose batches can be kept as what they are encoded to, in memory and on a disk.

    Attributes:
        signal: The name of the signal that all its payloads are of, such as ``spans``.
    """

    signal: str

    @without_feedback
    def encode_batch(self, batch: Batch) -> EncodedPayload:
        """Encode `batch`, to be sent later, or more than once.

        Items that cannot be encoded are left out. It yields to the gevent hub meanwhile, and may run beside
        :meth:`send_payload`.

        Raises:
            RuntimeError: The exporter is shut down.
            Exception: It is no batch.
        """
        if self._is_shut_down:
            raise RuntimeError(SHUT_DOWN.reason)
        work = self._pace.begin(time.monotonic() + self._timeout)

        def rest() -> None:
            with waiting():  # what is thrown into the caller is no error of its batch
                work.rest()

        try:
            encoded = self._encode(batch, self._max_request_size, rest)
        finally:
            work.end()
        if self._metrics is not None:
            self._metrics.encoded(encoded.items, encoded.left_out)
        return EncodedPayload(encoded.requests)

    @without_feedback
    def send_payload(self, payload: EncodedPayload) -> Delivery:
        """Send what was encoded once, and say what the collector answered, and what is left.

        Never raises an ``Exception``. Takes no longer than ``export_and_report``.
        """
        if self._is_shut_down:
            return Delivery(SHUT_DOWN, payload)
        deadline = Deadline.after(self._timeout)
        work = self._pace.go_on(deadline.at)
        count_it = self._metrics.sending() if self._metrics else None
        try:
            delivery = deliver(
                payload,
                lambda request: self._send_or_fail(request, deadline, work.rest),
                work.rest,
                self._max_request_size,
                self._signal.unit,
                most_items=self._max_request_items,
            )
        finally:
            work.end()
        settled = payload.items - (delivery.left.items if delivery.left else 0)
        self._end_flight(payload, settled)
        if count_it is not None:
            count_it(delivery, settled)
        return delivery

    def drop_payload(self, payload: EncodedPayload) -> None:
        """Say that `payload`, or what was left of it, will not be sent any more: its items have failed."""
        self._end_flight(payload, payload.items)
        if self._metrics is not None:
            self._metrics.dropped(payload.items)

    def join_payloads(self, payloads: Sequence[EncodedPayload], rest: Callable[[], None]) -> EncodedPayload:
        """Join what was encoded, for keeping: the same items in fewer requests that the peer takes, packed.

        Args:
            payloads: All of this process, and in flight.
            rest: Called between two pieces of long work: lets others run.
        """
        return joined(payloads, self._max_request_size, every_so_often(rest))

    def dump_payload(self, payload: EncodedPayload) -> bytes:
        """Return `payload` as bytes, for a disk: its items, and nothing of this exporter.

        Raises:
            ValueError: It is larger than what is loaded: 64 MiB or 131,072 items.
        """
        return dumped(payload)

    def release_payload(self, payload: EncodedPayload) -> None:
        """Say that `payload` is on a disk now, and that whoever reads it there sends it."""
        self._end_flight(payload, payload.items)

    def load_payload(self, data: bytes, rest: Callable[[], None]) -> EncodedPayload:
        """Return the payload that `data` was made of, cut to what the collector of this exporter takes.

        Args:
            data: From a disk, and not trusted for any length or count in it.
            rest: Called between two pieces of long work: lets others run.

        Raises:
            ValueError: `data` is not what :meth:`dump_payload` makes.
        """
        return loaded(data, self._max_request_size, every_so_often(rest))

    def _end_flight(self, payload: EncodedPayload, items: int) -> None:
        if self._metrics is not None and payload.is_in_flight:
            self._metrics.take_out(items)

    def _send_or_fail(self, request: Request, deadline: Deadline, rest: Callable[[], None]) -> Answer:
        """Send what is kept where this fails: an error must not take along what was accepted before it."""
        try:
            return self._send(request, deadline, rest)
        except Exception as error:
            return Answer(Verdict.FAILED, raised(error))
