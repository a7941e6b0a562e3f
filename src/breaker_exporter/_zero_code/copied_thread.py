"""Threads of OpenTelemetry's that a fork has copied: under gevent they are greenlets, and go on in the child.

OpenTelemetry starts others in their place, so that a worker would export its metrics twice in each interval.
"""

from __future__ import annotations

import threading
import traceback
from contextvars import ContextVar

_is_none: ContextVar[bool] = ContextVar("breaker_exporter_is_no_copied_thread", default=False)
_NAMES = "Otel"
"""Names of OpenTelemetry's threads begin so (1.39 to 1.45). Others go on: they may be the application's."""


def end_copied_thread() -> None:
    """End the caller where it is a copy, in silence; to be called in a child, after an export.

    Raises:
        SystemExit: It is one: a thread ends by that without a word.
    """
    if _is_none.get():
        return
    if _is_copy(_caller()):
        threading.current_thread()  # makes it known here, so that it can be forgotten as any other that ends
        raise SystemExit
    _is_none.set(True)


def _caller() -> threading.Thread | None:
    """The thread that the caller runs in, by its stack: in a child, threading knows no copies."""
    run = threading.Thread.run.__code__
    found = [frame.f_locals.get("self") for frame, _ in traceback.walk_stack(None) if frame.f_code is run]
    return found[-1] if found else None


def _is_copy(thread: threading.Thread | None) -> bool:
    return thread is not None and thread.name.startswith(_NAMES) and thread not in threading.enumerate()
