"""The application of the matrix: the usual work, and an event of its process where a request asks for it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from breaker_exporter._harness.work import Work

from .facts import facts

_SLOW = 1.0
"""Seconds of a long request."""
_CHILD = 5.0
"""Seconds in which a forked child must have ended."""
_logger = logging.getLogger("shop")
_work = Work(facts)


def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer any request."""
    path = environ["PATH_INFO"]
    if path == "/slow":
        time.sleep(_SLOW)
    elif path == "/clock":
        _set_clock_back()
    elif path == "/fork" and not _forked_well(environ):
        start_response("500 Internal Server Error", [("Content-Length", "0")])
        return []
    _logger.info("request")
    return _work.answer(environ, start_response)


def _set_clock_back() -> None:
    """Set back the clock that Python code reads; code in C goes on with the machine's."""
    seconds, nanoseconds = time.time, time.time_ns
    time.time = lambda: seconds() - 3600
    time.time_ns = lambda: nanoseconds() - 3600 * 10**9


def _forked_well(environ: dict[str, Any]) -> bool:
    """Fork a child that makes spans and reads its exporters' health; return whether it ends well in time."""
    child = os.fork()
    if child == 0:
        _work.answer(environ, lambda *_: None)
        os._exit(any(exporter.health().received for exporter in facts.exporters))
    deadline = time.monotonic() + _CHILD
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status == 0
        time.sleep(0.01)
    return False
