"""The end of export threads: before the interpreter's, and after every provider has drained its queue."""

from __future__ import annotations

import atexit
import logging
import time
from collections.abc import Iterable

from .export_thread import Thread, living
from .parker import new_parker

_GRACE = 0.5
"""Seconds that an exit waits for interrupted threads to end."""


def end_threads(threads: Iterable[Thread], deadline: float) -> None:
    """End `threads`, so that none wakes up in its hub while the interpreter is torn down (S5).

    Measured: such a thread crashes the process, SIGSEGV in one exit of four. Waits until `deadline`
    (monotonic seconds), and at most half a second.
    """
    threads = [thread for thread in threads if thread.has_hub]
    if not threads:
        return
    parker = new_parker()
    for thread in threads:
        thread.watchers.append(parker)
        thread.interrupt()
        thread.close()
    until = min(deadline, time.monotonic() + _GRACE)
    while not all(thread.ended for thread in threads) and (now := time.monotonic()) < until:
        parker.park(until - now)


class _AfterAllDrains(logging.Handler):
    """Ends the threads when logging is shut down, which is after every provider has drained its queue.

    Exit handlers run in reverse order of their registration. OpenTelemetry imports logging before it makes a
    provider, so logging's own handler runs after the provider's; a handler of ours would run before that of
    a provider that was made before this module was imported, and take the thread that its drain needs.
    """

    def createLock(self) -> None:  # noqa: N802
        self.lock = None  # nothing is written here

    def close(self) -> None:
        """End the threads. The base class is not called: logging keeps this, and may close it again."""
        end_threads(list(living), time.monotonic() + _GRACE)


_at_exit: list[logging.Handler] = []


@atexit.register
def _end_after_all_drains() -> None:
    # Not before: where logging is configured anew, it closes all handlers that it knows.
    _at_exit.append(_AfterAllDrains())
