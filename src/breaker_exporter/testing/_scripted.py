"""The scripted exporter: it does what a script says, and records its calls."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ._outcomes import Answer, Hang, Playable, Take, Throw, checked, succeed

_POLL = 0.002
"""Seconds between two checks of a caller that waits; cooperative where gevent has patched ``time``."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of ``export``.

    Attributes:
        spans: The spans it was given.
        thread: The operating system's id of the thread it ran on (``threading.get_native_id()``), which
            greenlets of one thread share.
        started: When it began, in seconds of ``time.monotonic``.
        ended: When it returned or raised; ``None`` while it runs.
    """

    spans: tuple[ReadableSpan, ...]
    thread: int
    started: float
    ended: float | None = None


class ScriptedExporter(SpanExporter):
    """A span exporter that plays a list of outcomes, one a call, and records what happened.

    It blocks as a real exporter does: ``hang`` and ``take`` block the operating system thread even in a
    process that gevent has patched; any thread or greenlet may call ``release()``. A forked child has a copy
    of the record, without calls of other threads that had not returned.

    Args:
        outcomes: What the calls do, in order.
        default: What every call after the last of them does.
        on_shutdown: What ``shutdown`` does each time; a function gets ``()``.
        on_flush: What ``force_flush`` does each time; ``SUCCESS`` and ``FAILURE`` are answered as ``True``
            and ``False``, anything else as it is.

    Raises:
        TypeError: An outcome cannot be played.
    """

    def __init__(
        self,
        outcomes: Iterable[Playable] = (),
        *,
        default: Playable = succeed,
        on_shutdown: Playable = succeed,
        on_flush: Playable = succeed,
    ) -> None:
        self._script = [checked(outcome) for outcome in outcomes]
        self._default = checked(default)
        self._on_shutdown = checked(on_shutdown)
        self._on_flush = checked(on_flush)
        self._allocate_lock: Callable[[], threading.Lock] = _native("_thread", "allocate_lock")
        self._block: Callable[[float], None] = _native("time", "sleep")
        self._guard = self._allocate_lock()
        self._hanging: list[threading.Lock] = []
        self._released = False
        self._calls: list[Call] = []
        self._running: dict[int, int] = {}
        self._max_concurrency = 0
        self._spans: list[ReadableSpan] = []
        self._shutdown_calls = 0
        self._flush_calls = 0
        _alive.add(self)

    def __repr__(self) -> str:
        return f"<ScriptedExporter {self._script!r}, then {self._default!r}: {len(self._calls)} calls so far>"

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Play the next outcome of the script."""
        batch = tuple(spans)
        number, outcome = self._begin(batch)
        answer: object = None
        try:
            answer = self._play(outcome, batch)
        finally:
            self._end(number, answer)
        # A script may return what no exporter should: that is what it is for.
        return cast("SpanExportResult", answer)

    def shutdown(self) -> None:
        """Play ``on_shutdown``."""
        with self._guard:
            self._shutdown_calls += 1
        self._play(self._on_shutdown, ())

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Play ``on_flush``."""
        with self._guard:
            self._flush_calls += 1
        answer = self._play(self._on_flush, ())
        if isinstance(answer, SpanExportResult):
            return answer is SpanExportResult.SUCCESS
        return cast("bool", answer)

    def release(self) -> None:
        """Let every hanging call continue, and every later one that would hang."""
        with self._guard:
            self._released = True
            hanging, self._hanging = self._hanging, []
        for lock in hanging:
            lock.release()

    def hold(self) -> None:
        """Let later calls hang again: undoes ``release`` for them."""
        with self._guard:
            self._released = False

    @property
    def calls(self) -> list[Call]:
        """The calls so far, in the order in which they began."""
        with self._guard:
            return list(self._calls)

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans of all calls that returned ``SUCCESS``, in the order in which they returned."""
        with self._guard:
            return list(self._spans)

    @property
    def max_concurrency(self) -> int:
        """The largest number of calls of ``export`` that ran at once."""
        return self._max_concurrency

    @property
    def overlapped(self) -> bool:
        """True if two calls of ``export`` ever ran at once, which OpenTelemetry's contract forbids."""
        return self._max_concurrency > 1

    @property
    def shutdown_calls(self) -> int:
        """Number of calls of ``shutdown``."""
        return self._shutdown_calls

    @property
    def flush_calls(self) -> int:
        """Number of calls of ``force_flush``."""
        return self._flush_calls

    def wait_for_calls(self, count: int, timeout: float = 5.0) -> bool:
        """Wait until ``count`` calls have begun; ``False`` if ``timeout`` seconds pass first.

        Cooperative where gevent has patched ``time``.
        """
        return _wait_until(lambda: len(self._calls) >= count, timeout)

    def wait_for_returns(self, count: int, timeout: float = 5.0) -> bool:
        """Wait until ``count`` calls have returned or raised; ``False`` if ``timeout`` seconds pass first."""
        return _wait_until(lambda: sum(call.ended is not None for call in self.calls) >= count, timeout)

    def _begin(self, batch: tuple[ReadableSpan, ...]) -> tuple[int, Playable]:
        call = Call(batch, threading.get_native_id(), time.monotonic())
        with self._guard:
            number = len(self._calls)
            self._calls.append(call)
            self._running[number] = threading.get_ident()
            self._max_concurrency = max(self._max_concurrency, len(self._running))
            return number, self._script[number] if number < len(self._script) else self._default

    def _end(self, number: int, answer: object) -> None:
        with self._guard:
            call = self._calls[number]
            self._running.pop(number, None)  # not there where a fork came between
            if answer is SpanExportResult.SUCCESS:
                self._spans.extend(call.spans)
            self._calls[number] = replace(call, ended=time.monotonic())

    def _play(self, outcome: Playable, batch: tuple[ReadableSpan, ...]) -> object:
        while isinstance(outcome, Hang | Take):
            if isinstance(outcome, Hang):
                self._hang()
            else:
                self._block(outcome.seconds)
            outcome = outcome.then
        if isinstance(outcome, Throw):
            outcome = outcome.error
        if isinstance(outcome, BaseException):
            # One instance may be raised by many calls; without this its traceback would grow with each.
            raise outcome.with_traceback(None)
        if isinstance(outcome, type) and issubclass(outcome, BaseException):
            raise outcome
        if isinstance(outcome, Answer):
            outcome = outcome.result
        if isinstance(outcome, SpanExportResult):
            return outcome
        return cast("Callable[[Sequence[ReadableSpan]], object]", outcome)(batch)

    def _hang(self) -> None:
        with self._guard:
            if self._released:
                return
            lock = self._allocate_lock()
            lock.acquire()
            self._hanging.append(lock)
        lock.acquire()

    def _forked(self) -> None:
        """Replace the guard, which another thread may have held at the fork; that thread is not here."""
        self._guard = self._allocate_lock()
        here = threading.get_ident()
        self._running = {number: thread for number, thread in self._running.items() if thread == here}


_alive: weakref.WeakSet[ScriptedExporter] = weakref.WeakSet()


def _forked() -> None:
    for exporter in list(_alive):
        exporter._forked()


os.register_at_fork(after_in_child=_forked)


def _native(module: str, name: str) -> Any:
    """Return ``module.name`` as it was before any monkey patch."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None:
        return getattr(importlib.import_module(module), name)
    return monkey.get_original(module, name)


def _wait_until(reached: Callable[[], bool], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while not reached():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL)
    return True
