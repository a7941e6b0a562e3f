"""The interpreter's switch interval, shortened while calls compute on native threads beside a hub (R6).

A hub that wakes must wait for the GIL, a whole switch interval (5 ms by default) each time, while such a
thread computes. The interval is one for the process: the shortest that is asked for holds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from . import _world

_lock = _world.new_state_lock()
_asked: list[float] = []
_before = 0.0
_set = 0.0


def shorten(seconds: float) -> Callable[[], None]:
    """Ask for a switch interval of at most so many seconds.

    Returns:
        What takes it back, however often it is called. The last to do so restores what was there before,
        unless somebody else has set another interval meanwhile.
    """
    global _before  # noqa: PLW0603
    with _lock:
        if not _asked:
            _before = sys.getswitchinterval()
        _asked.append(seconds)
        _apply(min(_before, *_asked))
    is_out = True

    def take_back() -> None:
        nonlocal is_out
        with _lock:
            if is_out:
                is_out = False
                _asked.remove(seconds)
                if sys.getswitchinterval() == _set:
                    _apply(min(_before, *_asked) if _asked else _before)

    return take_back


def forget() -> None:
    """In a forked child: its parent's calls are not out there."""
    global _lock  # noqa: PLW0603
    _lock = _world.new_state_lock()
    if _asked:
        _asked.clear()
        if sys.getswitchinterval() == _set:
            _apply(_before)


def _apply(seconds: float) -> None:
    global _set  # noqa: PLW0603
    sys.setswitchinterval(seconds)
    _set = sys.getswitchinterval()
