"""The state of an exporter in a forked child: R5."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState, ExportReport, Verdict
from breaker_exporter.testing import ScriptedExporter, fail, succeed

from ._children import in_child, wait_for
from ._exporters import FAILURE, SUCCESS, Gated
from ._spans import spans
from ._waiting import start, until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from breaker_exporter import ExporterHealth
    from breaker_exporter.testing import ManualClock


def _counts(health: ExporterHealth) -> tuple[int, ...]:
    return (
        health.received,
        health.exported,
        health.failed,
        health.refused,
        health.in_flight,
        health.hung_calls,
        health.opened,
    )


def test_a_childs_counts_and_timestamps_start_at_zero_and_its_circuit_is_the_parents(
    clock: ManualClock,
) -> None:
    """R5."""
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter([succeed, fail, fail]), failure_threshold=3, cooldown=10, clock=clock
    )
    for _ in range(3):
        exporter.export(spans(2))

    def check() -> None:
        health = exporter.health()
        assert _counts(health) == (0,) * 7
        assert (health.last_success_at, health.last_failure_at) == (None, None)
        assert (health.state, health.consecutive_failures) == (CircuitState.CLOSED, 2)
        assert exporter.export(spans(3)) is SUCCESS
        assert exporter.health().exported == 3

    in_child(check)
    assert _counts(exporter.health()) == (6, 2, 4, 0, 0, 0, 0)


def test_a_child_of_an_open_circuit_is_open_with_the_same_cooldown(clock: ManualClock) -> None:
    """R5."""
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter([fail, fail]), failure_threshold=1, cooldown=10, jitter=0, clock=clock
    )
    exporter.export(spans(1))
    clock.advance(10)
    exporter.export(spans(1))
    clock.advance(5)

    def check() -> None:
        health = exporter.health()
        assert _counts(health) == (0,) * 7
        assert (health.state, health.cooldown, health.consecutive_failures) == (CircuitState.OPEN, 20, 2)
        assert health.retry_in == pytest.approx(15)
        assert exporter.export(spans(1)) is FAILURE
        clock.advance(15)
        assert exporter.export(spans(1)) is SUCCESS
        assert exporter.health().cooldown == 10

    in_child(check)
    assert exporter.health().opened == 2


def test_a_child_has_none_of_its_parents_calls(clock: ManualClock) -> None:
    """R5: neither the one in flight nor those that wait, and it can export at once."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=60, clock=clock)
    first = start(lambda: exporter.export(spans(2)))
    inner.entered(1)
    second = start(lambda: exporter.export(spans(3)))
    until(lambda: exporter.health().in_flight == 5)

    def check() -> None:
        inner.gates[1].open()
        assert _counts(exporter.health()) == (0,) * 7
        assert exporter.export(spans(7)) is SUCCESS
        assert _counts(exporter.health()) == (7, 7, 0, 0, 0, 0, 0)

    in_child(check)
    inner.let_all_out()
    assert (first.result(timeout=20), second.result(timeout=20)) == (SUCCESS, SUCCESS)
    assert exporter.health().exported == 5


def test_a_probe_in_flight_is_an_open_circuit_that_is_due_in_the_child(clock: ManualClock) -> None:
    """R5."""
    inner = Gated()
    inner.let_out(0, FAILURE)
    exporter = CircuitBreakerSpanExporter(
        inner, failure_threshold=1, cooldown=10, export_timeout=60, clock=clock
    )
    exporter.export(spans(1))
    clock.advance(10)
    probe = start(lambda: exporter.export(spans(1)))
    inner.entered(2)
    assert exporter.state is CircuitState.HALF_OPEN

    def check() -> None:
        inner.gates[2].open()
        health = exporter.health()
        assert (health.state, health.retry_in, health.cooldown) == (CircuitState.OPEN, 0.0, 10)
        assert exporter.export(spans(1)) is SUCCESS
        assert exporter.state is CircuitState.CLOSED

    in_child(check)
    assert exporter.state is CircuitState.HALF_OPEN
    inner.let_all_out()
    assert probe.result(timeout=20) is SUCCESS


def test_what_the_backend_asked_for_holds_in_the_child_as_well(clock: ManualClock) -> None:
    """R5: before the circuit opens, and while it is open."""
    busy = ExportReport(Verdict.FAILED, reason="HTTP 429", retry_after=40)
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter([lambda _: busy], default=fail), failure_threshold=2, jitter=0, clock=clock
    )
    exporter.export(spans(1))

    def check_closed() -> None:
        exporter.export(spans(1))
        assert exporter.health().retry_in == 40

    def check_open() -> None:
        assert (exporter.health().retry_in, exporter.health().cooldown) == (40, 40)

    in_child(check_closed)
    exporter.export(spans(1))
    in_child(check_open)


def test_abandoned_threads_of_the_parent_block_no_probe_in_the_child(
    clock: ManualClock, deadlines: ManualClock
) -> None:
    """R5, R2."""
    inner = Gated(when_stuck=lambda: deadlines.advance(0.02))
    exporter = CircuitBreakerSpanExporter(
        inner, export_timeout=0.02, cooldown=10, max_cooldown=10, clock=clock
    )
    for _ in range(4):
        exporter.export(spans(1))
        clock.advance(10)
    assert exporter.health().blocked_reason

    def check() -> None:
        inner.gates[4].open()
        health = exporter.health()
        assert (health.hung_calls, health.blocked_reason) == (0, None)
        assert exporter.export(spans(1)) is SUCCESS

    in_child(check)
    inner.let_all_out()
    until(lambda: exporter.health().hung_calls == 0)


def test_the_child_exports_on_a_thread_of_its_own(clock: ManualClock) -> None:
    """R5, R1: one thread again, and not the caller's."""
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(), clock=clock)
    exporter.export(spans(1))

    def check() -> None:
        inner = ScriptedExporter()
        exported = CircuitBreakerSpanExporter(inner, clock=clock)
        exported.export(spans(1))
        for _ in range(3):
            assert exporter.export(spans(1)) is SUCCESS
        assert exporter.health().exported == 3

    in_child(check)


def test_a_grandchild_starts_at_zero_again(clock: ManualClock) -> None:
    """R5."""
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(), clock=clock)
    exporter.export(spans(1))

    def grandchild() -> None:
        assert exporter.health().received == 0
        assert exporter.export(spans(4)) is SUCCESS
        assert exporter.health().received == 4

    def child() -> None:
        exporter.export(spans(2))
        assert exporter.health().received == 2
        in_child(grandchild)
        assert exporter.export(spans(2)) is SUCCESS
        assert exporter.health().received == 4

    in_child(child)


def test_a_shut_down_exporter_is_shut_down_in_the_child_too(clock: ManualClock) -> None:
    """S3, R5."""
    inner = ScriptedExporter()
    exporter = CircuitBreakerSpanExporter(inner, clock=clock)
    exporter.shutdown()

    def check() -> None:
        assert exporter.export(spans(2)) is FAILURE
        assert (exporter.health().received, exporter.health().refused) == (2, 2)
        exporter.shutdown()

    in_child(check)


def test_a_child_forked_during_shutdown_can_shut_down_itself(clock: ManualClock) -> None:
    """R5, S1."""
    stuck = Gated()
    inner = ScriptedExporter(on_shutdown=lambda _: stuck.export(()))
    exporter = CircuitBreakerSpanExporter(inner, clock=clock)
    ending = start(lambda: exporter.shutdown(timeout_millis=60_000))
    stuck.entered(1)

    def check() -> None:
        stuck.let_all_out()
        start(exporter.shutdown).result(timeout=15)
        assert exporter.export(spans(1)) is FAILURE

    in_child(check)
    stuck.let_all_out()
    ending.result(timeout=20)


def test_children_forked_while_eight_threads_export_all_work(caplog: pytest.LogCaptureFixture) -> None:
    """R5, C9: a lock of ours that was held at that instant is free in the child."""
    caplog.set_level(logging.CRITICAL, logger="breaker_exporter")  # a stream's lock is the interpreter's
    outcomes = [SUCCESS, FAILURE, FAILURE, SUCCESS]
    inner = ScriptedExporter(default=lambda batch: outcomes[len(inner.calls) % 4])
    exporter = CircuitBreakerSpanExporter(
        inner, failure_threshold=1, cooldown=0.001, export_timeout=60, listeners=[lambda change: None]
    )
    batch = spans(1)
    stop = threading.Event()

    def hammer() -> None:
        while not stop.is_set():
            exporter.export(batch)
            exporter.health()

    def check() -> None:
        health = exporter.health()
        assert _counts(health) == (0,) * 7
        for _ in range(50):
            exporter.export(batch)
        health = exporter.health()
        assert health.received == 50 == health.exported + health.failed + health.refused

    calls = [start(hammer) for _ in range(8)]
    try:
        for _ in range(10):
            in_child(check)
    finally:
        stop.set()
    for call in calls:
        call.result(timeout=20)


@pytest.mark.parametrize("ends", ["by itself", "by returning"])
def test_a_wrapped_exporter_may_fork_inside_export(clock: ManualClock, ends: str) -> None:
    """R5: the child that wakes up on our thread may export and must be able to end."""
    children: list[int] = []

    def forking(batch: Sequence[ReadableSpan]) -> SpanExportResult:
        if len(batch) != 1:
            return SUCCESS
        pid = os.fork()
        if pid:
            children.append(pid)
        else:
            # the child has this one thread, and a health of its own
            healthy = exporter.health().received == 0
            answered = isinstance(exporter.export([*batch, *batch]), SpanExportResult)
            counted = exporter.health().received == 2
            if ends == "by itself":
                os._exit(0 if healthy and answered and counted else 70)
        return SUCCESS

    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=forking), export_timeout=15, clock=clock)

    assert exporter.export(spans(1)) is SUCCESS

    assert wait_for(children[0]) == 0
    assert exporter.health().exported == 1
    assert exporter.export(spans(3)) is SUCCESS


def test_a_listener_may_fork(clock: ManualClock) -> None:
    """R5, C8: the child goes on inside an export that is its parent's."""
    parent = os.getpid()
    children: list[int] = []

    def listen(_: object) -> None:
        if os.getpid() == parent and not children:
            children.append(os.fork())

    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter([fail]), failure_threshold=1, listeners=[listen], clock=clock
    )
    answer = exporter.export(spans(2))
    if os.getpid() != parent:
        os._exit(0 if answer is FAILURE and _counts(exporter.health()) == (0,) * 7 else 70)

    assert wait_for(children[0]) == 0
    assert (answer, exporter.health().failed) == (FAILURE, 2)


def test_a_child_forked_while_its_only_thread_waits_hears_nothing_of_that_call(
    clock: ManualClock, deadlines: ManualClock
) -> None:
    """R5: from a signal handler, for example. The call and its result are the parent's."""
    parent = os.getpid()
    children: list[int] = []

    def fork_once(*_: object) -> None:
        if not children:
            children.append(-1)
            children[0] = os.fork()

    before = signal.signal(signal.SIGUSR1, fork_once)
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.05, clock=clock)

    def watch() -> None:
        inner.entered(1)
        while not children:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
            time.sleep(0.05)
        deadlines.advance(0.05)

    watching = start(watch)
    answer = exporter.export(spans(2))
    if os.getpid() != parent:
        health = exporter.health()
        clean = (answer, _counts(health), health.state) == (FAILURE, (0,) * 7, CircuitState.CLOSED)
        os._exit(0 if clean and health.consecutive_failures == 0 else 70)
    watching.result(timeout=20)
    signal.signal(signal.SIGUSR1, before)

    assert wait_for(children[0]) == 0
    assert exporter.health().failed == 2
    inner.let_all_out()


def test_a_fork_after_exporters_were_dropped_costs_nothing(clock: ManualClock) -> None:
    """R5."""
    for _ in range(20):
        CircuitBreakerSpanExporter(ScriptedExporter(), clock=clock).export(spans(1))
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(), clock=clock)

    def check() -> None:
        assert exporter.export(spans(1)) is SUCCESS

    in_child(check)


def test_the_first_exports_of_a_child_may_come_from_several_threads_at_once() -> None:
    """R5: they all get the circuit that the first of them made."""
    exporters = [CircuitBreakerSpanExporter(ScriptedExporter()) for _ in range(60)]
    threads = 6
    batch = spans(1)

    def check() -> None:
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        together = threading.Barrier(threads)

        def first(exporter: CircuitBreakerSpanExporter) -> object:
            together.wait(20)
            return exporter.export(batch)

        for exporter in exporters:
            calls = [start(lambda one=exporter: first(one)) for _ in range(threads)]  # type: ignore[misc]
            assert {call.result(timeout=20) for call in calls} == {SUCCESS}
            assert exporter.health().received == threads
        sys.setswitchinterval(before)

    in_child(check)
