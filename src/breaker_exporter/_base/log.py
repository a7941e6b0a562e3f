"""The one logger, and a way to write to it that a raising handler cannot turn against the caller.

Never ERROR: Sentry makes events of those, and an outage would burn the quota.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

logger = logging.getLogger("breaker_exporter")

_ways: list[Callable[[Callable[[], None]], bool]] = []


class Line(NamedTuple):
    """A line that is still to be written."""

    level: int
    text: str
    args: tuple[object, ...]


def counted(items: int, unit: str) -> str:
    """A number of items in words, such as ``1 span``; `unit` is the plural."""
    return f"{items} {unit.removesuffix('s') if items == 1 else unit}"


def say(level: int, message: str, *args: object, cause: BaseException | None = None) -> None:
    """Log `message`, with the traceback of `cause` where there is one."""
    if logger.isEnabledFor(level):
        try:
            if not any(way(lambda: _write(level, message, args, cause)) for way in _ways):
                logger.log(level, message, *args, exc_info=cause, stacklevel=2)
        except Exception:
            pass  # a handler that raises is its owner's, not our caller's


def write_by(way: Callable[[Callable[[], None]], bool]) -> None:
    """From now on offer each line to `way` first; it returns true where it writes the line, now or later."""
    _ways[:] = [way]


def _write(level: int, message: str, args: tuple[object, ...], cause: BaseException | None) -> None:
    try:
        logger.log(level, message, *args, exc_info=cause)
    except Exception:
        pass


def set_level(level: int) -> Callable[[], None]:
    """Set the logger's level, where it has none.

    Returns:
        A function that takes it back, unless somebody has set another meanwhile.
    """
    if logger.level != logging.NOTSET:
        return lambda: None
    logger.setLevel(level)

    def take_back() -> None:
        if logger.level == level:
            logger.setLevel(logging.NOTSET)

    return take_back
