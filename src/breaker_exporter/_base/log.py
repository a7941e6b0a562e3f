"""The package's logger, and a way to write to it that raises nothing even if a handler does.

No line is an ERROR: Sentry makes an event of each, and an outage would use up the quota.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

logger = logging.getLogger("breaker_exporter")


class Line(NamedTuple):
    """A line that is not written yet."""

    level: int
    text: str
    args: tuple[object, ...]


def counted(items: int, unit: str) -> str:
    """Return a number of items as text, such as ``1 span``; `unit` is the plural."""
    return f"{items} {unit.removesuffix('s') if items == 1 else unit}"


def say(level: int, message: str, *args: object, cause: BaseException | None = None) -> None:
    """Log `message`, with the traceback of `cause` where there is one."""
    if logger.isEnabledFor(level):
        try:
            logger.log(level, message, *args, exc_info=cause, stacklevel=2)
        except Exception:
            pass  # a handler that raises must not break the caller


def set_level(level: int) -> Callable[[], None]:
    """Set the logger's level, where it has none.

    Returns:
        A function that removes this level, unless another was set meanwhile.
    """
    if logger.level != logging.NOTSET:
        return lambda: None
    logger.setLevel(level)

    def take_back() -> None:
        if logger.level == level:
            logger.setLevel(logging.NOTSET)

    return take_back
