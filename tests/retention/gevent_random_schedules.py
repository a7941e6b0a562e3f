"""The machines in a patched process: callers and the sender are greenlets, killed at any point."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from breaker_exporter._core import custody
from breaker_exporter._core.sender import Sender

from ..semantics._random_schedules import try_schedules
from ..semantics._spans import spans
from ..semantics._waiting import until
from ._answers import FOR_ENCODER, FOR_PLAIN, TIMEOUT, held_back
from ._backend import EncodingExporter, ids_of
from ._random_schedules import SIZES, SteppingMachine
from ._running import RunningMachine

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._side import Side


class KillingSteppingMachine(SteppingMachine):
    """Callers are killed while they encode and in their calls, the sender in its own."""

    few_schedules = 10

    @rule(size=SIZES)
    def kill_a_caller_that_encodes(self, size: int) -> None:
        """C3: it is not in custody yet."""
        side, entered = self.sides[0], Event()
        if side.model.ended or side.model.cut:
            return
        assert isinstance(side.inner, EncodingExporter)

        def wait() -> None:
            entered.set()
            Event().wait()

        side.inner.before_encoding = wait
        caller = gevent.spawn(side.exporter.export, spans(size))
        assert entered.wait(20)
        kill(caller)
        side.inner.before_encoding = lambda: None
        side.model.fail(size)

    @precondition(lambda self: any(_makes_live_calls(side) for side in self.sides))
    @rule(data=st.data(), size=SIZES)
    def kill_a_caller_in_its_call(self, data: st.DataObject, size: int) -> None:
        """C3: the batch is in custody, and the result of the call settles it."""
        side, batch = self.one_of(data, _makes_live_calls), spans(size)
        if isinstance(side.inner, EncodingExporter):
            side.inner.encodes = 1_000
        self.kill_in_call(data, side, lambda: side.exporter.export(batch))
        held = side.model.take_in(ids_of(batch), size)
        assert held is not None
        assert side.new_calls()[0].ids == held.ids
        side.model.admit(held)

    @precondition(lambda self: any(_makes_a_call(side) for side in self.sides))
    @rule(data=st.data())
    def kill_the_sender_in_its_call(self, data: st.DataObject) -> None:
        """K14: the batch stays in custody."""
        side = self.one_of(data, _makes_a_call)
        self.kill_in_call(data, side, side.sender.step)
        side.model.step_begins()
        allowed, _ = side.model.choose()
        side.model.pack()
        (call,) = side.new_calls()
        held = next(held for held in allowed if held.ids == call.ids)
        side.model.take(held)

    def kill_in_call(self, data: st.DataObject, side: Side, call: Callable[[], object]) -> None:
        answer = data.draw(held_back(0, FOR_ENCODER if side.encodes else FOR_PLAIN))
        side.backend.script = [answer]
        side.hangs_at = self.clock.now + TIMEOUT
        calls = len(side.backend.calls)
        caller = gevent.spawn(call)
        until(lambda: len(side.backend.calls) > calls)
        kill(caller)
        side.out_answer = side.backend.calls[-1].answer


class KillingRunningMachine(RunningMachine):
    """Callers are killed at any point, and so is the sender."""

    few_schedules = 6

    def prepare(self) -> None:
        self.senders: list[Any] = []

        def sender(name: str, step: Callable[[], float | None]) -> Sender:
            def noting() -> float | None:
                self.senders.append(gevent.getcurrent())
                return step()

            return Sender(name, noting)

        self.patch.setattr(custody, "Sender", sender)

    @rule(size=SIZES, moments=st.integers(0, 5))
    def kill_a_caller(self, size: int, moments: int) -> None:
        self.received += size
        caller = gevent.spawn(self.exporter.export, spans(size))
        for _ in range(moments):
            gevent.sleep(0.001)
        if not moments:
            gevent.sleep(0)
        kill(caller)

    @rule(moments=st.integers(0, 3))
    def kill_the_sender(self, moments: int) -> None:
        """K14: the next export starts it again."""
        for _ in range(moments):
            gevent.sleep(0.001)
        sender = self.senders[-1] if self.senders else None
        if isinstance(sender, gevent.Greenlet):
            kill(sender)
            self.is_killed = True


def kill(caller: Any) -> None:
    caller.kill(timeout=20)
    assert caller.dead


def step() -> None:
    _be_quiet()
    try_schedules(KillingSteppingMachine)


def run() -> None:
    _be_quiet()
    try_schedules(KillingRunningMachine)


def _be_quiet() -> None:
    logger = logging.getLogger("breaker_exporter")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False


def _makes_live_calls(side: Side) -> bool:
    return side.has_live_way and side.model.may_call and side.sender.can_start


def _makes_a_call(side: Side) -> bool:
    """True where the next step is sure to make one."""
    model = side.model
    if side.out_answer or model.ended or not side.sender.can_start:
        return False
    oldest_ok = model.circuit.now - model.max_age
    return model.choose()[1] and all(held.came_at >= oldest_ok for held in model.held)
