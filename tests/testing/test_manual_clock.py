"""The clock that tests move."""

from __future__ import annotations

import math

import pytest

from breaker_exporter.testing import ManualClock


def test_the_clock_stands_still_until_it_is_moved() -> None:
    clock = ManualClock(start=10.0)

    assert (clock(), clock.now) == (10.0, 10.0)
    clock.advance(2.5)
    clock.advance(0)

    assert (clock(), clock.now) == (12.5, 12.5)
    assert repr(clock) == "ManualClock(12.5)"


@pytest.mark.parametrize("seconds", [-0.1, math.nan, math.inf])
def test_the_clock_never_goes_back(seconds: float) -> None:
    clock = ManualClock()

    with pytest.raises(ValueError, match=r"seconds must be .* at least 0, not"):
        clock.advance(seconds)

    assert clock.now == 0.0


def test_the_clock_starts_at_a_finite_number() -> None:
    with pytest.raises(ValueError, match="start must be a finite number of seconds, not nan"):
        ManualClock(math.nan)
