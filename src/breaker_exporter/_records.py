"""Log records of a native thread in a patched process, brought back to the caller's side (R7).

A native thread that takes a logging handler's patched lock beside greenlets that hold it over a switch
stalls them for seconds, or for good. A filter runs before the handler takes that lock: while a call is out,
one stands on every handler, turns away what our threads log, and keeps it for the caller to hand on.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable

from . import _world
from ._log import say

_LIMIT = 1000
"""Records kept for one exporter at most; a caller should not have to write out more."""


class Records:
    """What one exporter's calls have logged and nobody has written out yet.

    Attributes:
        wake: Called when there is something to hand on again.
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
        """Hand the records on, in order, waiting at most `timeout` seconds; what is left goes on beside."""
        if not self._kept and not self._draining:
            return
        if not self._draining:
            self._draining = True
            self._join = _world.beside(self._drain)
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
    """Stands on every logging handler of the process while a call is out on a native thread."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._lock = _world.new_lock()
        self._threads: dict[int, Records] = {}
        self._calls_out = 0
        self._filters: dict[logging.Handler, _Diversion] = {}

    def open(self) -> None:
        """One more call goes out. Handlers that came since the last one get their filter now."""
        self._lock.acquire()
        try:
            self._calls_out += 1
            for handler in _all_handlers():
                if handler not in self._filters:
                    self._filters[handler] = diversion = _Diversion(handler, self._threads)
                    # A new list, since another thread may be going through the old one. In front, since
                    # the user's filters run when the record is handed on.
                    handler.filters = [diversion, *handler.filters]
        finally:
            self._lock.release()

    def close(self) -> None:
        """One call less is out; the last one takes the filters away."""
        self._lock.acquire()
        try:
            self._calls_out -= 1
            if not self._calls_out:
                for handler, diversion in self._filters.items():
                    handler.filters = [kept for kept in handler.filters if kept is not diversion]
                self._filters.clear()
        finally:
            self._lock.release()

    def enter(self, records: Records) -> None:
        """What the current thread logs from now on goes to `records`."""
        self._threads[_world.thread_ident()] = records

    def leave(self) -> None:
        """The current thread logs as any other again."""
        self._threads.pop(_world.thread_ident(), None)


class _Diversion(logging.Filter):
    def __init__(self, handler: logging.Handler, threads: dict[int, Records]) -> None:
        super().__init__()
        self._handler = handler
        self._threads = threads

    def filter(self, record: logging.LogRecord) -> bool:
        records = self._threads.get(_world.thread_ident())
        if records is None:
            return True
        records.keep(self._handler, record)
        return False


def _all_handlers() -> list[logging.Handler]:
    """Asked for with every call: a process may have hundreds of loggers, few with handlers."""
    known = list(logging.root.manager.loggerDict.values())
    held = [handlers for logger in known if (handlers := getattr(logger, "handlers", None))]
    last = [logging.lastResort] if logging.lastResort else []
    return [*logging.root.handlers, *(handler for handlers in held for handler in handlers), *last]


_detour = Detour()


def detour() -> Detour:
    """The one of this process; a forked child starts anew, its parent's calls are not out there."""
    global _detour  # noqa: PLW0603
    if _detour._pid != os.getpid():
        for handler in _all_handlers():
            handler.filters = [kept for kept in handler.filters if not isinstance(kept, _Diversion)]
        _detour = Detour()
    return _detour
