"""Shared by the scenarios of patched processes: native functions, a cooperative exporter, a kill."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import gevent
from gevent import monkey
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ._exporters import SUCCESS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

native_ident = monkey.get_original("_thread", "get_ident")
native_sleep = monkey.get_original("time", "sleep")
start_native_thread = monkey.get_original("_thread", "start_new_thread")


def count_threads() -> int:
    """Return how many threads the operating system sees in this process."""
    return len(os.listdir("/proc/self/task"))


def count_descriptors() -> int:
    """Return how many file descriptors this process holds."""
    return len(os.listdir("/proc/self/fd"))


class Cooperative(SpanExporter):
    """Declares that it yields to the hub by itself."""

    cooperative = True

    def __init__(self, work: Callable[[], object]) -> None:
        self.work = work
        self.greenlets: list[object] = []
        self.threads: list[int] = []
        self.thrown: list[BaseException] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.greenlets.append(gevent.getcurrent())
        self.threads.append(native_ident())
        try:
            self.work()
        except BaseException as thrown:
            self.thrown.append(thrown)
            raise
        return SUCCESS


def kill(caller: gevent.Greenlet[Any, Any]) -> None:
    """Throw GreenletExit into ``caller``, and see it arrive there and end it."""
    caller.kill(timeout=10)
    assert isinstance(caller.value, gevent.GreenletExit)


def throw(error: BaseException) -> None:
    raise error
