"""The interpreter's switch interval, shortened while calls compute on native threads beside a hub (R6).

A hub that wakes must wait for the GIL, a whole switch interval (5 ms by default) each time, while such a
thread computes. The interval is the process's: the shortest that a call asks for holds.
"""

from __future__ import annotations

import sys

from .state_lock import new_state_lock

_lock = new_state_lock()
_asked: dict[object, float] = {}
_before = 0.0
_set = 0.0


def shorten(call: object, seconds: float) -> None:
    """Ask for a switch interval of at most so many seconds.

    Args:
        call: The call, for :func:`take_back`, which has to follow even if this raises.
        seconds: The interval.
    """
    global _before  # noqa: PLW0603
    with _lock:
        if not _asked:
            _before = sys.getswitchinterval()
        _asked[call] = seconds
        _apply()


def take_back(call: object) -> None:
    """Withdraw what `call` asked for.

    The last call restores the interval from before, unless somebody else has set another meanwhile.
    """
    with _lock:
        if _asked.pop(call, None) is not None and sys.getswitchinterval() == _set:
            _apply()


def forget() -> None:
    """Forget all calls: in a forked child its parent's are not out."""
    global _lock  # noqa: PLW0603
    _lock = new_state_lock()
    if _asked:
        _asked.clear()
        if sys.getswitchinterval() == _set:
            _apply()


def _apply() -> None:
    global _set  # noqa: PLW0603
    sys.setswitchinterval(min(_before, *_asked.values()) if _asked else _before)
    _set = sys.getswitchinterval()
