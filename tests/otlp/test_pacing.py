"""An export pauses by the time that it has worked, less under pressure."""

from __future__ import annotations

import pytest

from breaker_exporter.otlp import _pacing
from breaker_exporter.otlp._pacing import Pace


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


def work(pace: Pace, time: _Clock, seconds: float) -> list[float]:
    """Work so long in steps of 0.1 ms, and return the pauses made."""
    time.slept.clear()
    for _ in range(round(seconds * 10_000)):
        time.now += 0.0001
        pace.rest()
    return time.slept


def test_it_pauses_when_it_has_worked_for_less_than_a_millisecond(time: _Clock) -> None:
    pace = Pace()
    pace.begin(time.now + 10)

    pauses = work(pace, time, 0.01)

    assert 10 <= len(pauses) <= 30
    assert set(pauses) == {0.002}


def test_with_half_of_its_time_gone_it_only_gives_way(time: _Clock) -> None:
    pace = Pace()
    pace.begin(time.now + 10)
    time.now += 6

    assert set(work(pace, time, 0.01)) == {0.0}


def test_a_queue_that_waits_makes_it_work_longer_and_one_that_does_not_undoes_that(time: _Clock) -> None:
    def pauses(*, pressed: bool) -> int:
        time.now += 0.001 if pressed else 1
        pace.begin(time.now + 100)
        made = len(work(pace, time, 0.05))
        pace.end()
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
