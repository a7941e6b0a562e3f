"""Reports of a wrapped exporter beyond SUCCESS and FAILURE, and their effect on the circuit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pybreaker
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from breaker_exporter import (
    CircuitBreakerSpanExporter,
    CircuitState,
    CircuitTransition,
    ExportReport,
    Verdict,
)
from breaker_exporter.testing import ManualClock

from ._spans import spans

SUCCESS, FAILURE = SpanExportResult.SUCCESS, SpanExportResult.FAILURE
DELIVERED, REJECTED = ExportReport(Verdict.DELIVERED), ExportReport(Verdict.REJECTED, reason="HTTP 400")
FAILED = ExportReport(Verdict.FAILED, reason="HTTP 500")


class Reporting(SpanExporter):
    """Answers each call with the next of its reports."""

    def __init__(self, *reports: ExportReport) -> None:
        self._reports = list(reports)
        self.calls = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        raise AssertionError("not asked while there is more to be told")

    def export_and_report(self, spans: Sequence[ReadableSpan]) -> ExportReport:
        self.calls += 1
        return self._reports.pop(0)


def guard(clock: ManualClock, *reports: ExportReport, **settings: Any) -> CircuitBreakerSpanExporter:
    return CircuitBreakerSpanExporter(Reporting(*reports), clock=clock, jitter=0, **settings)


def test_a_delivered_batch_counts_as_success_and_what_is_missing_of_it_as_failed(clock: ManualClock) -> None:
    exporter = guard(clock, FAILED, ExportReport(Verdict.DELIVERED, 3, "2 rejected"), DELIVERED)
    exporter.export(spans(1))

    assert exporter.export(spans(5)) is SUCCESS

    health = exporter.health()
    assert (health.exported, health.failed, health.consecutive_failures) == (3, 3, 0)
    assert health.last_error == "2 rejected"
    assert exporter.export(spans(4)) is SUCCESS
    assert exporter.health().exported == 7


def test_more_spans_than_there_were_cannot_have_been_delivered(clock: ManualClock) -> None:
    exporter = guard(clock, ExportReport(Verdict.DELIVERED, 9))
    exporter.export(spans(2))
    assert (exporter.health().exported, exporter.health().failed) == (2, 0)


def test_a_failed_batch_that_was_delivered_in_part_counts_as_such(clock: ManualClock) -> None:
    """P3: what the backend accepted counts as exported, whatever happened to the rest."""
    part = ExportReport(Verdict.FAILED, delivered=3, reason="gone in between")
    exporter = guard(clock, part, ExportReport(Verdict.MISCONFIGURED, delivered=1))

    assert exporter.export(spans(5)) is FAILURE
    health = exporter.health()
    assert (health.exported, health.failed, health.consecutive_failures) == (3, 2, 1)

    assert exporter.export(spans(5)) is FAILURE
    health = exporter.health()
    assert (health.exported, health.failed, health.state) == (4, 6, CircuitState.OPEN)


def test_a_rejected_batch_fails_and_is_no_failure_of_the_backend(clock: ManualClock) -> None:
    exporter = guard(clock, FAILED, REJECTED, FAILED, failure_threshold=2)

    assert [exporter.export(spans(1)) for _ in range(3)] == [FAILURE] * 3

    health = exporter.health()
    assert (health.failed, health.state, health.consecutive_failures) == (3, CircuitState.CLOSED, 1)


def test_a_probe_that_is_rejected_closes_the_circuit(clock: ManualClock) -> None:
    """The backend is back: it has read the batch."""
    exporter = guard(clock, FAILED, REJECTED, failure_threshold=1, cooldown=10)
    exporter.export(spans(1))
    clock.advance(10)
    assert exporter.export(spans(1)) is FAILURE
    assert exporter.state is CircuitState.CLOSED


def test_a_batch_that_cannot_be_sent_says_nothing_of_the_backend(clock: ManualClock) -> None:
    unsent = ExportReport(Verdict.UNSENT, reason="too large")
    exporter = guard(clock, FAILED, unsent, FAILED, unsent, DELIVERED, failure_threshold=2, cooldown=10)
    for _ in range(3):
        exporter.export(spans(1))
    assert exporter.state is CircuitState.OPEN
    clock.advance(10)

    assert exporter.export(spans(1)) is FAILURE

    health = exporter.health()
    assert (health.state, health.retry_in, health.failed) == (CircuitState.OPEN, 0.0, 4)
    assert exporter.export(spans(1)) is SUCCESS
    assert exporter.health().state is CircuitState.CLOSED


def test_a_misconfiguration_opens_the_circuit_at_once(clock: ManualClock) -> None:
    seen: list[CircuitTransition] = []
    report = ExportReport(Verdict.MISCONFIGURED, reason="HTTP 401: check the credentials")
    exporter = guard(clock, report, failure_threshold=5, listeners=[seen.append])

    assert exporter.export(spans(2)) is FAILURE

    assert exporter.state is CircuitState.OPEN
    assert (exporter.health().failed, exporter.health().consecutive_failures) == (2, 1)
    assert [change.reason for change in seen] == ["HTTP 401: check the credentials"]


@pytest.mark.parametrize(
    ("asked", "waits"), [(40.0, 40.0), (5.0, 15.0), (1000.0, 60.0), (0.0, 15.0), (None, 15.0)]
)
def test_a_circuit_stays_open_as_long_as_the_backend_asks_within_limits(
    clock: ManualClock, asked: float | None, waits: float
) -> None:
    seen: list[CircuitTransition] = []
    busy = ExportReport(Verdict.FAILED, reason="HTTP 503", retry_after=asked)
    exporter = guard(clock, busy, DELIVERED, failure_threshold=1, listeners=[seen.append])

    exporter.export(spans(1))

    health = exporter.health()
    assert (health.retry_in, health.cooldown, seen[0].cooldown) == (waits, waits, waits)
    clock.advance(waits - 0.001)
    assert exporter.export(spans(1)) is FAILURE
    clock.advance(0.001)
    assert exporter.export(spans(1)) is SUCCESS
    assert exporter.health().cooldown == 15


def test_what_the_backend_asked_for_before_the_circuit_opened_is_kept(clock: ManualClock) -> None:
    busy = ExportReport(Verdict.FAILED, reason="HTTP 429", retry_after=40)
    exporter = guard(clock, busy, FAILED, failure_threshold=2, cooldown=10)
    exporter.export(spans(1))
    assert exporter.state is CircuitState.CLOSED
    clock.advance(15)
    exporter.export(spans(1))
    assert exporter.health().retry_in == 25


def test_a_clock_that_was_set_back_does_not_lengthen_what_the_backend_asked_for() -> None:
    """C7."""
    now = 10_000.0
    busy = ExportReport(Verdict.FAILED, reason="HTTP 429", retry_after=40)
    exporter = CircuitBreakerSpanExporter(
        Reporting(busy, FAILED), failure_threshold=2, max_cooldown=50, jitter=0, clock=lambda: now
    )
    exporter.export(spans(1))
    now -= 5000
    exporter.export(spans(1))
    assert (exporter.health().retry_in, exporter.health().cooldown) == (50, 50)


def test_what_the_backend_asked_for_is_at_most_the_longest_cooldown_from_when_it_asked(
    clock: ManualClock,
) -> None:
    busy = ExportReport(Verdict.FAILED, reason="HTTP 429", retry_after=500)
    exporter = guard(clock, busy, FAILED, failure_threshold=2, cooldown=10, max_cooldown=60)
    exporter.export(spans(1))
    clock.advance(61)
    exporter.export(spans(1))
    assert exporter.health().retry_in == 10


def test_a_backend_that_asks_for_less_the_second_time_does_not_take_back_the_first(
    clock: ManualClock,
) -> None:
    first, second = (
        ExportReport(Verdict.FAILED, reason="HTTP 429", retry_after=seconds) for seconds in (40, 1)
    )
    exporter = guard(clock, first, second, failure_threshold=2, cooldown=10)
    exporter.export(spans(1))
    clock.advance(15)
    exporter.export(spans(1))
    assert exporter.health().retry_in == 25


def test_a_clock_that_was_set_back_does_not_lengthen_the_cooldown() -> None:
    """C7: nor does it, once it has been set forth again, shorten it."""
    now = 10_000.0
    exporter = CircuitBreakerSpanExporter(
        Reporting(FAILED), failure_threshold=1, cooldown=20, jitter=0, clock=lambda: now
    )
    exporter.export(spans(1))
    now -= 5000
    assert exporter.health().retry_in == 20
    now += 5005
    assert exporter.health().retry_in == 15


def test_a_success_in_between_takes_it_back(clock: ManualClock) -> None:
    busy = ExportReport(Verdict.FAILED, reason="HTTP 429", retry_after=40)
    exporter = guard(clock, busy, DELIVERED, FAILED, FAILED, failure_threshold=2, cooldown=10)
    for _ in range(4):
        exporter.export(spans(1))
    assert exporter.health().retry_in == 10


def test_a_cooldown_grows_by_itself_whatever_the_backend_asked_for(clock: ManualClock) -> None:
    busy = ExportReport(Verdict.FAILED, reason="HTTP 429", retry_after=40)
    exporter = guard(clock, busy, FAILED, failure_threshold=1, cooldown=10)
    exporter.export(spans(1))
    clock.advance(40)
    exporter.export(spans(1))
    assert (exporter.health().retry_in, exporter.health().cooldown) == (20, 20)


def test_a_given_breaker_waits_too() -> None:
    """C10: no setting of it is written for that."""
    breaker = pybreaker.CircuitBreaker(fail_max=1, reset_timeout=2)
    busy = ExportReport(Verdict.FAILED, reason="HTTP 429", retry_after=500)
    exporter = CircuitBreakerSpanExporter(Reporting(busy), breaker=breaker)
    exporter.export(spans(1))
    assert 30 < (exporter.health().retry_in or 0) <= 60
    assert breaker.reset_timeout == 2


def test_a_subclass_that_overrides_export_alone_is_asked_by_export(clock: ManualClock) -> None:
    """Else its override, which may redact a batch, would be skipped."""

    class Redacting(Reporting):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            super().export_and_report(spans)
            return SUCCESS

    inner = Redacting(FAILED)
    exporter = CircuitBreakerSpanExporter(inner, clock=clock)
    assert exporter.export(spans(1)) is SUCCESS
    assert inner.calls == 1


def test_an_exporter_whose_export_is_its_own_attribute_is_called_by_it(clock: ManualClock) -> None:
    inner: Any = SimpleNamespace(export=lambda spans: SUCCESS)
    assert CircuitBreakerSpanExporter(inner, clock=clock).export(spans(1)) is SUCCESS


def test_a_long_reason_is_cut(clock: ManualClock) -> None:
    exporter = guard(clock, ExportReport(Verdict.FAILED, reason="x" * 5000))
    exporter.export(spans(1))
    assert exporter.health().last_error == "x" * 277 + "..."


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"verdict": "failed"}, TypeError, "verdict must be a Verdict"),
        ({"delivered": -1}, ValueError, "delivered must be"),
        ({"delivered": True}, TypeError, "delivered must be"),
        ({"reason": None}, TypeError, "reason must be"),
        ({"cause": "unknown"}, TypeError, "cause must be a Cause, not 'unknown'"),
        ({"retry_after": -1.0}, ValueError, "retry_after must be"),
        ({"retry_after": math.nan}, ValueError, "retry_after must be"),
    ],
)
def test_a_report_that_makes_no_sense_cannot_be_made(
    arguments: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        ExportReport(**{"verdict": Verdict.FAILED, **arguments})
