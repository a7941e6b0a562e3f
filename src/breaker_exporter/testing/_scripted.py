"""The scripted exporter: it plays a list of outcomes, and records its calls."""

from __future__ import annotations

import os
import reprlib
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import cast

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from .._base.log import counted
from ._call_record import Call, CallRecord
from ._gate import Gate
from ._native import native
from ._outcomes import Answer, Hang, Playable, Take, Throw, checked, succeed, written

_POLL = 0.002
"""Seconds between two checks of a caller that waits; cooperative where gevent has patched ``time``."""


class ScriptedExporter(SpanExporter):
    """A span exporter that plays a list of outcomes, one a call, and records what happened.

    It blocks as a real exporter does: ``hang`` and ``take`` block the operating system thread even in a
    process that gevent has patched; any thread or greenlet may call ``release()``. A forked child has a copy
    of the record, without calls of other threads that had not returned.

    Args:
        outcomes: The outcomes of the first calls, in order.
        default: The outcome of each later call.
        on_shutdown: The outcome of each ``shutdown``; a function gets ``()``.
        on_flush: The outcome of each ``force_flush``; ``SUCCESS`` and ``FAILURE`` are answered as ``True``
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
        self._block: Callable[[float], None] = native("time", "sleep")
        self._gate = Gate()
        self._record = CallRecord()
        _alive.add(self)

    @reprlib.recursive_repr("<ScriptedExporter ...>")  # a script may hold a function over the exporter
    def __repr__(self) -> str:
        script = ", ".join(map(written, self._script))
        calls = counted(len(self.calls), "calls")
        return f"<ScriptedExporter [{script}], then {written(self._default)}: {calls} so far>"

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Play the next outcome of the script."""
        batch = tuple(spans)
        number = self._record.begin(batch)
        outcome = self._script[number] if number < len(self._script) else self._default
        answer: object = None
        try:
            answer = self._play(outcome, batch)
        finally:
            self._record.end(number, answer)
        # A script may return what no exporter should: that is what it is for.
        return cast("SpanExportResult", answer)

    def shutdown(self) -> None:
        """Play ``on_shutdown``."""
        self._record.shutdown()
        self._play(self._on_shutdown, ())

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Play ``on_flush``."""
        self._record.flush()
        answer = self._play(self._on_flush, ())
        if isinstance(answer, SpanExportResult):
            return answer is SpanExportResult.SUCCESS
        return cast("bool", answer)

    def release(self) -> None:
        """Let every hanging call continue, and every later one that would hang."""
        self._gate.open()

    def hold(self) -> None:
        """Let later calls hang again: undoes ``release`` for them."""
        self._gate.close()

    @property
    def calls(self) -> list[Call]:
        """The calls so far, in the order in which they began."""
        return self._record.calls

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans of all calls that returned ``SUCCESS``, in the order in which they returned."""
        return self._record.spans

    @property
    def max_concurrency(self) -> int:
        """The largest number of calls of ``export`` that ran at once."""
        return self._record.max_concurrency

    @property
    def overlapped(self) -> bool:
        """True if two calls of ``export`` ever ran at once, which OpenTelemetry's contract forbids."""
        return self.max_concurrency > 1

    @property
    def shutdown_calls(self) -> int:
        """Number of calls of ``shutdown``."""
        return self._record.shutdown_calls

    @property
    def flush_calls(self) -> int:
        """Number of calls of ``force_flush``."""
        return self._record.flush_calls

    def wait_for_calls(self, count: int, timeout: float = 5.0) -> bool:
        """Wait until ``count`` calls have begun; ``False`` if ``timeout`` seconds pass first.

        Cooperative where gevent has patched ``time``.
        """
        return _wait_until(lambda: len(self.calls) >= count, timeout)

    def wait_for_returns(self, count: int, timeout: float = 5.0) -> bool:
        """Wait until ``count`` calls have returned or raised; ``False`` if ``timeout`` seconds pass first."""
        return _wait_until(lambda: sum(call.ended is not None for call in self.calls) >= count, timeout)

    def _play(self, outcome: Playable, batch: tuple[ReadableSpan, ...]) -> object:
        while isinstance(outcome, Hang | Take):
            if isinstance(outcome, Hang):
                self._gate.wait()
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

    def _forked(self) -> None:
        self._gate.forked()
        self._record.forked()


_alive: weakref.WeakSet[ScriptedExporter] = weakref.WeakSet()


def _forked() -> None:
    for exporter in list(_alive):
        exporter._forked()


os.register_at_fork(after_in_child=_forked)


def _wait_until(reached: Callable[[], bool], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while not reached():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL)
    return True
