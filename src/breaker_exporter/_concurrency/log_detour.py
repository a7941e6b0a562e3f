"""The log detour: records of a native thread in a patched process are handled by its caller (R7).

A native thread that takes a logging handler's patched lock beside greenlets that hold it over a switch
stalls them for seconds, or for good. A filter runs before the handler takes that lock: while a call is out,
each handler has a filter that holds back the records of our threads, for the caller to handle.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections import deque
from collections.abc import Callable
from typing import Any

from .._base.log import say
from . import hub
from .native import thread_ident
from .state_lock import new_state_lock

_LIMIT = 1000
"""Records kept for one exporter at most, so that a caller does not have to handle more."""


class Records:
    """Log records of one exporter's calls that no handler has seen yet.

    Attributes:
        wake: Called when there are records to handle again.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._kept: deque[tuple[logging.Handler, logging.LogRecord]] = deque()
        self._dropped = 0
        self._draining = False
        self._join: Callable[[float], None] = lambda timeout: None
        self.wake: Callable[[], None] = lambda: None

    def keep(self, handler: logging.Handler, record: logging.LogRecord) -> None:
        if len(self._kept) < _LIMIT:
            self._kept.append((handler, record))
            if len(self._kept) == 1:
                self.wake()
        else:
            self._dropped += 1

    def replay(self, timeout: float) -> None:
        """Handle the records in order, waiting at most `timeout` seconds; the rest goes on after that."""
        if not self._kept and not self._draining:
            return
        if not self._draining:
            self._draining = True
            self._join = hub.run_beside(self._drain)
        if timeout > 0:
            self._join(timeout)

    def _drain(self) -> None:
        try:
            while self._kept:
                handler, record = self._kept.popleft()
                try:
                    handler.handle(record)
                except Exception:
                    pass  # a handler that raises is its owner's
            if dropped := self._dropped:
                self._dropped = 0
                say(
                    logging.WARNING,
                    "%s: %d log records of the wrapped exporter were dropped",
                    self._name,
                    dropped,
                )
        finally:
            self._draining = False


class Detour:
    """Filters on every logging handler of the process while a call is out on a native thread."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._lock = new_state_lock()
        self._threads: dict[int, Records] = {}
        self._out: set[object] = set()
        self._diversions: dict[int, _Diversion] = {}

    def open(self, call: object) -> None:
        """Note that a call goes out. Handlers added since the last call get their filter now.

        Args:
            call: Its identity, for :meth:`close`, which has to follow even if this raises.
        """
        with self._lock:
            self._out.add(call)
            for handler in _all_handlers():
                if id(handler) not in self._diversions:
                    diversion = self._diversions[id(handler)] = _Diversion(handler, self._threads)
                    diversion.install()

    def close(self, call: object) -> None:
        """Note that a call is over; the last one removes the filters."""
        with self._lock:
            self._out.discard(call)
            if not self._out:
                while self._diversions:
                    _, diversion = self._diversions.popitem()
                    diversion.remove()

    def enter(self, records: Records) -> None:
        """Keep what the current thread logs from now on in `records`."""
        self._threads[thread_ident()] = records

    def leave(self) -> None:
        """Let the current thread log as any other again."""
        self._threads.pop(thread_ident(), None)


class _Diversion(logging.Filter):
    def __init__(self, handler: logging.Handler, threads: dict[int, Records]) -> None:
        super().__init__()
        self._handler = handler
        self._threads = threads

    def filter(self, record: logging.LogRecord) -> bool:
        records = self._threads.get(thread_ident())
        if records is None:
            return True
        records.keep(self._handler, record)
        return False

    def install(self) -> None:
        # In front: the user's filters run when the record is handed on.
        _replace_filters(self._handler, lambda filters: [self, *filters])

    def remove(self) -> None:
        _replace_filters(self._handler, lambda filters: [kept for kept in filters if kept is not self])


_Filters = list[Any]


def _replace_filters(handler: logging.Handler, change: Callable[[_Filters], _Filters]) -> None:
    """Give `handler` a new list of filters, since another thread may be going through the old one.

    One that moved on in it would pass a filter by, one that hides secrets perhaps. What others add to or
    take from the old list until the new one is there is done to that as well. A handler that cannot be
    changed stays as it is.
    """
    with contextlib.suppress(Exception):
        old = handler.filters
        before = list(old)
        new: _Filters = change(before)
        handler.filters = new
        after = list(old)
        new.extend(added for added in after if not _has(before, added))
        new[:] = [kept for kept in new if _has(after, kept) or not _has(before, kept)]


def _has(filters: _Filters, one: object) -> bool:
    return any(one is other for other in filters)


def _all_handlers() -> list[logging.Handler]:
    """Called with every call: a process may have hundreds of loggers, few with handlers."""
    known = list(logging.root.manager.loggerDict.values())
    held = [handlers for logger in known if (handlers := getattr(logger, "handlers", None))]
    last = [logging.lastResort] if logging.lastResort else []
    return [*logging.root.handlers, *(handler for handlers in held for handler in handlers), *last]


_detour = Detour()


def detour() -> Detour:
    """The detour of this process; a forked child gets a new one, without the calls of its parent."""
    global _detour  # noqa: PLW0603
    if _detour._pid != os.getpid():
        for handler in _all_handlers():
            _replace_filters(
                handler, lambda filters: [kept for kept in filters if not isinstance(kept, _Diversion)]
            )
        _detour = Detour()
    return _detour
