"""K11: a forked child keeps nothing of its parent's, and sends nothing of it."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest

from breaker_exporter import CircuitState, Retention
from breaker_exporter.testing import ScriptedExporter, fail

from ..semantics._children import in_child, wait_for
from ..semantics._exporters import FAILURE, SUCCESS, Gated
from ..semantics._spans import spans
from ..semantics._waiting import start, until
from ._retaining import DELIVERED, UNREACHABLE, Encoding, batch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from breaker_exporter import CircuitBreakerSpanExporter
    from breaker_exporter.testing import ManualClock

    Make = Callable[..., CircuitBreakerSpanExporter]


def test_a_childs_backlog_is_empty_and_its_circuit_the_parents(
    make: Make, clock: ManualClock, looks_often: None
) -> None:
    inner = Encoding(default=UNREACHABLE)
    retention = Retention(memory=1000)
    exporter = make(inner, failure_threshold=1, clock=clock, retention=retention)
    for name in ("a", "b", "c"):
        exporter.export(batch(name, 2))

    def check() -> None:
        health = exporter.health()
        assert (health.received, health.retained, health.retained_bytes, health.oldest_at) == (0, 0, 0, None)
        assert (health.state, health.dropped, retention.budget.used) == (CircuitState.OPEN, 0, 0)
        inner.default = DELIVERED
        assert exporter.export(batch("child")) is SUCCESS
        assert exporter.health().retained == 1
        clock.advance(60)
        until(lambda: exporter.health().exported == 1)
        assert inner.accepted == ["child"]
        exporter.shutdown()
        assert exporter.health().dropped == 0

    in_child(check)
    assert exporter.health().retained == 6
    assert exporter.state is CircuitState.OPEN


def test_a_child_forked_while_the_sender_is_in_a_call_sends_its_own_alone(make: Make) -> None:
    inner = Gated()
    exporter = make(inner)
    exporter.export(spans(1))
    for name in ("b", "c"):
        exporter.export(batch(name))

    def check() -> None:
        before = len(inner.calls)
        inner.let_all_out()
        assert exporter.export(batch("child")) is SUCCESS
        assert exporter.health().exported == 1
        exporter.shutdown()
        assert [call.spans[0].name for call in inner.calls[before:]] == ["child"]

    in_child(check)
    inner.let_all_out()
    until(lambda: exporter.health().exported == 3)


def test_children_of_an_exporter_that_is_busy_all_work(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """R5: a lock of ours that is held at that instant is free in the child."""
    # A file that the parent writes lines to at that instant stays locked in the child, whoever writes them.
    monkeypatch.setattr(logging.getLogger("breaker_exporter"), "disabled", True)
    outcomes = [SUCCESS, FAILURE, FAILURE, SUCCESS]
    inner = ScriptedExporter(default=lambda _: outcomes[len(inner.calls) % 4])
    exporter = make(inner, failure_threshold=1, cooldown=0.001, retention=Retention(memory=100_000))
    given = spans(1)
    stop: list[bool] = []

    def hammer() -> None:
        while not stop:
            exporter.export(given)
            exporter.health()

    def check() -> None:
        assert exporter.health().received == 0
        for _ in range(20):
            exporter.export(given)
        health = exporter.health()
        assert health.received == 20
        assert min(health.in_flight, health.retained) >= 0
        exporter.shutdown(500)
        assert exporter.health().retained == 0

    callers = [start(hammer) for _ in range(4)]
    try:
        for _ in range(4):
            in_child(check)
    finally:
        stop.append(True)
    for caller in callers:
        caller.result(20)


def test_an_encoder_may_fork(make: Make) -> None:
    """The child goes on inside an export that is its parent's, and sends nothing of it."""
    parent = os.getpid()
    children: list[int] = []
    inner = Encoding()

    def fork() -> None:
        if os.getpid() == parent and not children:
            children.append(os.fork())

    inner.when_encoding = fork
    exporter = make(inner)
    answer = exporter.export(batch("parent", 2))
    if os.getpid() != parent:
        clean = (answer, inner.sent, exporter.health().received) == (FAILURE, [], 0)
        exporter.export(batch("child"))
        os._exit(0 if clean and inner.accepted == ["child"] else 70)

    assert wait_for(children[0]) == 0
    assert (answer, exporter.health().exported) == (SUCCESS, 2)


def test_a_wrapped_exporter_may_fork_inside_a_call_of_the_sender(
    make: Make, clock: ManualClock, looks_often: None
) -> None:
    children: list[int] = []

    def forking(_: Sequence[ReadableSpan]) -> object:
        pid = os.fork()
        if pid:
            children.append(pid)
            return SUCCESS
        os._exit(0 if exporter.health().received == 0 else 70)

    exporter = make(ScriptedExporter([fail, forking]), failure_threshold=1, clock=clock)
    exporter.export(spans(1))
    clock.advance(60)
    until(lambda: exporter.health().exported == 1)

    assert wait_for(children[0]) == 0


def test_a_child_that_never_exports_ends_at_once(make: Make) -> None:
    exporter = make(ScriptedExporter(default=fail), failure_threshold=1)
    exporter.export(spans(3))

    in_child(lambda: exporter.shutdown(5000), within=4)

    assert exporter.health().retained == 3
