"""The clock of call deadlines, moved by the test, so that a slow machine makes no call overrun."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from breaker_exporter._core import deadline_clock
from breaker_exporter.testing import ManualClock

from ._waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def until_passed(clock: ManualClock, condition: Callable[[], object]) -> None:
    """Return as soon as ``condition`` holds, while time passes on ``clock``."""

    def holds() -> object:
        clock.advance(0.3)
        return condition()

    until(holds)


@contextlib.contextmanager
def moved_by_hand() -> Iterator[ManualClock]:
    """Let deadlines run on a clock that stands still until it is moved.

    A waiting caller looks at it each time its timeout is over, in real seconds: use short timeouts.
    """
    deadlines = ManualClock()
    real, deadline_clock.monotonic = deadline_clock.monotonic, deadlines
    try:
        yield deadlines
    finally:
        deadline_clock.monotonic = real
