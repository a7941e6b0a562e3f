"""The logging handlers of a process, and how they get filters while others log."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import Any

Origin = logging.Handler | logging.Logger
"""A handler or logger with filters."""
Filters = list[Any]


def attached_handlers() -> list[logging.Handler]:
    """The handlers of all loggers: a process may have hundreds of loggers, few with handlers."""
    known = list(logging.root.manager.loggerDict.values())
    held = [handlers for logger in known if (handlers := getattr(logger, "handlers", None))]
    last = [logging.lastResort] if logging.lastResort else []
    return [*logging.root.handlers, *(handler for handlers in held for handler in handlers), *last]


def replace_filters(origin: Origin, change: Callable[[Filters], Filters]) -> None:
    """Give `origin` a new list of filters, since another thread may be iterating over the old one.

    A change of the old list could make it skip a filter, perhaps one that hides secrets. What others add to
    or remove from the old list meanwhile is added to and removed from the new one as well. An origin that
    cannot be changed stays as it is.
    """
    with contextlib.suppress(Exception):
        old = origin.filters
        before = list(old)
        new: Filters = change(before)
        origin.filters = new
        after = list(old)
        new.extend(added for added in after if not _has(before, added))
        new[:] = [kept for kept in new if _has(after, kept) or not _has(before, kept)]


def _has(filters: Filters, one: object) -> bool:
    return any(one is other for other in filters)
