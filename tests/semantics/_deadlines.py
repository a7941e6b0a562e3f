"""The time that deadlines of calls run on, moved by the test: no machine is so slow that a call overruns."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from breaker_exporter import _time
from breaker_exporter.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def moved_by_hand() -> Iterator[ManualClock]:
    """Let deadlines run on a clock that stands still until it is moved.

    Who waits looks at it as often as its timeout says, in real seconds: a short one is noticed sooner.
    """
    deadlines = ManualClock()
    real, _time.monotonic = _time.monotonic, deadlines
    try:
        yield deadlines
    finally:
        _time.monotonic = real
