"""A shared circuit in a forked child: one a process, with the state of its parent's (R5)."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from breaker_exporter._concurrency import state_lock
from breaker_exporter._concurrency.state_lock import new_state_lock

from ..retention._retaining import UNREACHABLE
from ..semantics._children import in_child
from ..semantics._exporters import Gated
from ..semantics._waiting import start, until
from ._sharing import CLOSED, HALF_OPEN, OPEN, answers, sharing, succeeds

if TYPE_CHECKING:
    from breaker_exporter import CircuitTransition, SharedCircuit
    from breaker_exporter.testing import ManualClock

pytestmark = pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin", reason="forks")


def test_a_child_has_the_parents_state_and_a_circuit_of_its_own(
    shared: SharedCircuit, clock: ManualClock
) -> None:
    heard: list[CircuitTransition] = []
    gone, other = sharing(shared, answers(UNREACHABLE, UNREACHABLE), answers(), listeners=[heard.append])
    succeeds(gone)
    succeeds(gone)
    clock.advance(5)

    def check() -> None:
        assert [one.state for one in (gone, other)] == [OPEN, OPEN]
        health = other.health()
        assert (health.retry_in, health.opened, health.consecutive_failures) == (5, 0, 2)
        clock.advance(5)
        assert succeeds(other)
        assert (shared.state, gone.state) == (CLOSED, CLOSED)
        assert succeeds(gone)
        assert [each.new for each in heard] == [OPEN, HALF_OPEN, CLOSED]

    in_child(check)
    assert (shared.state, gone.state, gone.health().retry_in) == (OPEN, OPEN, 5)
    assert [each.new for each in heard] == [OPEN]


def test_a_probe_that_is_out_is_the_parents(shared: SharedCircuit, clock: ManualClock) -> None:
    inner = Gated()
    gone, probing, third = sharing(shared, answers(UNREACHABLE, UNREACHABLE), inner, answers())
    succeeds(gone)
    succeeds(gone)
    clock.advance(10)
    probe = start(lambda: succeeds(probing))
    inner.entered(1)

    def check() -> None:
        assert (shared.state, third.health().retry_in) == (OPEN, 0.0)
        assert succeeds(third)
        assert (shared.state, probing.state) == (CLOSED, CLOSED)

    in_child(check)
    assert shared.state is HALF_OPEN
    inner.let_all_out()
    assert probe.result(20) is True


def test_no_lock_of_the_parent_is_held_in_a_child(shared: SharedCircuit) -> None:
    (exporter,) = sharing(shared, answers())
    holding, go_on = Gated(), Gated()
    here = shared._reachability

    def hold() -> None:
        with here.lock:
            holding.gates[0].open()
            assert go_on.gates[0].wait()

    holder = start(hold)
    assert holding.gates[0].wait()

    def check() -> None:
        assert succeeds(exporter)
        assert here.refusal() is None  # a copy of a greenlet of the parent still has that one
        with here.lock:
            here.announce()

    in_child(check)
    go_on.gates[0].open()
    holder.result(20)


def test_a_lock_that_the_forking_thread_holds_is_its_own_in_the_child() -> None:
    """It has interrupted its own section there too."""
    lock = new_state_lock()
    with lock:
        known = state_lock._state_locks.copy()
        held = [key for key, lock in known.items() if (found := lock()) and state_lock._is_owned(found)]

        def check() -> None:
            assert held
            assert state_lock._state_locks.keys() >= set(held)

        in_child(check)


def test_a_copy_of_a_parents_caller_tells_nobody(
    shared: SharedCircuit, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    (exporter,) = sharing(shared, answers(UNREACHABLE, UNREACHABLE))
    here = shared._reachability

    def check() -> None:
        permits = [here.admit(lambda: None) for _ in range(2)]
        caplog.clear()
        for permit in permits:
            here.cancel(permit)
        here.circuit._machine.open()
        here.circuit._move(OPEN, "in the child")
        here._collect()
        here.announce()
        assert caplog.messages == []
        assert (shared.state, exporter.state) == (OPEN, OPEN)  # as at the first look, which is only now

    until(lambda: exporter.state is CLOSED)
    in_child(check)
    assert shared.state is CLOSED
