"""Counts of every span (P3), odd batches (C11), and health as a consistent snapshot."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, cast

import pytest

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState, ExporterHealth
from breaker_exporter.testing import ScriptedExporter, fail, succeed

from ._exporters import FAILURE, SUCCESS, Gated
from ._spans import spans
from ._waiting import start, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExportResult

    from breaker_exporter.testing import ManualClock


class _LengthRaises:
    def __len__(self) -> int:
        raise RuntimeError("no length today")


class _LengthLies:
    def __len__(self) -> int:
        return -1  # noqa: PLE0303 - that is the point


def _sum_agrees(health: ExporterHealth) -> bool:
    settled = health.exported + health.failed + health.refused + health.dropped
    return health.received == settled + health.retained + health.in_flight


def test_a_fresh_exporter_has_counted_nothing(clock: ManualClock) -> None:
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(), cooldown=10, clock=clock)

    assert exporter.health() == ExporterHealth(
        name="ScriptedExporter",
        state=CircuitState.CLOSED,
        consecutive_failures=0,
        cooldown=10,
        retry_in=None,
        received=0,
        exported=0,
        failed=0,
        refused=0,
        dropped=0,
        spooled=0,
        recovered=0,
        retained=0,
        retained_bytes=0,
        disk_files=None,
        disk_bytes=None,
        oldest_at=None,
        resent=0,
        in_flight=0,
        hung_calls=0,
        opened=0,
        blocked_reason=None,
        last_error=None,
        last_success_at=None,
        last_failure_at=None,
    )


def test_every_span_ends_in_exactly_one_outcome(clock: ManualClock) -> None:
    """P3."""
    inner = ScriptedExporter([succeed, fail])
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, cooldown=10, clock=clock)

    exporter.export(spans(5))
    exporter.export(spans(7))
    exporter.export(spans(11))

    health = exporter.health()
    assert (health.received, health.exported, health.failed, health.refused) == (23, 5, 7, 11)
    assert health.in_flight == 0


def test_the_wrapped_exporter_gets_the_very_spans(clock: ManualClock) -> None:
    inner = ScriptedExporter()
    exporter = CircuitBreakerSpanExporter(inner, clock=clock)
    batch = spans(3)

    exporter.export(batch)
    exporter.export(list(batch))

    assert [call.spans for call in inner.calls] == [batch, batch]


def test_an_empty_batch_succeeds_and_touches_nothing(clock: ManualClock) -> None:
    """C11: closed or open, it is no call, no success and no probe."""
    inner = ScriptedExporter(default=fail)
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=2, cooldown=10, clock=clock)
    exporter.export(spans(1))
    before = exporter.health()
    assert exporter.export(()) is SUCCESS
    assert exporter.health() == before

    exporter.export(spans(1))
    clock.advance(10)
    before = exporter.health()
    assert exporter.export([]) is SUCCESS
    assert exporter.health() == before
    assert exporter.state is CircuitState.OPEN
    assert len(inner.calls) == 2


@pytest.mark.parametrize(
    "nonsense",
    [None, 5, object(), iter(()), (_ for _ in spans(1)), _LengthRaises(), _LengthLies()],
    ids=["None", "5", "object", "iterator", "generator", "raising length", "lying length"],
)
def test_what_has_no_length_fails_and_is_logged_once(
    clock: ManualClock, caplog: pytest.LogCaptureFixture, nonsense: object
) -> None:
    """C11."""
    inner = ScriptedExporter()
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, clock=clock)
    before = exporter.health()
    batch = cast("Sequence[ReadableSpan]", nonsense)

    with caplog.at_level(logging.INFO, logger="breaker_exporter"):
        assert exporter.export(batch) is FAILURE
        assert exporter.export(batch) is FAILURE

    assert exporter.health() == before
    assert inner.calls == []
    assert len(caplog.records) == 1


def test_the_end_of_a_call_is_stamped_in_wall_time(clock: ManualClock) -> None:
    exporter = CircuitBreakerSpanExporter(ScriptedExporter([succeed, fail]), clock=clock)
    began = time.time()

    exporter.export(spans(1))
    health = exporter.health()
    assert health.last_success_at is not None
    assert began - 1 <= health.last_success_at <= time.time() + 1
    assert health.last_failure_at is None

    exporter.export(spans(1))
    health = exporter.health()
    assert health.last_failure_at is not None
    assert began - 1 <= health.last_failure_at <= time.time() + 1
    assert health.last_success_at is not None


def test_last_error_names_what_went_wrong(clock: ManualClock) -> None:
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=lambda _: 1 / 0), clock=clock)

    exporter.export(spans(1))

    assert "ZeroDivisionError" in (exporter.health().last_error or "")


def test_spans_in_a_call_and_in_the_queue_are_in_flight(clock: ManualClock) -> None:
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=60, clock=clock)
    first = start(lambda: exporter.export(spans(2)))
    inner.entered(1)
    second = start(lambda: exporter.export(spans(3)))
    until(lambda: exporter.health().in_flight == 5)
    assert exporter.health().received == 5

    inner.let_all_out()

    assert first.result(timeout=20) is SUCCESS
    assert second.result(timeout=20) is SUCCESS
    assert (exporter.health().exported, exporter.health().in_flight) == (5, 0)


def test_every_snapshot_adds_up_while_eight_threads_export(clock: ManualClock) -> None:
    """P3, under success, failure, refusal and recovery at once."""
    outcomes = iter(_endless([SUCCESS, FAILURE, SUCCESS, FAILURE, FAILURE, None]))
    inner = ScriptedExporter(default=lambda _: next(outcomes))
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=2, cooldown=0.001)
    batch = spans(3)
    stop = threading.Event()

    def hammer() -> int:
        sent = 0
        while not stop.is_set():
            exporter.export(batch)
            sent += len(batch)
        return sent

    calls = [start(hammer) for _ in range(8)]
    snapshots = []
    until(lambda: snapshots.append(exporter.health()) or len(snapshots) >= 150)  # type: ignore[func-returns-value]
    stop.set()
    sent = sum(call.result(timeout=20) for call in calls)

    assert all(map(_sum_agrees, snapshots))
    health = exporter.health()
    assert _sum_agrees(health)
    assert (health.received, health.in_flight) == (sent, 0)
    assert health.exported + health.failed == len(inner.calls) * len(batch)
    assert inner.max_concurrency == 1


def test_a_wrapped_exporter_that_exports_through_us_again_is_answered_at_once(clock: ManualClock) -> None:
    """R2: one export runs at a time, so one from inside can never get its turn and is refused at once."""
    answers: list[SpanExportResult] = []

    def again(_: Sequence[ReadableSpan]) -> SpanExportResult:
        answers.append(exporter.export(spans(2)))
        return SUCCESS

    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=again), export_timeout=30, clock=clock)
    exporting = start(lambda: exporter.export(spans(1)))

    assert exporting.result(timeout=15) is SUCCESS

    assert answers == [FAILURE]
    health = exporter.health()
    assert (health.received, health.exported, health.refused, health.state) == (
        3,
        1,
        2,
        CircuitState.CLOSED,
    )


def test_after_a_reentrant_export_the_next_ones_work(clock: ManualClock) -> None:
    def again(batch: Sequence[ReadableSpan]) -> SpanExportResult:
        if len(batch) == 1:
            exporter.export(spans(2))
        return SUCCESS

    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=again), export_timeout=30, clock=clock)

    for _ in range(3):
        assert start(lambda: exporter.export(spans(1))).result(timeout=15) is SUCCESS
        assert start(lambda: exporter.export(spans(4))).result(timeout=15) is SUCCESS

    assert exporter.health().exported == 15


def test_the_wrapped_exporter_may_read_our_health_from_inside(clock: ManualClock) -> None:
    seen: list[ExporterHealth] = []

    def look(_: Sequence[ReadableSpan]) -> SpanExportResult:
        seen.append(exporter.health())
        return SUCCESS

    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=look), clock=clock)

    assert start(lambda: exporter.export(spans(4))).result(timeout=15) is SUCCESS
    assert (seen[0].in_flight, seen[0].received) == (4, 4)


def _endless(outcomes: list[object]) -> Iterator[object]:
    while True:
        yield from outcomes
