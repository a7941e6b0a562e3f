"""The package's logger, and a way to write to it that raises nothing even if a handler does.

No line is an ERROR: Sentry makes an event of each, and an outage would use up the quota.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

logger = logging.getLogger("breaker_exporter")


_KEPT_OUT = "_breaker_exporter_kept_out"
"""The attribute of a log record that must not be exported; by custom, formatters leave out such a name."""
_MARK: dict[str, object] = {_KEPT_OUT: True}


class Line(NamedTuple):
    """A line that is not written yet.

    Attributes:
        level: Its level.
        text: As the message of a log record.
        args: For `text`.
        is_exported: True where it is exported too, if the application exports what is logged (L3).
    """

    level: int
    text: str
    args: tuple[object, ...]
    is_exported: bool = False


def counted(items: int, unit: str) -> str:
    """Return a number of items as text, such as ``1 span``; `unit` is the plural."""
    return f"{items} {unit.removesuffix('s') if items == 1 else unit}"


def say(level: int, message: str, *args: object, cause: BaseException | None = None) -> None:
    """Log `message`, with the traceback of `cause` where there is one. It is not exported."""
    _log(level, message, args, cause, _MARK)


def say_and_export(level: int, message: str, *args: object) -> None:
    """Log `message`, also to where the application exports what is logged."""
    _log(level, message, args, None, None)


def keep_out(record: logging.LogRecord) -> None:
    """Mark `record` as not to be exported. The mark stays when another thread or handler hands it on."""
    vars(record)[_KEPT_OUT] = True


def is_kept_out(record: logging.LogRecord) -> bool:
    """True for a marked record, and for nearly all of our own lines: exports would go on for ever by them."""
    return _KEPT_OUT in vars(record)


def _log(
    level: int,
    message: str,
    args: tuple[object, ...],
    cause: BaseException | None,
    extra: dict[str, object] | None,
) -> None:
    if logger.isEnabledFor(level):
        try:
            logger.log(level, message, *args, exc_info=cause, extra=extra, stacklevel=3)
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
