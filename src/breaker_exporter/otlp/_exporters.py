"""The exporter: encode in slices, post once, say what became of it."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING

import requests
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from .._base import checks as check
from .._base.environment import Environment
from .._base.log import say
from .._base.meter_provider import metered
from .._core.report import ExportReport, Verdict, raised
from . import _credentials
from . import _environment as variables
from . import _settings as otlp
from ._encode.spans import BatchEncoder, warm
from ._endpoints import http_endpoint
from ._pacing import Pace
from ._remarks import Remarks
from ._self_metrics import ENABLED, SelfMetrics
from ._send.answer import TOO_LARGE, meaning_of
from ._send.compression import compressed
from ._send.connections import Flight
from ._send.failures import NoAnswer, NotFollowed, NoThread
from ._send.http import Poster

if TYPE_CHECKING:
    import enum

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk.trace import ReadableSpan

    from ._settings import Compression

_MAX_REQUEST_SIZE = 64 << 20
"""Bytes, as OpenTelemetry's own exporter has it."""


_FAILURES = (Verdict.FAILED, Verdict.MISCONFIGURED)
_MOST_TELLING = (*_FAILURES, Verdict.DELIVERED, Verdict.REJECTED, Verdict.UNSENT)
"""Of two halves: that the backend fails, then that it lives."""


class CooperativeOTLPSpanExporter(SpanExporter):
    """OTLP over HTTP that holds neither the gevent hub nor the GIL for long, usable alone or wrapped.

    A batch is encoded in slices, with a pause between two of them, and posted once. It never sleeps to try
    again: that is for the circuit breaker around it, which it tells what the collector answered
    (:meth:`export_and_report`). The arguments and variables are those of OpenTelemetry's
    ``OTLPSpanExporter``; a bad variable is one WARNING and counts as unset, or with
    ``BREAKER_EXPORTER_STRICT=1`` it raises.

    Args:
        endpoint: The URL that traces are posted to, such as ``http://collector:4318/v1/traces``;
            ``OTEL_EXPORTER_OTLP_TRACES_ENDPOINT``, or ``OTEL_EXPORTER_OTLP_ENDPOINT`` without the path.
        certificate_file: What servers' certificates are verified by; ``OTEL_EXPORTER_OTLP_CERTIFICATE``.
        client_key_file: ``OTEL_EXPORTER_OTLP_CLIENT_KEY``.
        client_certificate_file: ``OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE``.
        headers: Sent with every export, and never to another host than the endpoint's;
            ``OTEL_EXPORTER_OTLP_HEADERS``.
        timeout: Seconds for one export, connecting, TLS, redirects and a dripping answer included;
            ``OTEL_EXPORTER_OTLP_TIMEOUT``. Default 10.
        compression: ``none`` (default), ``gzip`` or ``deflate``, or one of OpenTelemetry's ``Compression``;
            ``OTEL_EXPORTER_OTLP_COMPRESSION``.
        session: A ``requests.Session`` of yours, or what the credential provider gives that
            ``OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER`` names. Its adapters then decide how far
            `timeout` holds: with those of requests, for connecting and for each read. They also read the body
            of a redirect, whatever its size, and take an answer before the final one (``103 Early Hints``)
            for the final one.
        max_request_size: Bytes before compression; a larger batch is halved once. Default 64 MiB; 0: any.
        meter_provider: Where ``OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED`` is ``true``, its instruments count
            as those of OpenTelemetry's exporter do: ``otel.sdk.exporter.span.inflight``,
            ``otel.sdk.exporter.span.exported`` and ``otel.sdk.exporter.operation.duration``. Default:
            OpenTelemetry's global one.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
        TelemetryError: A variable is bad, where strict.
    """

    cooperative = True
    """Runs in a greenlet of its own under gevent, where its sockets and pauses yield to the hub."""

    def __init__(
        self,
        endpoint: str | None = None,
        certificate_file: str | None = None,
        client_key_file: str | None = None,
        client_certificate_file: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        compression: Compression | enum.Enum | None = None,
        session: requests.Session | None = None,
        *,
        max_request_size: int | None = None,
        meter_provider: MeterProvider | None = None,
        _environment: Environment | None = None,
    ) -> None:
        # Ours alone: variables that were checked already, or none at all.
        environment = Environment() if _environment is None else _environment
        name, seconds = "timeout", otlp.TIMEOUT.default if timeout is None else timeout
        if timeout is None:
            name, seconds = environment.found(otlp.TIMEOUT) or (name, seconds)
        self._timeout = otlp.timeout(name, seconds)
        self._compression: Compression = (
            variables.compression(environment, "http/protobuf")
            if compression is None
            else otlp.compression("compression", getattr(compression, "value", compression))
        )
        self._max_request_size = (
            _MAX_REQUEST_SIZE
            if max_request_size is None
            else check.count("max_request_size", max_request_size, zero=True)
        )
        sent = {
            "accept-encoding": "identity",
            "content-type": "application/x-protobuf",
            "user-agent": f"breaker-exporter/{version('breaker-exporter')}",
            **variables.headers(environment, "http/protobuf"),
            **({} if headers is None else otlp.headers("headers", headers, "http/protobuf")),
        }
        if self._compression != "none":
            sent["content-encoding"] = self._compression
        files = variables.files(environment)
        key = client_key_file or files.client_key
        certificate = client_certificate_file or files.client_certificate
        url = (
            variables.endpoint(environment, "http/protobuf")
            if endpoint is None
            else http_endpoint("endpoint", endpoint)
        )
        self._poster = Poster(
            url,
            sent,
            verify=certificate_file or files.certificate or True,
            certificate=(certificate, key) if certificate and key else certificate,
            session=session or _credentials.load(environment, "http/protobuf", requests.Session),
        )
        self._pace = Pace()
        self._flights: set[Flight] = set()
        self._is_shut_down = False
        self._said_failing = False
        self._remarks = Remarks(self._poster.destination)
        counts_itself = (environment.value(ENABLED) or "").lower() == "true"
        self._metrics = None
        if counts_itself:
            with metered(environment) if meter_provider is None else contextlib.nullcontext():
                self._metrics = SelfMetrics(url, meter_provider)
        warm()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} to {self.destination}>"

    @property
    def destination(self) -> str:
        """The scheme, host and port that spans are posted to, such as ``http://collector:4318``."""
        return self._poster.destination

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

    def export_and_report(self, spans: Sequence[ReadableSpan]) -> ExportReport:
        """Export `spans`, and say what the collector answered.

        Never raises an ``Exception``. Takes no longer than `timeout`, but for a name that takes longer to
        resolve, and through a SOCKS proxy, where it holds for each read: there the circuit breaker's
        ``export_timeout`` is the limit.
        """
        if self._is_shut_down:
            return ExportReport(Verdict.FAILED, reason="exporter is shut down")
        deadline = time.monotonic() + self._timeout
        flight = Flight(deadline, self._timeout)
        self._flights.add(flight)
        self._pace.begin(deadline)
        report = ExportReport(Verdict.FAILED)
        count_it = self._metrics.counting(len(spans)) if self._metrics else None
        try:
            report = self._export(spans, flight, may_halve=True)
        except Exception as error:
            report = ExportReport(Verdict.FAILED, reason=raised(error))
        finally:
            self._pace.end()
            self._flights.discard(flight)
            if count_it is not None:
                count_it(report)
        return report

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is kept here."""
        return True

    def shutdown(self) -> None:
        """End what is under way, which then failed, and close the connections that are kept alive."""
        self._is_shut_down = True
        for flight in list(self._flights):
            flight.cut_off()
        self._poster.close()

    def _export(self, spans: Sequence[ReadableSpan], flight: Flight, *, may_halve: bool) -> ExportReport:
        encoder = self._encoded(spans)
        if not encoder.count:
            return ExportReport(Verdict.UNSENT, reason="none of its spans can be encoded")
        body = encoder.body()
        if 0 < self._max_request_size < len(body):
            is_too_large = True
            report = ExportReport(Verdict.UNSENT, reason=f"{len(body)} bytes are above max_request_size")
        else:
            try:
                answer = self._poster.post(compressed(body, self._compression, self._pace.rest), flight)
            except NoAnswer as reason:
                if isinstance(reason, NoThread):  # the last word: no circuit opens any more to tell of it
                    say(logging.WARNING, "%d spans not exported: %s", encoder.count, reason)
                is_elsewhere = isinstance(reason, NotFollowed)
                verdict = Verdict.MISCONFIGURED if is_elsewhere else Verdict.FAILED
                return ExportReport(verdict, reason=str(reason))
            is_too_large = answer.status == TOO_LARGE
            meaning = meaning_of(answer, encoder.count, self._poster.said)
            self._remarks.note(meaning.remark)
            report = meaning.report
        if is_too_large and may_halve and len(spans) > 1:
            return self._export_halves(spans, flight)
        if encoder.left_out and report.verdict is Verdict.DELIVERED:
            held = report.accepted_of(encoder.count)
            return ExportReport(Verdict.DELIVERED, held, f"{encoder.left_out} spans cannot be encoded")
        return report

    def _export_halves(self, spans: Sequence[ReadableSpan], flight: Flight) -> ExportReport:
        middle = len(spans) // 2
        first = self._export(spans[:middle], flight, may_halve=False)
        if first.verdict in _FAILURES:
            return first
        second = self._export(spans[middle:], flight, may_halve=False)
        telling = min(first, second, key=lambda report: _MOST_TELLING.index(report.verdict))
        held = first.accepted_of(middle) + second.accepted_of(len(spans) - middle)
        return replace(telling, delivered=held, reason=telling.reason or first.reason or second.reason)

    def _encoded(self, spans: Sequence[ReadableSpan]) -> BatchEncoder:
        encoder, size = BatchEncoder(), self._pace.slice
        for start in range(0, len(spans), size):
            if start:
                self._pace.rest()
            encoder.add(spans[start : start + size])
        return encoder
