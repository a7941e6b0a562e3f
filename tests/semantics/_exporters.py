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
    """Keeps every call inside, on its native thread, until the test lets that one out with an outcome.

    Where ``ScriptedExporter.release`` lets all of them go, ``let_out(n)`` ends call number ``n`` alone.

    Args:
        calls: How many may come.
        when_stuck: Called on the call's own thread when it finds its gate shut.
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
        """Let call ``number`` end with ``outcome``, whenever it comes or came."""
        self._outcomes[number] = outcome
        self.gates[number].open()

    def let_all_out(self) -> None:
        """Let every call end, those to come as well."""
        for gate in self.gates:
            gate.open()
