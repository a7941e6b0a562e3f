"""What happened meanwhile: a fork in the middle of a step, a batch that is gone when its turn comes."""

from __future__ import annotations

import contextvars
import os
from typing import TYPE_CHECKING

import pytest

from breaker_exporter._core import sender
from breaker_exporter._core.backlog import Backlog
from breaker_exporter._core.budget import Budget
from breaker_exporter._core.loss import Loss
from breaker_exporter._core.retention_settings import Keep
from breaker_exporter.testing import ScriptedExporter

from ..semantics._exporters import FAILURE, SUCCESS
from ..semantics._spans import spans
from ..semantics._waiting import start, until
from ._retaining import DELIVERED, UNREACHABLE, Encoded, Encoding, batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from breaker_exporter import CircuitBreakerSpanExporter
    from breaker_exporter.testing import ManualClock

    Make = Callable[..., CircuitBreakerSpanExporter]


def test_a_batch_whose_encoding_goes_on_in_a_child_is_the_parents(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of the parent's greenlet, in which `encode_batch` returns: K11."""
    inner = Encoding()
    exporter = make(inner)
    pid = os.getpid()
    with monkeypatch.context() as child:
        inner.when_encoding = lambda: child.setattr(os, "getpid", lambda: pid + 1)
        assert exporter.export(batch("parents")) is FAILURE

    assert inner.sent == []


def test_a_step_that_goes_on_in_a_child_sends_nothing(
    make: Make, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = Encoding(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock)
    exporter.export(batch("kept"))
    until(lambda: exporter.health().retained == 1)
    custody = exporter._guarded.guard.custody
    assert custody is not None
    custody._sender.stop()
    clock.advance(60)
    with monkeypatch.context() as child:
        child.setattr(custody._backlog, "pack", lambda rest: child.setattr(os, "getpid", lambda: -1))
        assert custody._step() is None

    assert len(inner.sent) == 1


def test_what_is_gone_when_its_turn_comes_is_left_out(
    make: Make, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another has taken or evicted it since it was chosen."""
    inner = Encoding(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock)
    custody = exporter._guarded.guard.custody
    assert custody is not None
    custody._sender.stop()
    exporter.export(batch("gone"))
    exporter.export(batch("kept"))
    gone = custody._backlog.queue.parcels()[0]
    custody._backlog.remove(gone)
    inner.sent.clear()

    assert not custody._backlog.take(gone)
    assert custody._last_sends._send_one(gone, 0.0)
    with monkeypatch.context() as chosen:
        chosen.setattr(custody._steps._choice, "next", lambda probe_in, now: (gone, 0.0))
        assert custody._step() == 0.0
    assert inner.sent == []
    custody._kept_accounts.drop(1, 0, Loss.EVICTED, "for the sums")


def test_what_goes_while_it_is_packed_keeps_its_size() -> None:
    backlog = Backlog(Budget(10_000, Keep.NEWEST), lambda parcel: None)
    parcel = backlog.take_in(Encoded(("a",) * 3), 0.0, 0.0, 0)
    assert parcel is not None
    backlog.end_call(parcel, parcel.payload)

    def others_run() -> None:
        backlog.remove(parcel)

    backlog.pack(others_run)

    assert (backlog.size, backlog.queue.size, parcel.payload.size) == (0, 0, 300)


def test_what_is_not_put_back_is_not_counted_as_kept(make: Make) -> None:
    exporter = make(Encoding())

    custody = exporter._guarded.guard.custody
    assert custody is not None
    custody._kept_accounts.keep(3, lambda: False)

    assert exporter.health().retained == 0


def test_the_last_calls_wait_for_what_another_has_in_hand(make: Make) -> None:
    """The sender, or an export, has taken a batch and waits for its turn when the shutdown begins."""
    inner = Encoding(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=100)
    custody = exporter._guarded.guard.custody
    assert custody is not None
    custody._sender.stop()
    for name in ("first", "second"):
        exporter.export(batch(name))
    _, second = custody._backlog.queue.parcels()
    assert custody._backlog.take(second)
    custody._kept_accounts.take_out(1)
    inner.default = DELIVERED
    inner.sent.clear()

    ending = start(lambda: exporter.shutdown(20_000))
    until(lambda: custody._change._waiting)
    custody._calls.take_back(second)
    ending.result(20)

    assert inner.sent == [("first",), ("second",)]
    assert exporter.health().dropped == 0


_suppressed: contextvars.ContextVar[bool] = contextvars.ContextVar("suppressed", default=False)


@pytest.mark.parametrize("look", ["of the step", "of who ends the context"])
def test_an_export_that_comes_as_the_sender_goes_off_keeps_its_context(
    make: Make, monkeypatch: pytest.MonkeyPatch, look: str
) -> None:
    """R3: right after the sender has seen that nothing is here. No lock of its own holds the export up."""
    seen: list[bool] = []
    outcomes = [FAILURE, SUCCESS]

    def send(_: object) -> object:
        seen.append(_suppressed.get())
        return outcomes.pop(0)

    exporter = make(ScriptedExporter(default=send), failure_threshold=5)
    custody = exporter._guarded.guard.custody
    assert custody is not None
    monkeypatch.setattr(sender, "start_in_background", lambda *args: args[-1]())  # the test makes the step
    given = spans(2)

    def export() -> None:
        _suppressed.set(True)
        exporter.export(given)

    def is_idle(backlog: Backlog) -> bool:
        answer: bool = look_here(backlog)
        if looks and looks.pop() == look:
            start(lambda: contextvars.copy_context().run(export)).result(20)
        return answer

    look_here, looks = Backlog.is_idle.fget, ["of who ends the context", "of the step"]  # type: ignore[attr-defined]
    monkeypatch.setattr(Backlog, "is_idle", property(is_idle))

    assert custody._step() is None

    exporter.shutdown(20_000)
    assert exporter.health().exported == 2
    assert seen == [True, True]
