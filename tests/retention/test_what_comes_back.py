"""K2: what is sent again, what is final, and what a late or partial answer changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from breaker_exporter import CircuitState, ExportReport, Verdict
from breaker_exporter._core.payload import Delivery
from breaker_exporter._core.report import Cause
from breaker_exporter.testing import ScriptedExporter, fail, hang, hang_then, succeed, throw

from ..semantics._exporters import FAILURE, SUCCESS, Gated
from ..semantics._spans import spans
from ..semantics._waiting import until
from ._retaining import (
    ANSWERED,
    BUSY,
    DELIVERED,
    GATEWAY,
    MISCONFIGURED,
    REJECTED,
    UNKNOWN,
    UNREACHABLE,
    UNSENT,
    Encoded,
    Encoding,
    batch,
    overrun,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from breaker_exporter import CircuitBreakerSpanExporter
    from breaker_exporter.testing import ManualClock

    Make = Callable[..., CircuitBreakerSpanExporter]


@pytest.mark.parametrize(
    "outcome", [fail, throw(ValueError("x")), throw(KeyboardInterrupt), lambda _: "nonsense", lambda _: None]
)
def test_a_failure_comes_back_and_is_sent_again(make: Make, outcome: object) -> None:
    inner = ScriptedExporter([outcome])  # type: ignore[list-item]
    exporter = make(inner)
    given = spans(3)

    assert exporter.export(given) is SUCCESS

    until(lambda: exporter.health().exported == 3)
    assert [call.spans for call in inner.calls] == [given, given]
    assert (exporter.health().failed, exporter.health().retained) == (0, 0)


def test_what_is_misconfigured_comes_back_too(make: Make, clock: ManualClock, looks_often: None) -> None:
    """Somebody may mend the key."""
    inner = Encoding([MISCONFIGURED])
    exporter = make(inner, clock=clock)

    assert exporter.export(batch("a", 3)) is SUCCESS

    assert (exporter.state, exporter.health().retained) == (CircuitState.OPEN, 3)
    clock.advance(60)
    until(lambda: exporter.health().exported == 3)
    assert exporter.state is CircuitState.CLOSED


@pytest.mark.parametrize("report", [REJECTED, UNSENT])
def test_what_is_final_does_not_come_back(make: Make, report: ExportReport) -> None:
    inner = Encoding([report])
    exporter = make(inner)

    assert exporter.export(batch("a", 3)) is FAILURE
    assert exporter.export(batch("b", 2)) is SUCCESS

    health = exporter.health()
    assert (health.failed, health.exported, health.retained) == (3, 2, 0)
    assert inner.sent == [("a",) * 3, ("b",) * 2]


@pytest.mark.parametrize(
    ("report", "resent"),
    [(UNKNOWN, 3), (GATEWAY, 3), (UNREACHABLE, 0), (BUSY, 0), (ANSWERED, 0)],
    ids=["unknown", "gateway", "unreachable", "busy", "answered"],
)
def test_resent_counts_what_the_backend_may_have_had(make: Make, report: ExportReport, resent: int) -> None:
    exporter = make(Encoding([report]))

    exporter.export(batch("a", 3))

    until(lambda: exporter.health().exported == 3)
    assert exporter.health().resent == resent


def test_an_overrun_comes_back_and_is_sent_again(
    make: Make, clock: ManualClock, deadlines: ManualClock, looks_often: None
) -> None:
    inner = ScriptedExporter([hang])
    exporter = make(inner, export_timeout=0.05, clock=clock)

    assert overrun(exporter, lambda: len(inner.calls), deadlines) is SUCCESS

    health = exporter.health()
    assert (health.state, health.retained, health.hung_calls) == (CircuitState.OPEN, 3, 1)
    clock.advance(60)
    until(lambda: exporter.health().exported == 3)
    assert exporter.health().resent == 3
    inner.release()
    until(lambda: exporter.health().hung_calls == 0)
    assert exporter.health().exported == 3


def test_a_success_that_comes_late_takes_its_batch_out_of_the_backlog(
    make: Make, clock: ManualClock, deadlines: ManualClock
) -> None:
    inner = ScriptedExporter([hang])
    exporter = make(inner, export_timeout=0.05, clock=clock)
    overrun(exporter, lambda: len(inner.calls), deadlines)
    assert exporter.health().retained == 3

    inner.release()

    until(lambda: exporter.health().exported == 3)
    health = exporter.health()
    assert (health.retained, health.retained_bytes, health.resent, len(inner.calls)) == (0, 0, 0, 1)
    assert health.state is CircuitState.OPEN, "C6: a late result changes no state"


@pytest.mark.parametrize("late", [fail, throw(ValueError), lambda _: REJECTED, lambda _: object()])
def test_another_result_that_comes_late_changes_nothing(
    make: Make, clock: ManualClock, deadlines: ManualClock, late: object
) -> None:
    inner = ScriptedExporter([hang_then(late)])  # type: ignore[arg-type]
    exporter = make(inner, export_timeout=0.05, clock=clock)
    overrun(exporter, lambda: len(inner.calls), deadlines)

    inner.release()

    until(lambda: exporter.health().hung_calls == 0)
    assert exporter.health().retained == 3


def test_a_late_success_of_a_part_leaves_no_ghost(
    make: Make, clock: ManualClock, deadlines: ManualClock, looks_often: None
) -> None:
    """What was delivered in part is in custody still, all of it or the rest."""
    gated = Gated()

    def send(payload: Encoded) -> Delivery:
        gated.export(())
        part = ExportReport(Verdict.DELIVERED, delivered=1)
        return Delivery(part, Encoded(payload.names[1:])) if len(inner.sent) == 1 else Delivery(DELIVERED)

    inner = Encoding(default=send)
    exporter = make(inner, export_timeout=0.05, clock=clock)
    overrun(exporter, lambda: len(inner.sent), deadlines)
    gated.let_all_out()
    until(lambda: exporter.health().hung_calls == 0)
    health = exporter.health()
    assert (health.exported + health.retained, health.in_flight) == (3, 0)
    assert health.retained_bytes > 0

    clock.advance(60)
    until(lambda: exporter.health().exported == 3)
    assert (exporter.health().retained, exporter.health().retained_bytes) == (0, 0)


def test_a_batch_delivered_by_its_second_call_is_counted_once(
    make: Make, clock: ManualClock, deadlines: ManualClock, looks_often: None
) -> None:
    inner = Gated()
    exporter = make(inner, export_timeout=0.05, clock=clock)
    overrun(exporter, lambda: len(inner.calls), deadlines)
    inner.let_out(1)
    clock.advance(60)
    until(lambda: exporter.health().exported == 3)

    inner.let_out(0)

    until(lambda: exporter.health().hung_calls == 0)
    assert exporter.health().exported == 3


def test_of_a_partial_answer_only_the_part_without_one_returns(make: Make) -> None:
    def send(payload: Encoded) -> Delivery:
        if len(payload.names) == 5:
            report = ExportReport(Verdict.FAILED, delivered=2, reason="lost", cause=Cause.UNKNOWN)
            return Delivery(report, Encoded(payload.names[3:]))
        return Delivery(DELIVERED)

    inner = Encoding(default=send)
    exporter = make(inner)

    assert exporter.export(batch("a", 5)) is SUCCESS

    until(lambda: exporter.health().exported == 4)
    health = exporter.health()
    assert (health.received, health.failed, health.retained) == (5, 1, 0)
    assert [len(names) for names in inner.sent] == [5, 2]
    assert health.resent == 2


@pytest.mark.parametrize("verdict", [Verdict.DELIVERED, Verdict.REJECTED, Verdict.UNSENT])
def test_what_is_left_returns_whatever_the_verdict_on_the_rest(make: Make, verdict: Verdict) -> None:
    def send(payload: Encoded) -> Delivery:
        if len(payload.names) == 5:
            return Delivery(ExportReport(verdict, delivered=2, reason="a part"), Encoded(payload.names[3:]))
        return Delivery(DELIVERED)

    inner = Encoding(default=send)
    exporter = make(inner)

    exporter.export(batch("a", 5))

    until(lambda: exporter.health().exported == 4)
    assert (exporter.health().failed, len(inner.sent)) == (1, 2)


def test_what_the_backend_rejects_of_a_batch_is_final(make: Make) -> None:
    part = ExportReport(Verdict.DELIVERED, delivered=3, reason="2 rejected")
    exporter = make(ScriptedExporter([lambda _: part]))

    assert exporter.export(spans(5)) is SUCCESS
    assert (exporter.health().exported, exporter.health().failed, exporter.health().retained) == (3, 2, 0)


@pytest.mark.parametrize("nonsense", [None, 5, SUCCESS, Delivery(None), Delivery("report")])  # type: ignore[arg-type]
def test_what_is_no_delivery_is_a_failure(make: Make, nonsense: object, clock: ManualClock) -> None:
    """C2."""
    inner = Encoding(default=lambda _: nonsense if len(inner.sent) == 1 else Delivery(DELIVERED))
    exporter = make(inner, failure_threshold=1, clock=clock)

    assert exporter.export(batch("a", 3)) is SUCCESS

    assert (exporter.state, exporter.health().retained) == (CircuitState.OPEN, 3)


@pytest.mark.parametrize("left", [0, 4])
def test_what_is_left_is_never_more_than_there_was(make: Make, clock: ManualClock, left: int) -> None:
    """A mistake of the wrapped exporter breaks no sum."""
    report = ExportReport(Verdict.FAILED, delivered=1, reason="odd", cause=Cause.UNKNOWN)
    exporter = make(Encoding([Delivery(report, Encoded(("x",) * left))]), failure_threshold=1, clock=clock)

    exporter.export(batch("a", 3))

    health = exporter.health()
    assert health.in_flight == 0
    assert health.exported + health.failed + health.retained == 3


def test_the_second_export_of_a_scripted_exporter_is_the_same_objects(make: Make) -> None:
    """K5: another exporter's batches are kept as the objects they are."""
    inner = ScriptedExporter([fail, succeed])
    exporter = make(inner)
    given = list(spans(2))

    exporter.export(given)
    first = tuple(given)
    given.clear()

    until(lambda: exporter.health().exported == 2)
    assert inner.calls[1].spans == first


def test_what_is_given_up_is_told_to_the_exporter_that_encoded_it(make: Make, clock: ManualClock) -> None:
    inner = Encoding(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock)
    exporter.export(batch("a", 3))
    exporter.export(batch("b", 1))
    assert inner.dropped == []

    exporter.shutdown(100)

    assert sorted(inner.dropped) == [("a",) * 3, ("b",)]


def test_an_exporter_that_raises_when_told_so_does_no_harm(make: Make) -> None:
    class Raises(Encoding):
        def drop_payload(self, payload: Encoded) -> None:
            raise RuntimeError("odd")

    exporter = make(Raises(default=UNREACHABLE), failure_threshold=1)
    exporter.export(batch("a", 3))
    exporter.export(batch("b", 1))

    exporter.shutdown(100)

    assert (exporter.health().dropped, exporter.health().retained) == (4, 0)
