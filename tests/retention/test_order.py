"""K3: new batches first, every fourth call the oldest kept one; a batch at fault is given up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from breaker_exporter import CircuitState
from breaker_exporter._core.backlog import Backlog
from breaker_exporter._core.budget import Budget
from breaker_exporter._core.choice import Choice
from breaker_exporter._core.parcel import Parcel
from breaker_exporter._core.replay_pace import ReplayPace
from breaker_exporter._core.retention_settings import Keep
from breaker_exporter._core.store import Store

from ..semantics._exporters import SUCCESS
from ..semantics._waiting import Gate, start, until
from ._retaining import (
    ANSWERED,
    BUSY,
    DELIVERED,
    GATEWAY,
    MISCONFIGURED,
    UNREACHABLE,
    Encoded,
    Encoding,
    batch,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from breaker_exporter import CircuitBreakerSpanExporter, ExportReport
    from breaker_exporter.testing import ManualClock

    Make = Callable[..., CircuitBreakerSpanExporter]


def _first(inner: Encoding) -> list[str]:
    return [sent[0] for sent in inner.sent]


def _probe(
    exporter: CircuitBreakerSpanExporter, inner: Encoding, clock: ManualClock, *, times: int, calls: int = 1
) -> None:
    """After so many calls, let the exporter make so many probes."""
    for probes in range(1, times + 1):
        until(lambda: exporter.state is CircuitState.OPEN)
        clock.advance(60)
        until(lambda: len(inner.sent) == calls + probes)  # noqa: B023


class _AtAnyPace(ReplayPace):
    def wait(self, now: float) -> float:
        return 0.0


def test_new_batches_go_first_and_every_fourth_call_the_oldest_kept() -> None:
    backlog = Backlog(Budget(10_000, Keep.NEWEST), lambda parcel: None)
    choice = Choice(Store(backlog), _AtAnyPace(4.0))
    for number in range(20):
        parcel = backlog.take_in(Encoded((str(number),)), 100.0, 0.0, 0)
        assert parcel is not None
        backlog.end_call(parcel, parcel.payload, is_new=number >= 5)

    order = []
    while (parcel := choice.next(None, 100.5)[0]) is not None:
        assert backlog.take(parcel)
        order.append(parcel.number)
        backlog.end_call(parcel, None)
        choice.settled(parcel, 100.5, was_probe=False, failed=False)

    assert order == [6, 7, 8, 1, 9, 10, 11, 2, 12, 13, 14, 3, 15, 16, 17, 4, 18, 19, 20, 5]


def test_what_could_not_be_sent_within_a_second_is_not_new_any_more(make: Make, moved: ManualClock) -> None:
    """K8: it counts as kept, and its pace is the replay's."""
    inner = Encoding()
    exporter = make(inner)
    gate = Gate()
    inner.default = lambda _: gate.wait() and DELIVERED
    first = start(lambda: exporter.export(batch("first")))
    until(lambda: inner.sent)
    moved.advance(1.1)
    assert first.result(20) is SUCCESS
    for name in ("a", "b", "c"):
        exporter.export(batch(name))
        moved.advance(0.4)

    gate.open()

    until(lambda: exporter.health().exported == 4)
    assert _first(inner) == ["first", "b", "c", "a"]


def test_the_probe_is_the_newest_batch(make: Make, clock: ManualClock, looks_often: None) -> None:
    """K14."""
    inner = Encoding(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock)
    for name in ("first", "second", "third"):
        exporter.export(batch(name))

    clock.advance(60)
    until(lambda: len(inner.sent) == 2)

    assert _first(inner) == ["first", "third"]


def test_the_next_probe_is_another_batch_than_those_that_failed_in_this_outage(
    make: Make, clock: ManualClock, looks_often: None
) -> None:
    """K14: they may be why. Where none is left, they take turns."""
    inner = Encoding(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock, max_cooldown=60)
    for name in ("first", "second", "third"):
        exporter.export(batch(name))

    _probe(exporter, inner, clock, times=5)
    until(lambda: exporter.health().retained == 3)
    exporter.export(batch("fourth"))
    _probe(exporter, inner, clock, times=3, calls=6)

    probes = ["third", "second", "first", "third", "second", "fourth", "first", "third"]
    assert _first(inner) == ["first", *probes]


def test_a_new_outage_begins_with_the_newest_batch_whatever_failed_in_the_last_one(
    make: Make, clock: ManualClock, moved: ManualClock
) -> None:
    inner = Encoding(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock, max_cooldown=60)
    for name in ("first", "second", "third"):
        exporter.export(batch(name))
    _probe(exporter, inner, clock, times=1)
    until(lambda: exporter.health().retained == 3)
    inner.script = [DELIVERED]  # "second"; then "first" is replayed, and fails
    _probe(exporter, inner, clock, times=1, calls=2)
    until(lambda: exporter.state is CircuitState.CLOSED)
    until(lambda: moved.advance(1) or exporter.state is CircuitState.OPEN)  # type: ignore[func-returns-value]

    _probe(exporter, inner, clock, times=1, calls=4)

    assert _first(inner) == ["first", "third", "second", "first", "third"]


def test_the_only_batch_there_is_is_probed_with_again(
    make: Make, clock: ManualClock, looks_often: None
) -> None:
    inner = Encoding(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock, max_cooldown=60)
    exporter.export(batch("only"))

    _probe(exporter, inner, clock, times=8)
    until(lambda: exporter.health().retained == 1)
    inner.default = DELIVERED
    clock.advance(60)
    until(lambda: exporter.health().exported == 1)


def _poisoned(report: ExportReport) -> Encoding:
    """Accepts all batches but those called "poison"."""
    inner = Encoding()

    def send(payload: Encoded) -> object:
        return report if payload.names[0] == "poison" else DELIVERED

    inner.default = send
    return inner


def _live(exporter: CircuitBreakerSpanExporter, inner: Encoding, moved: ManualClock) -> None:
    """A live batch is delivered, and the time comes at which a kept one may be sent."""
    exported, calls = exporter.health().exported, len(inner.sent)
    exporter.export(batch("live"))
    until(lambda: exporter.health().exported > exported)
    moved.advance(6.0)
    until(lambda: len(inner.sent) >= calls + 2 or not exporter.health().retained)
    until(lambda: not exporter.health().in_flight)


def test_a_batch_answered_five_times_with_an_error_while_others_pass_has_failed(
    make: Make, moved: ManualClock
) -> None:
    inner = _poisoned(ANSWERED)
    exporter = make(inner, failure_threshold=3)

    exporter.export(batch("poison", 3))
    for _ in range(4):
        assert exporter.health().retained == 3
        _live(exporter, inner, moved)

    health = exporter.health()
    assert (health.failed, health.retained) == (3, 0)
    assert _first(inner).count("poison") >= 5
    assert health.last_error is not None
    assert "HTTP 500" in health.last_error
    assert health.state is CircuitState.CLOSED


@pytest.mark.parametrize("report", [BUSY, GATEWAY, UNREACHABLE], ids=["busy", "gateway", "unreachable"])
def test_an_error_that_is_not_the_batchs_own_never_makes_it_fail(
    make: Make, moved: ManualClock, report: ExportReport
) -> None:
    inner = _poisoned(report)
    exporter = make(inner, failure_threshold=3, cooldown=2)

    exporter.export(batch("poison", 3))
    for _ in range(8):
        _live(exporter, inner, moved)

    assert (exporter.health().failed, exporter.health().retained) == (0, 3)


def test_errors_count_only_where_others_were_accepted_in_between(make: Make, moved: ManualClock) -> None:
    """A backend that answers everything with an error is down: nothing of it is any batch's fault."""
    inner = Encoding(default=ANSWERED)
    exporter = make(inner, failure_threshold=20)

    exporter.export(batch("a", 3))
    for calls in range(1, 12):
        until(lambda: len(inner.sent) == calls)  # noqa: B023
        until(lambda: not exporter.health().in_flight)
        moved.advance(6.0)

    assert (exporter.health().failed, exporter.state) == (0, CircuitState.CLOSED)
    assert exporter.health().consecutive_failures >= 11


def test_a_batch_that_fails_five_probes_with_its_own_error_has_failed_and_counts_no_longer(
    make: Make, clock: ManualClock, looks_often: None
) -> None:
    inner = _poisoned(ANSWERED)
    exporter = make(inner, failure_threshold=1, clock=clock, max_cooldown=60)
    exporter.export(batch("poison", 3))

    for probes in range(1, 5):
        until(lambda: exporter.state is CircuitState.OPEN)
        assert exporter.health().retained == 3
        clock.advance(60)
        until(lambda: len(inner.sent) == 1 + probes)  # noqa: B023

    until(lambda: exporter.health().failed == 3)
    health = exporter.health()
    assert (health.state, health.retry_in, health.retained) == (CircuitState.OPEN, 0.0, 0)
    exporter.export(batch("healthy"))
    until(lambda: exporter.health().exported == 1)
    assert exporter.state is CircuitState.CLOSED


def test_batches_at_fault_that_are_alone_end_and_the_circuit_with_them(
    make: Make, clock: ManualClock, looks_often: None
) -> None:
    """K3: in a service without traffic, no other batch comes that would show whose fault it is."""
    inner = _poisoned(ANSWERED)
    exporter = make(inner, failure_threshold=1, clock=clock, max_cooldown=60)
    for count in (1, 2):
        exporter.export(batch("poison", count))

    _probe(exporter, inner, clock, times=7)
    until(lambda: exporter.health().retained == 3)
    assert exporter.health().failed == 0
    clock.advance(60)

    until(lambda: exporter.health().failed == 3)
    health = exporter.health()
    assert (health.state, health.retry_in, health.retained) == (CircuitState.OPEN, 0.0, 0)
    assert [len(sent) for sent in inner.sent] == [1, 2] * 5
    assert exporter.export(batch("healthy")) is SUCCESS
    until(lambda: exporter.state is CircuitState.CLOSED)


def test_a_batch_is_no_last_hope_while_a_probe_can_be_made_with_another() -> None:
    """K2: somebody may mend the backend; an error counts against a batch only where all others had theirs."""
    backlog = Backlog(Budget(10_000, Keep.NEWEST), lambda parcel: None)
    choice = Choice(Store(backlog), ReplayPace(4.0))

    def put(name: str, *, is_new: bool = False) -> Parcel:
        parcel = backlog.take_in(Encoded((name,)), 100.0, 0.0, 0)
        assert parcel is not None
        backlog.end_call(parcel, parcel.payload, is_new=is_new)
        return parcel

    for name in ("a", "b", "c"):
        choice.settled(put(name), 100.0, was_probe=False, failed=True)

    def probe() -> tuple[int, bool]:
        """The number of the parcel, and whether another waits that had no probe yet."""
        parcel = choice.next(0.0, 100.0)[0]
        assert parcel is not None
        assert backlog.take(parcel)
        has_untried = choice.has_untried
        backlog.end_call(parcel, parcel.payload)
        choice.settled(parcel, 100.0, was_probe=True, failed=True)
        return parcel.number, has_untried

    assert [probe() for _ in range(5)] == [(3, True), (2, True), (1, False), (3, False), (2, False)]
    put("new", is_new=True)
    assert choice.has_untried
    assert [probe() for _ in range(3)] == [(4, False), (1, False), (3, False)]


def test_a_wrong_key_costs_nothing_however_many_probes_it_takes(
    make: Make, clock: ManualClock, looks_often: None
) -> None:
    """K2: somebody may mend it."""
    inner = Encoding(default=MISCONFIGURED)
    exporter = make(inner, failure_threshold=1, clock=clock, max_cooldown=60)
    for name in ("first", "second", "third"):
        exporter.export(batch(name))

    _probe(exporter, inner, clock, times=15)

    until(lambda: exporter.health().retained == 3)
    assert exporter.health().failed == 0


def test_a_wrong_key_costs_nothing_though_one_batch_is_all_there_is(
    make: Make, clock: ManualClock, looks_often: None
) -> None:
    inner = Encoding(default=MISCONFIGURED)
    exporter = make(inner, clock=clock, max_cooldown=60)
    exporter.export(batch("only"))

    _probe(exporter, inner, clock, times=8)

    until(lambda: exporter.health().retained == 1)
