"""The player of a script: a scripted exporter of any signal is one, with its own ``export``."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Iterable
from typing import ClassVar, cast

from .._base.log import counted
from ._call_record import Call, CallRecord
from ._gate import Gate
from ._native import native
from ._outcomes import Answer, Hang, Playable, Result, Take, Throw, checked, is_result, succeed, written

_POLL = 0.002
"""Seconds between two checks of a caller that waits; cooperative where gevent has patched ``time``."""


class Player:
    """Plays and records, as ``ScriptedExporter`` says, which also has the arguments.

    A subclass gives ``export``, which begins a call in ``_record`` and then plays it, ``shutdown``, its name
    and its results.
    """

    _name: ClassVar[str]
    _results: ClassVar[type[Result]]

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

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Play ``on_flush``."""
        self._record.flush()
        answer = self._play(self._on_flush, ())
        if is_result(answer):
            return answer is self._results.SUCCESS
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

    def _played(self, number: int, batch: object) -> object:
        """Play the outcome of call `number`; a script may return what no exporter should."""
        outcome = self._script[number] if number < len(self._script) else self._default
        answer: object = None
        try:
            answer = self._play(outcome, batch)
        finally:
            self._record.end(number, succeeded=answer is self._results.SUCCESS)
        return answer

    def _shut_down(self) -> None:
        self._record.shutdown()
        self._play(self._on_shutdown, ())

    def _shown(self) -> str:
        script = ", ".join(map(written, self._script))
        calls = counted(len(self.calls), "calls")
        return f"<{self._name} [{script}], then {written(self._default)}: {calls} so far>"

    def _play(self, outcome: Playable, batch: object) -> object:
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
            return self._results[outcome.result]
        if is_result(outcome):
            return outcome
        return cast("Callable[[object], object]", outcome)(batch)

    def _forked(self) -> None:
        self._gate.forked()
        self._record.forked()


_alive: weakref.WeakSet[Player] = weakref.WeakSet()


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
