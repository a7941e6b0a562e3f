"""Wrapped exporters that a script of outcomes cannot express."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter.testing import ScriptedExporter

from ._waiting import Gate, until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

SUCCESS = SpanExportResult.SUCCESS
FAILURE = SpanExportResult.FAILURE


class Gated(ScriptedExporter):
    """Blocks every call on its native thread until the test ends that call with an outcome.

    ``ScriptedExporter.release`` ends all of them; ``let_out(n)`` ends call number ``n`` alone.

    Args:
        calls: Number of calls that may come.
        when_stuck: Called on the call's own thread when it has to wait.
    """

    def __init__(self, calls: int = 8, *, when_stuck: Callable[[], object] = lambda: None) -> None:
        super().__init__(default=self._wait)
        self._when_stuck = when_stuck
        self.gates = [Gate() for _ in range(calls)]
        self.threads: list[threading.Thread] = []
        self._outcomes: list[object] = [SUCCESS] * calls

    def _wait(self, spans: Sequence[ReadableSpan]) -> object:
        number = len(self.threads)
        self.threads.append(threading.current_thread())
        if not self.gates[number].wait(0):
            self._when_stuck()
        assert self.gates[number].wait()
        outcome = self._outcomes[number]
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def entered(self, count: int) -> None:
        """Return once ``count`` calls have come in."""
        until(lambda: len(self.threads) >= count)

    def let_out(self, number: int, outcome: object = SUCCESS) -> None:
        """End call number ``number`` with ``outcome``; it may be out or still to come."""
        self._outcomes[number] = outcome
        self.gates[number].open()

    def let_all_out(self) -> None:
        """End every call, those to come as well."""
        for gate in self.gates:
            gate.open()
