"""K4: the pace of the replay, with a clock that tests move, and a backend that has too much to do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from breaker_exporter import CircuitState
from breaker_exporter._core.replay_pace import ReplayPace

from ..semantics._waiting import until
from ._retaining import BUSY, DELIVERED, UNREACHABLE, Encoding, batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from breaker_exporter import CircuitBreakerSpanExporter
    from breaker_exporter.testing import ManualClock

    Make = Callable[..., CircuitBreakerSpanExporter]


def _live(pace: ReplayPace, seconds: int, *, rate: int = 1000, begin: float = 0.0) -> float:
    """So many seconds of live batches of 100 items, whose answers take 10 ms; return the time then."""
    for tick in range(seconds * rate // 100):
        pace.live(100, begin + tick * 100 / rate)
        pace.live_answered(0.01)
    return begin + seconds


def _replayed_in(
    pace: ReplayPace, begin: float, seconds: float, *, took: float = 0.01, rate: int = 1000
) -> tuple[float, int]:
    """Replay batches of 100 items at the pace, beside live ones; return the time then, and the items."""
    now, items, live_at = begin, 0, begin
    while True:
        wait = pace.wait(now)
        while live_at <= now + wait:
            pace.live(100, live_at)
            live_at += 100 / rate
        now += wait
        if now >= begin + seconds:
            return begin + seconds, items
        pace.replayed(100, took, now + took)
        items += 100


def test_replay_begins_at_three_tenths_of_the_live_rate() -> None:
    pace = ReplayPace(4.0)
    now = _live(pace, 120)

    _, items = _replayed_in(pace, now, 9.9)

    assert items / 9.9 == pytest.approx(300, rel=0.1)


def test_where_new_batches_wait_behind_the_others_they_come_on_top() -> None:
    """K3: else what is kept in order would only grow."""
    pace = ReplayPace(4.0, carries_live=True)
    now = _live(pace, 120)

    _, items = _replayed_in(pace, now, 9.9)

    assert items / 9.9 == pytest.approx(1300, rel=0.1)


def test_it_doubles_after_ten_seconds_of_success_up_to_the_highest_rate() -> None:
    pace = ReplayPace(4.0)
    now = _live(pace, 120)

    rates = []
    for _ in range(7):
        now, items = _replayed_in(pace, now, 10.0)
        rates.append(items / 10.0)

    assert rates[1] == pytest.approx(600, rel=0.15)
    assert rates[2] == pytest.approx(1200, rel=0.15)
    assert rates[-1] == pytest.approx(4000, rel=0.1)
    assert max(rates) < 4400


def test_it_never_goes_beyond_a_highest_rate_below_where_it_begins() -> None:
    pace = ReplayPace(0.1)
    now = _live(pace, 120)
    for _ in range(3):
        now, items = _replayed_in(pace, now, 10.0)
        assert items <= 1200


def test_it_halves_when_answers_take_twice_as_long_as_to_live_batches() -> None:
    pace = ReplayPace(4.0)
    now = _live(pace, 120)
    for _ in range(5):
        now, _ = _replayed_in(pace, now, 10.0)
    _, fast = _replayed_in(pace, now, 5.0)

    now, _ = _replayed_in(pace, now + 5, 5.0, took=0.05)
    _, slow = _replayed_in(pace, now, 5.0)

    assert slow < fast / 2


def test_single_slow_answers_do_not_slow_it_down() -> None:
    """On a busy machine some are slow whatever is replayed."""
    pace = ReplayPace(4.0)
    now = _live(pace, 120)
    for _ in range(5):
        now, _ = _replayed_in(pace, now, 10.0)
        pace.replayed(100, 0.5, now)
        pace.replayed(100, 0.5, now)

    _, items = _replayed_in(pace, now, 10.0)

    assert items / 10.0 == pytest.approx(4000, rel=0.15)


def test_one_batch_a_second_is_the_least() -> None:
    """An idle service replays too."""
    pace = ReplayPace(4.0)
    now = 1000.0
    waits = []
    for _ in range(5):
        wait = pace.wait(now)
        waits.append(wait)
        now += wait
        pace.replayed(512, 0.01, now)

    assert waits[0] == 0
    assert all(wait <= 1.0 for wait in waits)


def test_a_service_that_sends_less_than_it_did_is_replayed_faster() -> None:
    pace = ReplayPace(4.0)
    now = _live(pace, 120)
    now += 20  # nothing live for 20 s: the backend has seen that load

    pace.wait(now)
    pace.replayed(100, 0.01, now)

    assert pace.wait(now) < 100 / 600


def test_a_pause_is_kept_and_then_replay_begins_anew() -> None:
    pace = ReplayPace(4.0)
    now = _live(pace, 120)
    for _ in range(5):
        now, _ = _replayed_in(pace, now, 10.0)

    pace.pause(30.0, now)

    assert pace.wait(now) == pytest.approx(30)
    assert pace.wait(now + 29) == pytest.approx(1)
    now = _live(pace, 30, begin=now)
    assert pace.wait(now) == 0
    _, items = _replayed_in(pace, now, 9.0)
    assert items / 9.0 == pytest.approx(300, rel=0.2)


def test_after_the_end_of_a_replay_the_next_begins_anew() -> None:
    pace = ReplayPace(4.0)
    now = _live(pace, 120)
    for _ in range(5):
        now, _ = _replayed_in(pace, now, 10.0)
    pace.end()

    now = _live(pace, 5, begin=now)
    _, items = _replayed_in(pace, now, 9.0)

    assert items / 9.0 == pytest.approx(300, rel=0.2)


def test_ten_seconds_with_a_failure_in_them_are_not_ten_seconds_of_success() -> None:
    pace = ReplayPace(4.0)
    now = _live(pace, 120)
    now, _ = _replayed_in(pace, now, 9.0)

    pace.failed(now)
    _, items = _replayed_in(pace, now, 9.0)

    assert items / 9.0 == pytest.approx(300, rel=0.15)


def test_a_clock_that_goes_back_breaks_nothing() -> None:
    pace = ReplayPace(4.0)
    pace.live(100, 50.0)
    pace.replayed(100, 0.01, 50.0)
    pace.live(100, 10.0)
    pace.replayed(100, 0.01, 10.0)

    assert pace.wait(200.0) == 0.0


def _outage(
    make: Make, clock: ManualClock, kept: int, **arguments: object
) -> tuple[Encoding, CircuitBreakerSpanExporter]:
    """An exporter with an open circuit and so many batches in its backlog."""
    inner = Encoding(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock, **arguments)
    for number in range(kept):
        exporter.export(batch(f"kept-{number}"))
    return inner, exporter


def test_a_busy_backend_pauses_the_replay_and_the_circuit_hears_nothing_of_it(
    make: Make, clock: ManualClock, moved: ManualClock
) -> None:
    """Live traffic is the last to slow down."""
    inner, exporter = _outage(make, clock, 3)
    inner.default = DELIVERED
    inner.script = [DELIVERED, replace(BUSY, retry_after=30.0)]

    clock.advance(60)
    until(lambda: exporter.state is CircuitState.CLOSED)  # the probe was the newest
    moved.advance(1)
    until(lambda: len(inner.sent) == 3)
    assert inner.sent[-1] == ("kept-0",)
    until(lambda: exporter.health().retained == 2)
    health = exporter.health()
    assert (health.state, health.consecutive_failures) == (CircuitState.CLOSED, 0)

    for number in range(5):
        exporter.export(batch(f"live-{number}"))
    until(lambda: "live-4" in inner.accepted)
    moved.advance(29)
    exporter.export(batch("live-5"))
    until(lambda: "live-5" in inner.accepted)
    assert exporter.health().retained == 2

    moved.advance(2)
    until(lambda: exporter.health().retained == 1)
    moved.advance(2)
    until(lambda: exporter.health().retained == 0)


def test_without_a_word_on_how_long_the_pause_is_the_cooldown(
    make: Make, clock: ManualClock, moved: ManualClock
) -> None:
    inner, exporter = _outage(make, clock, 2, cooldown=10)
    inner.default = DELIVERED
    inner.script = [DELIVERED, BUSY]
    clock.advance(10)
    until(lambda: exporter.state is CircuitState.CLOSED)
    moved.advance(1)
    until(lambda: len(inner.sent) == 3)
    until(lambda: exporter.health().retained == 1)

    moved.advance(9)
    exporter.export(batch("live"))
    until(lambda: "live" in inner.accepted)
    assert exporter.health().retained == 1
    moved.advance(2)
    until(lambda: exporter.health().retained == 0)


def test_no_pause_is_longer_than_the_longest_cooldown(
    make: Make, clock: ManualClock, moved: ManualClock
) -> None:
    """As the circuit has it: a backend that asks for a day is looked at all the same."""
    inner, exporter = _outage(make, clock, 2, cooldown=10, max_cooldown=20)
    inner.default = DELIVERED
    inner.script = [DELIVERED, replace(BUSY, retry_after=86_400.0)]
    clock.advance(10)
    until(lambda: exporter.state is CircuitState.CLOSED)
    moved.advance(1)
    until(lambda: len(inner.sent) == 3)
    until(lambda: exporter.health().retained == 1)

    moved.advance(19)
    exporter.export(batch("live"))
    until(lambda: "live" in inner.accepted)
    assert exporter.health().retained == 1
    moved.advance(2)
    until(lambda: exporter.health().retained == 0)


def test_busy_to_a_live_batch_counts_towards_the_circuit(make: Make) -> None:
    exporter = make(Encoding(default=BUSY), failure_threshold=1)

    exporter.export(batch("a"))

    assert exporter.state is CircuitState.OPEN


def test_busy_to_the_probe_counts_towards_the_circuit(
    make: Make, clock: ManualClock, looks_often: None
) -> None:
    inner, exporter = _outage(make, clock, 2, cooldown=10)
    inner.default = BUSY

    clock.advance(10)

    until(lambda: exporter.health().cooldown == 20)
    assert exporter.state is CircuitState.OPEN
    assert len(inner.sent) == 2
