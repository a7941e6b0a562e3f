"""An export pauses by the time that it has worked, less under pressure."""

from __future__ import annotations

import pytest

from breaker_exporter.otlp import _pacing
from breaker_exporter.otlp._pacing import Pace, Stretch, every_so_often


class _Clock:
    """Time as `_pacing` sees it: tests move it, and sleeping moves it too."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr(_pacing, "time", clock)
    return clock


def work(stretch: Stretch, time: _Clock, seconds: float) -> list[float]:
    """Work so long in steps of 0.1 ms, and return the pauses made."""
    time.slept.clear()
    for _ in range(round(seconds * 10_000)):
        time.now += 0.0001
        stretch.rest()
    return time.slept


def test_it_pauses_when_it_has_worked_for_less_than_a_millisecond(time: _Clock) -> None:
    pauses = work(Pace().begin(time.now + 10), time, 0.01)

    assert 10 <= len(pauses) <= 30
    assert set(pauses) == {0.002}


def test_with_half_of_its_time_gone_it_only_gives_way(time: _Clock) -> None:
    stretch = Pace().begin(time.now + 10)
    time.now += 6

    assert set(work(stretch, time, 0.01)) == {0.0}


def test_a_queue_that_waits_makes_it_work_longer_and_one_that_does_not_undoes_that(time: _Clock) -> None:
    def pauses(*, pressed: bool) -> int:
        time.now += 0.001 if pressed else 1
        stretch = pace.begin(time.now + 100)
        made = len(work(stretch, time, 0.05))
        stretch.end()
        return made

    pace = Pace()
    polite = pauses(pressed=False)
    under_pressure = [pauses(pressed=True) for _ in range(40)]

    assert under_pressure[2] == polite
    assert sorted(under_pressure, reverse=True) == under_pressure
    assert under_pressure[-1] <= polite / 16
    for _ in range(6):
        recovered = pauses(pressed=False)
    assert recovered == polite


def test_work_on_what_is_kept_goes_at_the_pace_of_the_new_and_neither_adds_to_it(time: _Clock) -> None:
    """A batch is sent again beside new ones, for minutes."""
    pace = Pace()
    for _ in range(40):
        pace.go_on(time.now + 100).end()
    assert set(work(pace.go_on(time.now + 100), time, 0.01)) == {0.002}

    for _ in range(5):
        pace.begin(time.now + 100).end()
    assert set(work(pace.go_on(time.now + 100), time, 0.01)) == {0.001}


def test_one_batch_is_encoded_while_another_is_sent_each_with_its_own_time(time: _Clock) -> None:
    pace = Pace()
    sending = pace.go_on(time.now + 100)
    encoding = pace.begin(time.now + 10)
    time.now += 6

    assert set(work(encoding, time, 0.01)) == {0.0}
    assert set(work(sending, time, 0.01)) == {0.002}


def test_a_batch_that_comes_when_the_call_before_it_has_just_ended_had_to_wait(time: _Clock) -> None:
    """With retention it is encoded, and then sent."""
    pace = Pace()
    for _ in range(5):
        pace.begin(time.now + 10).end()
        time.now += 1
        pace.go_on(time.now + 10).end()

    assert set(work(pace.go_on(time.now + 100), time, 0.01)) == {0.001}


def test_others_are_let_in_where_work_has_gone_on_for_long_enough(time: _Clock) -> None:
    rest = every_so_often(lambda: time.sleep(0.01))

    for _ in range(100):
        time.now += 0.0001
        rest()

    assert 20 <= len(time.slept) <= 25
