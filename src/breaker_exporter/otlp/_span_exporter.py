"""The contract of span exporters, for those of this package: by whichever protocol."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from .._base.log import say
from .._core.payload import Delivery
from .._core.report import ExportReport, Verdict
from ._encode.spans import encode_spans
from ._exporter import OTLPExporter
from ._payload import EncodedPayload
from ._self_metrics import SelfMetrics
from ._send.sender import Sender
from ._stored import dumped


class OTLPSpanExporter(OTLPExporter[ReadableSpan], SpanExporter):
    """Exports spans by any sender; usable alone or wrapped.

    Args:
        sender: Sends what was encoded.
        timeout: Seconds for one batch, encoding included.
        max_request_size: Bytes of a request before compression; 0: any number.
        metrics: What the exporter counts of itself; ``None``: nothing.
    """

    signal = "spans"
    _said_failing = False

    def __init__(
        self, sender: Sender, *, timeout: float, max_request_size: int, metrics: SelfMetrics | None
    ) -> None:
        super().__init__(
            encode_spans,
            sender,
            unit="spans",
            timeout=timeout,
            max_request_size=max_request_size,
            metrics=metrics,
        )

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export `spans`; for use alone. The first loss after a success is one WARNING.

        Returns:
            ``SUCCESS`` where the collector took them, if only in part.
        """
        report = self.export_and_report(spans)
        lost = len(spans) - report.accepted_of(len(spans))
        if lost and not self._said_failing:
            say(logging.WARNING, "%s: %d spans not exported: %s", self.destination, lost, report.reason)
        self._said_failing = lost > 0
        succeeded = report.verdict is Verdict.DELIVERED
        return SpanExportResult.SUCCESS if succeeded else SpanExportResult.FAILURE

    # Beside `export`: a class that has only that one of its own means it.
    def export_and_report(self, spans: Sequence[ReadableSpan]) -> ExportReport:
        """Export `spans`, and say what the collector answered.

        Never raises an ``Exception``. Takes no longer than `timeout`, but for a name that takes longer to
        resolve, and through a SOCKS proxy, where it holds for each read: there the circuit breaker's
        ``export_timeout`` is the limit.
        """
        return self._export(spans)

    def encode_batch(self, spans: Sequence[ReadableSpan]) -> EncodedPayload:
        """Encode `spans`, to be sent later, or more than once.

        Those that cannot be encoded are left out. It yields to the gevent hub meanwhile, and may run beside
        :meth:`send_payload`.

        Raises:
            RuntimeError: The exporter is shut down.
            Exception: It is no batch.
        """
        return self._encode_batch(spans)

    def send_payload(self, payload: EncodedPayload) -> Delivery:
        """Send what was encoded once, and say what the collector answered, and what is left.

        Never raises an ``Exception``. Takes no longer than :meth:`export_and_report`.
        """
        return self._send_payload(payload)

    def drop_payload(self, payload: EncodedPayload) -> None:
        """Say that `payload` will not be sent any more: its spans have failed."""
        self._drop_payload(payload)

    def join_payloads(self, payloads: Sequence[EncodedPayload], rest: Callable[[], None]) -> EncodedPayload:
        """Join what was encoded, for keeping: the same spans in fewer requests, packed.

        Args:
            payloads: All of this process, and in flight.
            rest: Called between two pieces of long work: lets others run.
        """
        return self._join_payloads(payloads, rest)

    def dump_payload(self, payload: EncodedPayload) -> bytes:
        """Return `payload` as bytes, for a disk: its spans, and nothing of this exporter.

        Raises:
            ValueError: It is larger than what is loaded: 64 MiB or 131,072 spans.
        """
        return dumped(payload)

    def release_payload(self, payload: EncodedPayload) -> None:
        """Say that `payload` is on a disk now, and that whoever reads it there sends it."""
        self._release_payload(payload)

    def load_payload(self, data: bytes, rest: Callable[[], None]) -> EncodedPayload:
        """Return the payload that `data` was made of, cut to what the collector of this exporter takes.

        Args:
            data: From a disk, and not trusted for any length or count in it.
            rest: Called between two pieces of long work: lets others run.

        Raises:
            ValueError: `data` is not what :meth:`dump_payload` makes.
        """
        return self._load_payload(data, rest)
