"""Wrapped exporters for the tests of retention: one that encodes, reports of each kind, sums."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from opentelemetry.sdk.trace.export import SpanExporter

from breaker_exporter import CircuitBreakerSpanExporter, ExportReport, Verdict
from breaker_exporter._core.payload import Delivery
from breaker_exporter._core.report import Cause

from ..semantics._spans import _tracer
from ..semantics._waiting import start, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExportResult

    from breaker_exporter import ExporterHealth
    from breaker_exporter.testing import ManualClock, ScriptedExporter

DELIVERED = ExportReport(Verdict.DELIVERED)
REJECTED = ExportReport(Verdict.REJECTED, reason="HTTP 400")
UNSENT = ExportReport(Verdict.UNSENT, reason="cannot be encoded")
MISCONFIGURED = ExportReport(Verdict.MISCONFIGURED, reason="HTTP 401", cause=Cause.ANSWERED)
UNKNOWN = ExportReport(Verdict.FAILED, reason="connection lost", cause=Cause.UNKNOWN)
UNREACHABLE = ExportReport(Verdict.FAILED, reason="connection refused", cause=Cause.UNREACHABLE)
GATEWAY = ExportReport(Verdict.FAILED, reason="HTTP 502", cause=Cause.GATEWAY)
BUSY = ExportReport(Verdict.FAILED, reason="HTTP 503", cause=Cause.BUSY)
ANSWERED = ExportReport(Verdict.FAILED, reason="HTTP 500", cause=Cause.ANSWERED)


def sum_agrees(health: ExporterHealth) -> bool:
    """Return whether K12 holds."""
    settled = health.exported + health.failed + health.refused + health.dropped
    return health.received == settled + health.retained + health.in_flight


@dataclass(frozen=True)
class Encoded:
    """A batch of a fake encoding: the names of its spans, at a hundred bytes each, ten when packed."""

    names: tuple[str, ...]
    item_size: int = 100

    @property
    def items(self) -> int:
        return len(self.names)

    @property
    def size(self) -> int:
        return self.items * self.item_size

    def packed(self, rest: Callable[[], None]) -> Encoded:
        rest()
        return replace(self, item_size=10)


class InOrder(CircuitBreakerSpanExporter):
    """Sends what it keeps in the order in which it came, as the one for metrics does."""

    _contract = replace(CircuitBreakerSpanExporter._contract, in_order=True)


class Encoding(SpanExporter):
    """Encodes, and answers each request by a script of reports or deliveries, then by `default`."""

    def __init__(
        self,
        script: Iterable[ExportReport | Delivery | BaseException] = (),
        *,
        default: ExportReport | Callable[[Encoded], object] = DELIVERED,
    ) -> None:
        self.script = list(script)
        self.default: ExportReport | Callable[[Encoded], object] = default
        self.sent: list[tuple[str, ...]] = []
        self.payloads: list[Encoded] = []
        self.accepted: list[str] = []
        self.encoding_threads: list[int] = []
        self.when_encoding: Callable[[], object] = lambda: None
        self.encodes: Callable[[Sequence[ReadableSpan]], tuple[str, ...]] = lambda batch: tuple(
            span.name for span in batch
        )
        self.dropped: list[tuple[str, ...]] = []
        self.shutdown_calls = 0

    def encode_batch(self, batch: Sequence[ReadableSpan]) -> Encoded:
        self.encoding_threads.append(threading.get_ident())
        self.when_encoding()
        return Encoded(self.encodes(batch))

    def send_payload(self, payload: Encoded) -> Delivery:
        self.sent.append(payload.names)
        self.payloads.append(payload)
        answer: object = self.script.pop(0) if self.script else self.default
        if callable(answer):
            answer = answer(payload)
            if not isinstance(answer, ExportReport):
                return cast("Delivery", answer)  # however wrong: that is what it is for
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, ExportReport):
            final = answer.verdict not in (Verdict.FAILED, Verdict.MISCONFIGURED)
            answer = Delivery(answer, None if final else payload)
        assert isinstance(answer, Delivery)
        if answer.report.verdict is Verdict.DELIVERED and answer.left is None:
            self.accepted += payload.names
        return answer

    def drop_payload(self, payload: Encoded) -> None:
        self.dropped.append(payload.names)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        raise AssertionError("it can encode: nobody calls this")

    def shutdown(self) -> None:
        self.shutdown_calls += 1


def batch(name: str, count: int = 1) -> tuple[ReadableSpan, ...]:
    """Return ``count`` new, ended spans, all of this name."""
    tracer, finished = _tracer()
    finished.clear()
    for _ in range(count):
        tracer.start_span(name).end()
    return finished.get_finished_spans()


def names(exporter: ScriptedExporter) -> list[str]:
    """The name of the spans of each call so far."""
    return [call.spans[0].name for call in exporter.calls]


def overrun(
    exporter: CircuitBreakerSpanExporter, calls: Callable[[], int], deadlines: ManualClock
) -> SpanExportResult:
    """Export three spans in a call that overruns: it is out when its 0.05 s are over."""
    given, before = batch("overruns", 3), calls()
    caller = start(lambda: exporter.export(given))
    until(lambda: calls() > before)
    deadlines.advance(0.05)
    return caller.result(20)
