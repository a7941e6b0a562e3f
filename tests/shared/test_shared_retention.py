"""Retention behind a shared circuit: an outage that one sees stops all, and all deliver after it (K, L7)."""

from __future__ import annotations

import contextvars
import threading
from typing import TYPE_CHECKING, Any

import pytest

from breaker_exporter import ExportReport, SharedCircuit
from breaker_exporter._core import sender_steps
from breaker_exporter.testing import ManualClock

from ..retention._retaining import BUSY, DELIVERED, UNREACHABLE, Encoding, batch, sum_agrees
from ..semantics._exporters import SUCCESS
from ..semantics._waiting import PATIENCE, start, until
from ._sharing import CLOSED, OPEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from breaker_exporter import CircuitBreakerSpanExporter

    Make = Callable[..., CircuitBreakerSpanExporter]


_suppressed: contextvars.ContextVar[bool] = contextvars.ContextVar("suppressed", default=False)


def shared_by(make: Make, *wrapped: Encoding, cooldown: float, **settings: Any) -> Any:
    circuit = SharedCircuit(failure_threshold=1, cooldown=cooldown, jitter=0, **settings)
    nothing = {"cooldown": None, "jitter": None}
    return circuit, *(make(inner, circuit=circuit, **nothing) for inner in wrapped)


def test_after_an_outage_all_deliver_everything_by_themselves(make: Make) -> None:
    """K12, K14: in real time, by real threads; the first outage is seen by one of them alone."""
    backend = [UNREACHABLE]
    inner = [Encoding(default=lambda _: backend[0]) for _ in range(2)]
    circuit, one, other = shared_by(make, *inner, cooldown=0.2, max_cooldown=0.2)

    assert one.export(batch("first", 2)) is SUCCESS
    assert other.state is OPEN
    for number in range(2):
        assert one.export(batch(f"one {number}", 3)) is SUCCESS
        assert other.export(batch(f"other {number}", 4)) is SUCCESS
    assert other.health().retained == 8
    backend[0] = DELIVERED

    until(lambda: (one.health().exported, other.health().exported) == (8, 8))
    assert circuit.state is CLOSED
    assert sorted(inner[1].accepted) == sorted(f"other {number}" for number in range(2) for _ in range(4))
    for exporter in (one, other):
        assert (exporter.health().retained, sum_agrees(exporter.health())) == (0, True)


def test_an_outage_that_one_sees_stops_the_other_at_once(make: Make, clock: ManualClock) -> None:
    """Not one call more is made."""
    gone, fine = Encoding([UNREACHABLE]), Encoding()
    _, one, other = shared_by(make, gone, fine, cooldown=60, clock=clock)
    assert other.export(batch("before")) is SUCCESS
    one.export(batch("fails"))

    assert other.export(batch("kept", 3)) is SUCCESS

    assert fine.sent == [("before",)]
    assert (other.health().retained, other.health().retry_in) == (3, 60)


def test_all_who_wait_are_woken_when_it_closes(
    make: Make, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long they would have slept: the clock of the circuit is not that of a sender's timer."""
    monkeypatch.setattr(sender_steps, "_LOOK_AGAIN", 3600.0)
    gone, fine = Encoding([UNREACHABLE]), Encoding()
    _, one, other = shared_by(make, gone, fine, cooldown=60, clock=clock)
    one.export(batch("fails"))
    other.export(batch("kept", 3))
    until(lambda: other._guarded.guard.custody._sender._parker is not None)
    assert fine.sent == []
    clock.advance(60)

    assert one.export(batch("wakes its own sender, which probes")) is SUCCESS

    until(lambda: other.health().exported == 3)


def test_an_exporter_with_nothing_to_send_is_not_woken(make: Make, clock: ManualClock) -> None:
    gone = Encoding([UNREACHABLE])
    _, one, idle = shared_by(make, gone, Encoding(), cooldown=60, clock=clock)

    one.export(batch("fails"))

    assert idle._guarded.guard.custody._sender._worker is None
    assert idle.state is OPEN


def test_one_that_is_busy_pauses_its_own_replay(make: Make, clock: ManualClock) -> None:
    """K4: for as long as it asks, or for its own cooldown."""
    inner = Encoding([UNREACHABLE, DELIVERED, BUSY])
    circuit, one, other = shared_by(make, inner, Encoding(), cooldown=60, clock=clock)
    for name in ("probe", "replayed"):
        one.export(batch(name))
    clock.advance(60)

    until(lambda: len(inner.sent) == 3)
    until(lambda: one.health().in_flight == 0)

    assert (circuit.state, one.state, one.health().consecutive_failures) == (CLOSED, CLOSED, 0)
    assert other.export(batch("fine")) is SUCCESS
    assert one._guarded.guard._accounts.pause(None) == 60


def test_a_sender_that_another_exporter_wakes_works_in_the_context_of_the_export(make: Make) -> None:
    """R3: the other one opens the circuit in the middle of its call."""
    seen: list[bool] = []
    is_out, may_end = threading.Event(), threading.Event()

    def look(_: object) -> ExportReport:
        seen.append(_suppressed.get())
        if len(seen) > 1:
            return DELIVERED
        is_out.set()
        assert may_end.wait(PATIENCE)
        return UNREACHABLE

    inner = [Encoding(default=look), Encoding([UNREACHABLE])]
    _, one, other = shared_by(make, *inner, cooldown=0.01, max_cooldown=0.01)

    def export() -> object:
        _suppressed.set(True)
        return one.export(batch("first", 2))

    exported = start(lambda: contextvars.copy_context().run(export))
    assert is_out.wait(PATIENCE)
    other.export(batch("opens it"))
    until(lambda: one._guarded.guard.custody._sender._parker is not None)
    may_end.set()

    assert exported.result(PATIENCE) is SUCCESS
    until(lambda: one.health().exported == 2)
    assert seen == [True, True]
