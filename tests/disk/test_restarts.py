"""K9, K10, K14: what a process leaves on disk is delivered by the next one, or by another one beside it."""

from __future__ import annotations

import contextvars
import os
import signal
from typing import TYPE_CHECKING

from opentelemetry.sdk.resources import Resource

from breaker_exporter import CircuitState
from breaker_exporter._spool.spool import Spool

from ..retention._retaining import DELIVERED, UNREACHABLE, batch
from ..semantics._children import wait_for
from ..semantics._exporters import SUCCESS
from ..semantics._waiting import Gate, start, until
from ._storing import Storing, exporter_on, files, sum_agrees

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from breaker_exporter import CircuitBreakerSpanExporter, ExportReport
    from breaker_exporter.testing import ManualClock

    Make = Callable[..., CircuitBreakerSpanExporter]

_RESOURCE = Resource({"service.name": "shop"})


def test_what_waits_at_the_shutdown_is_written(make: Make, tmp_path: Path) -> None:
    """K10: also a batch in a call that nobody has answered to."""
    gate = Gate()
    inner = Storing(default=lambda _: gate.wait() and UNREACHABLE)
    exporter = make(inner, export_timeout=60)
    caller = start(lambda: exporter.export(batch("in a call", 2)))
    until(lambda: inner.sent)
    assert caller.result(20) is SUCCESS
    exporter.export(batch("new", 3))

    exporter.shutdown(1_000)

    health = exporter.health()
    assert (health.spooled, health.dropped, health.retained) == (5, 0, 0)
    assert sum_agrees(health)
    assert files(tmp_path)
    gate.open()


def test_the_next_process_delivers_it_by_itself(make: Make, tmp_path: Path) -> None:
    before = make(Storing(default=UNREACHABLE), failure_threshold=1)
    for name in "ab":
        before.export(batch(name, 2))
    before.shutdown()
    inner = Storing()
    after = make(inner)

    after._look_on_disk(batch("x")[0].resource)

    until(lambda: after.health().exported == 4)
    until(lambda: files(tmp_path) == [])
    health = after.health()
    assert (health.received, health.recovered, health.spooled) == (0, 4, 0)
    assert inner.accepted == ["a", "a", "b", "b"]


def test_with_nothing_on_disk_a_start_makes_nothing(make: Make, tmp_path: Path) -> None:
    exporter = make(Storing())

    exporter._look_on_disk(_RESOURCE)
    exporter.export(batch("a"))

    assert exporter.health().exported == 1
    until(
        lambda: (
            exporter._guarded.guard.custody is not None
            and exporter._guarded.guard.custody._sender._worker is None
        )
    )
    assert list(tmp_path.iterdir()) == []


def test_two_exporters_of_one_spool_deliver_each_batch_once(
    make: Make, tmp_path: Path, clock: ManualClock, looks_often: None
) -> None:
    inner = Storing(default=UNREACHABLE)
    first, second = (make(inner, failure_threshold=1, clock=clock, name="one") for _ in range(2))
    for number in range(10):
        exporter = (first, second)[number % 2]
        exporter.export(batch(str(number)))
        until(lambda exporter=exporter: exporter.health().retained == 0)  # type: ignore[misc]
    inner.default = DELIVERED

    clock.advance(60)

    until(lambda: len(inner.accepted) >= 10)
    until(lambda: files(tmp_path) == [])
    assert sorted(inner.accepted) == sorted(map(str, range(10)))
    until(lambda: first.health().exported + second.health().exported == 10)
    assert first.health().recovered + second.health().recovered == 10


def test_a_killed_process_costs_nothing_that_is_older_than_a_second(make: Make, tmp_path: Path) -> None:
    def work() -> None:
        exporter = exporter_on(tmp_path, Storing(default=UNREACHABLE), failure_threshold=1)
        for number in range(20):
            exporter.export(batch(str(number)))
        until(lambda: exporter.health().spooled == 20)
        os.kill(os.getpid(), signal.SIGKILL)

    pid = os.fork()
    if pid == 0:
        work()
    assert wait_for(pid) == -signal.SIGKILL
    inner = Storing()
    exporter = make(inner)

    exporter.export(batch("live"))
    exporter._look_on_disk(batch("x")[0].resource)

    until(lambda: exporter.health().exported == 21)
    assert sorted(inner.accepted) == sorted(["live", *map(str, range(20))])
    assert exporter.state is CircuitState.CLOSED


def test_the_first_export_looks_too(make: Make, tmp_path: Path) -> None:
    """Zero code has no start, and a forked child may not call it."""
    before = make(Storing(default=UNREACHABLE), failure_threshold=1)
    before.export(batch("left", 2))
    before.shutdown()
    inner = Storing()
    after = make(inner)

    after.export(batch("first"))

    until(lambda: after.health().exported == 3)
    until(lambda: files(tmp_path) == [])


_suppressed: contextvars.ContextVar[bool] = contextvars.ContextVar("suppressed", default=False)


def test_what_lies_there_is_sent_in_the_context_of_the_export_that_looked(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R3: that export may have been answered before the disk was looked at."""
    before = make(Storing(default=UNREACHABLE), failure_threshold=1)
    before.export(batch("kept"))
    before.shutdown()
    seen: list[bool] = []
    gate, check = Gate(), Spool.check

    def checks_late(spool: Spool) -> None:
        assert gate.wait()
        check(spool)

    def look(_: object) -> ExportReport:
        seen.append(_suppressed.get())
        return DELIVERED

    monkeypatch.setattr(Spool, "check", checks_late)
    exporter = make(Storing(default=look))

    def export() -> None:
        _suppressed.set(True)
        assert exporter.export(batch("live")) is SUCCESS

    contextvars.copy_context().run(export)
    gate.open()

    until(lambda: exporter.health().exported == 2)
    assert seen == [True, True]
