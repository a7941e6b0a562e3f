"""K4: the pace of the replay, with a clock that tests move, and a backend that has too much to do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState
from breaker_exporter._core import custody
from breaker_exporter._core.answer_times import AnswerTimes
from breaker_exporter._core.replay_pace import ReplayPace

from ..semantics._waiting import until
from ._retaining import BUSY, DELIVERED, UNREACHABLE, Encoding, InOrder, batch
from ._side import SteppedSender

if TYPE_CHECKING:
    from collections.abc import Callable

    from breaker_exporter.testing import ManualClock

    from ._retaining import Encoded

    Make = Callable[..., CircuitBreakerSpanExporter]


def _live(pace: ReplayPace, seconds: int, *, rate: int = 1000, begin: float = 0.0) -> float:
    """So many seconds of live batches of 100 items, whose answers take 10 ms; return the time then."""
    for tick in range(seconds * rate // 100):
        pace.live(100, begin + tick * 100 / rate)
        pace.live_answered(100, 0.01)
    return begin + seconds


def _replayed_in(
    pace: ReplayPace,
    begin: float,
    seconds: float,
    *,
    took: float = 0.01,
    live_took: float | None = 0.01,
    rate: int = 1000,
    count: int = 100,
) -> tuple[float, int]:
    """Replay batches of `count` items at the pace, beside live ones; return the time then, and the items.

    Without `live_took`, no live batch is answered: each waits behind those that are replayed.
    """
    now, items, live_at = begin, 0, begin
    while True:
        wait = pace.wait(now)
        while live_at <= now + wait:
            pace.live(100, live_at)
            if live_took is not None:
                pace.live_answered(100, live_took)
            live_at += 100 / rate
        now += wait
        if now >= begin + seconds:
            return begin + seconds, items
        pace.replayed(count, took, now + took)
        items += count


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


def test_answers_that_are_slow_to_live_batches_too_do_not_slow_it_down() -> None:
    """After an outage a backend may be slower than before, whatever is replayed."""
    pace = ReplayPace(4.0)
    now = _live(pace, 120)

    now, _ = _replayed_in(pace, now, 10.0, took=0.05, live_took=0.05)
    _, items = _replayed_in(pace, now, 10.0, took=0.05, live_took=0.05)

    assert items / 10.0 == pytest.approx(600, rel=0.15)


def test_where_no_batch_is_live_answers_as_slow_as_the_first_do_not_slow_it_down() -> None:
    """K3: metrics wait behind what is kept until all of that is gone."""
    pace = ReplayPace(4.0, carries_live=True)
    now = _live(pace, 120, rate=500)

    rates = []
    for _ in range(6):
        now, items = _replayed_in(pace, now, 10.0, took=0.03, live_took=None, rate=500)
        rates.append(items / 10.0)

    assert rates[:4] == pytest.approx([650, 800, 1100, 1700], rel=0.1)
    assert rates[-1] == pytest.approx(2500, rel=0.1)


def test_where_no_batch_is_live_it_halves_when_answers_take_twice_as_long_as_at_first() -> None:
    pace = ReplayPace(4.0, carries_live=True)
    now = _live(pace, 120)
    for _ in range(5):
        now, _ = _replayed_in(pace, now, 10.0, live_took=None)

    now, _ = _replayed_in(pace, now, 1.0, took=0.05, live_took=None)
    _, slow = _replayed_in(pace, now, 8.0, took=0.05, live_took=None)

    assert slow / 8.0 == pytest.approx(1300, rel=0.1)


def test_at_its_first_pace_again_it_learns_anew_how_long_answers_take() -> None:
    """A backend that has grown slow for another reason is no reason to stay slow."""
    pace = ReplayPace(4.0, carries_live=True)
    now = _live(pace, 120, rate=500)
    for _ in range(5):
        now, _ = _replayed_in(pace, now, 10.0, live_took=None, rate=500)

    for _ in range(6):
        now, items = _replayed_in(pace, now, 10.0, took=0.03, live_took=None, rate=500)

    assert items / 10.0 == pytest.approx(2500, rel=0.1)


def test_few_live_answers_are_no_measure() -> None:
    """Those from before the outage are none either."""
    pace = ReplayPace(4.0)
    now = _live(pace, 120)
    pace.wait(now)
    for _ in range(4):
        pace.live_answered(100, 0.001)

    now, _ = _replayed_in(pace, now, 10.0, live_took=None)
    _, items = _replayed_in(pace, now, 10.0, live_took=None)

    assert items / 10.0 == pytest.approx(600, rel=0.15)


@pytest.mark.parametrize(
    ("count", "took"),
    [
        pytest.param(500, 0.05, id="larger"),
        pytest.param(10, 0.01, id="smaller"),
    ],
)
def test_batches_of_another_size_than_the_live_ones_do_not_slow_it_down(count: int, took: float) -> None:
    """On disk, neighbours are joined; the answer to more items may take longer."""
    pace = ReplayPace(4.0)
    now = _live(pace, 120)

    now, _ = _replayed_in(pace, now, 12.0, count=count, took=took, rate=10_000)
    _, items = _replayed_in(pace, now, 5.0, count=count, took=took, rate=10_000)

    assert items / 5.0 > 900


def test_answers_that_are_noted_while_others_are_compared_break_nothing() -> None:
    """Callers of export are on threads of their own."""
    times = AnswerTimes()

    class InTheMiddle(float):
        def __truediv__(self, other: float) -> float:
            note(0.01)
            return float(self) / other

    def note(seconds: float) -> None:
        times.live(100, seconds)
        times.replayed(100, seconds, at_first_pace=False)

    for _ in range(5):
        times.live(100, 0.01)
    for _ in range(5):
        times.replayed(100, InTheMiddle(0.05), at_first_pace=False)

    assert times.are_slow()


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


class _Service:
    """An exporter that gets two batches a second, and whose sender makes its steps by hand.

    Attributes:
        takes: Seconds of an answer; ``None``: there is no backend.
    """

    def __init__(self, make: Make, clock: ManualClock, kind: type) -> None:
        self.takes: float | None = 0.01
        self._clock = clock
        self.exporter = make(
            Encoding(default=self._answer),
            kind=kind,
            clock=clock,
            failure_threshold=1,
            cooldown=5,
            max_cooldown=5,
        )
        self._step = SteppedSender.made[-1].step
        self._batch = batch("x", 50)
        self._due = clock.now

    def _answer(self, payload: Encoded) -> object:
        if self.takes is None:
            return UNREACHABLE
        self._clock.advance(self.takes)
        return DELIVERED

    def run(self, seconds: float, until_over: Callable[[], bool] = lambda: False) -> float:
        """Let so much time pass, or less, until it is over; return the seconds that passed."""
        began = self._clock.now
        while (now := self._clock.now) < began + seconds and not until_over():
            if now >= self._due:
                self.exporter.export(self._batch)
                self._due += 0.5
            elif (wait := self._step()) != 0.0:
                self._clock.advance(max(1e-6, min(wait or 1.0, self._due - now)))
        return self._clock.now - began


@pytest.mark.parametrize("kind", [CircuitBreakerSpanExporter, InOrder])
def test_the_backlog_of_a_minute_is_gone_in_time_though_answers_take_longer_than_before(
    make: Make, moved: ManualClock, monkeypatch: pytest.MonkeyPatch, kind: type
) -> None:
    """K4: 10 s each at 0.3, 0.6, 1.2 and 2.4 times the live rate, then at 4 times."""
    monkeypatch.setattr(custody, "Sender", SteppedSender)
    service = _Service(make, moved, kind)
    service.run(60)
    service.takes = None
    service.run(60)

    service.takes = 0.03
    service.run(10, lambda: service.exporter.state is CircuitState.CLOSED)
    took = service.run(200, lambda: service.exporter.health().retained <= 100)

    assert 40 < took < 50


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
