"""The time that deadlines of calls run on, moved by the test: no machine is so slow that a call overruns."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from breaker_exporter._core import deadline_clock
from breaker_exporter.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def moved_by_hand() -> Iterator[ManualClock]:
    """Let deadlines run on a clock that stands still until it is moved.

    Who waits looks at it as often as its timeout says, in real seconds: a short one is noticed sooner.
    """
    deadlines = ManualClock()
    real, deadline_clock.monotonic = deadline_clock.monotonic, deadlines
    try:
        yield deadlines
    finally:
        deadline_clock.monotonic = real
