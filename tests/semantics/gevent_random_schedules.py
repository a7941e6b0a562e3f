"""The machines in a patched process: the callers are greenlets, which may be killed at any point."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

import gevent
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from ._exporters import FAILURE, SUCCESS
from ._random_schedules import SIZES, TIMEOUT, Hang, HangingMachine, QueueingMachine, try_schedules
from ._spans import spans
from ._waiting import Gate, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.trace.export import SpanExportResult

    from ._random_schedules import _Held


class CancellingHangingMachine(HangingMachine):
    """Callers are killed in their calls, which then overrun with nobody waiting."""

    @precondition(lambda self: self.model.admits)
    @rule(size=SIZES)
    def hang_alone(self, size: int) -> None:
        """C3, C2."""
        gate = Gate()
        self.next = Hang(gate, 0)
        calls = len(self.inner.calls)
        caller = gevent.spawn(self.exporter.export, spans(size))
        until(lambda: len(self.inner.calls) > calls)
        caller.kill(timeout=20)
        self.deadlines.advance(TIMEOUT)
        self.stuck.append(gate)
        self.model.admit(size)
        self.model.cancel(size)
        self.model.overrun()
        until(lambda: self.exporter.health().hung_calls == self.model.hung)
        until(lambda: len(self.changes) == len(self.model.changes))


class CancellingQueueingMachine(QueueingMachine):
    """Callers are killed in their calls and in the queue."""

    def start(self, call: Callable[[], SpanExportResult]) -> Any:
        return gevent.spawn(call)

    def answer(self, caller: Any) -> SpanExportResult:
        answer = caller.get(timeout=20)
        assert answer in (SUCCESS, FAILURE)
        return cast("SpanExportResult", answer)

    @precondition(lambda self: self.out is not None and self.out.caller is not None)
    @rule()
    def kill_the_caller_in_its_call(self) -> None:
        """C3: the slot stays taken, and the result settles the circuit."""
        held = cast("_Held", self.out)
        held.caller.kill(timeout=20)
        assert isinstance(held.caller.value, gevent.GreenletExit)
        held.caller = None
        self.model.cancel(held.size)

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 3))
    def kill_a_caller_in_the_queue(self, which: int) -> None:
        """C3: it gives its permit back."""
        held = self.waiting.pop(which % len(self.waiting))
        held.caller.kill(timeout=20)
        assert isinstance(held.caller.value, gevent.GreenletExit)
        self.model.cancel(held.size)


def hang() -> None:
    logger = logging.getLogger("breaker_exporter")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    try_schedules(CancellingHangingMachine)


def queue() -> None:
    try_schedules(CancellingQueueingMachine)
