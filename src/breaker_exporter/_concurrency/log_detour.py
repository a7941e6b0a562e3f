"""The log detour: a greenlet of a hub handles what a native thread of a patched process logs (R7).

A native thread that takes a logging handler's patched lock beside greenlets that hold it over a switch
stalls them for seconds, or for good. Filters run before that lock is taken. So a filter of ours holds such a
record back, in the :class:`Records` of the thread, and a greenlet hands it on to where it was held back:

* All that an exporter logs on an export thread, by a filter on every handler while a call is out there.
* Our own lines of the threads that are older than the patch, by a filter on our logger.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from .._base.log import keep_out, logger
from . import hub
from .exporting import is_exporting
from .log_handlers import Origin, attached_handlers, replace_filters
from .log_records import Records
from .native import thread_ident
from .state_lock import new_state_lock


class Detour:
    """Filters on every logging handler of the process while a call is out on a native thread."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._lock = new_state_lock()
        self._threads: dict[int, Records] = {}
        self._out: set[object] = set()
        self._diversions: dict[int, _Diversion] = {}

    def open(self, call: object, records: Records) -> None:
        """Note that a call goes out. Handlers added since the last call get their filter now.

        Args:
            call: Its identity, for :meth:`close`, which has to follow even if this raises.
            records: For what the call logs; the caller's hub hands them on, else the main thread's.
        """
        records.hand_on_by(hub.greenlet_starter() or _start_on_main_hub)
        with self._lock:
            self._out.add(call)
            for handler in attached_handlers():
                if id(handler) not in self._diversions:
                    diversion = self._diversions[id(handler)] = _Diversion(handler, self.records_of_thread)
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
        """Hold back in `records` what the current thread logs from now on."""
        self._threads[thread_ident()] = records

    def leave(self) -> None:
        """Let the current thread log as any other again."""
        self._threads.pop(thread_ident(), None)

    def records_of_thread(self) -> Records | None:
        """The records of the current thread; ``None`` where it logs as any other."""
        return self._threads.get(thread_ident())


class _Diversion(logging.Filter):
    def __init__(self, origin: Origin, records: Callable[[], Records | None]) -> None:
        super().__init__()
        self._origin = origin
        self._records = records

    def filter(self, record: logging.LogRecord) -> bool:
        records = self._records()
        if records is None:
            return True
        if is_exporting():  # which it is not where the record is handed on
            keep_out(record)
        records.keep(self._origin, record)
        return False

    def install(self) -> None:
        # In front: the user's filters run when the record is handed on.
        replace_filters(self._origin, lambda filters: [self, *filters])

    def remove(self) -> None:
        replace_filters(self._origin, lambda filters: [kept for kept in filters if kept is not self])


_detour = Detour()


def detour() -> Detour:
    """The detour of this process; a forked child gets a new one, without the calls of its parent."""
    global _detour  # noqa: PLW0603
    if _detour._pid != os.getpid():
        for handler in attached_handlers():
            replace_filters(
                handler, lambda filters: [kept for kept in filters if not isinstance(kept, _Diversion)]
            )
        _detour = Detour()
    return _detour


_own_lines: _Diversion | None = None
_start_on_main_hub: hub.StartGreenlet | None = None


def divert_own_lines() -> None:
    """Hold back our own lines on native threads from now on, for greenlets of the current thread's hub.

    For the main thread of a process that was patched when it had other threads already.
    """
    global _own_lines, _start_on_main_hub  # noqa: PLW0603
    _start_on_main_hub = hub.greenlet_starter()
    if _start_on_main_hub is None:  # threads, and so the locks of handlers, are not patched
        return
    if _own_lines is not None:
        _own_lines.remove()
    records = Records(logger.name)
    records.hand_on_by(_start_on_main_hub)
    _own_lines = _Diversion(logger, lambda: _records_of_native_thread(records))
    _own_lines.install()


def _records_of_native_thread(records: Records) -> Records | None:
    return None if hub.is_cooperative() or hub.on_hub() else detour().records_of_thread() or records
