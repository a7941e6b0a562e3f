"""K10: at the end what could not be sent is written, within the budget; what is neither is counted."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from breaker_exporter import CircuitBreakerSpanExporter, Retention
from breaker_exporter._core.payload import Delivery
from breaker_exporter._spool import lease
from breaker_exporter.testing import ScriptedExporter, fail

from ..retention._retaining import DELIVERED, UNREACHABLE, Encoded, batch
from ..semantics._exporters import SUCCESS
from ..semantics._waiting import Gate, start, until
from ._storing import Storing, exporter_on, files, names_on, sum_agrees

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from breaker_exporter.testing import ManualClock

    from .conftest import Hang

    Make = Callable[..., CircuitBreakerSpanExporter]


def _lost(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    return [line for line in lines if "could not be delivered before the end" in line]


def test_a_disk_that_hangs_does_not_keep_a_process_from_ending(
    make: Make, hang: Callable[[str], Hang], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hung = hang("write")
    exporter = make(Storing(default=UNREACHABLE), failure_threshold=1)
    exporter.export(batch("a", 2))
    until(lambda: hung.entered)
    exporter.export(batch("b", 3))

    began = time.monotonic()
    exporter.shutdown(2_000)

    assert time.monotonic() - began < 2
    health = exporter.health()
    assert (health.spooled, health.retained, health.in_flight) == (0, 0, 0)
    assert health.dropped_by_reason["shutdown"] == 5
    assert len(_lost(caplog)) == 1
    assert "5 spans" in _lost(caplog)[0]
    assert "could not be written to disk in time either" in _lost(caplog)[0]
    hung.gate.open()
    until(lambda: hung.ended == hung.entered)
    until(lambda: files(tmp_path) == [])  # they were counted as dropped


def test_a_disk_gets_a_fifth_of_the_time_at_most(
    make: Make, hang: Callable[[str], Hang], monkeypatch: pytest.MonkeyPatch
) -> None:
    from breaker_exporter._concurrency import disk_job

    hung = hang("write")
    monkeypatch.setattr(disk_job, "LIMIT", 60.0)
    exporter = make(Storing(default=UNREACHABLE), failure_threshold=1)
    exporter.export(batch("a", 2))
    until(lambda: hung.entered)

    began = time.monotonic()
    exporter.shutdown(5_000)

    assert time.monotonic() - began < 2.5  # one of five, and what the last line may take
    assert exporter.health().dropped == 2


def test_what_is_queued_when_the_time_is_short_is_written_all_the_same(make: Make, tmp_path: Path) -> None:
    exporter = make(Storing(default=UNREACHABLE), failure_threshold=1)
    for name in "abc":
        exporter.export(batch(name, 2))

    exporter.shutdown(0)

    health = exporter.health()
    assert (health.spooled, health.dropped, health.retained) == (6, 0, 0)
    assert files(tmp_path)


def test_without_a_directory_the_line_names_the_variable(caplog: pytest.LogCaptureFixture) -> None:
    exporter = CircuitBreakerSpanExporter(
        Storing(default=UNREACHABLE),
        failure_threshold=1,
        retention=Retention(),
    )
    exporter.export(batch("a", 4))

    exporter.shutdown()

    (line,) = _lost(caplog)
    assert "4 spans" in line
    assert "BREAKER_EXPORTER_RETAIN_DIRECTORY" in line


def test_an_exporter_that_could_use_no_directory_is_not_told_to(caplog: pytest.LogCaptureFixture) -> None:
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter(default=fail), failure_threshold=1, retention=Retention()
    )
    exporter.export(batch("a", 4))

    exporter.shutdown()

    (line,) = _lost(caplog)
    assert "DIRECTORY" not in line


def test_a_stopped_exporter_keeps_neither_the_lease_nor_a_descriptor(
    make: Make, tmp_path: Path, clock: ManualClock, looks_often: None
) -> None:
    """K9: a process that goes on must not keep the others from sending what lies there."""
    inner = Storing(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock)
    for name in "abc":
        exporter.export(batch(name, 2))
        until(lambda: exporter.health().retained == 0)
    gate = Gate()
    inner.default = lambda _: gate.wait() and DELIVERED
    clock.advance(60)
    sent = len(inner.sent)
    until(lambda: len(inner.sent) > sent)  # in a call, under the lease

    exporter.shutdown(300)

    until(lambda: lease._registry() == {})
    other = make(Storing())
    other._look_on_disk(batch("x")[0].resource)
    until(lambda: other.health().exported == 6)
    gate.open()


def test_two_shutdowns_at_once_write_each_batch_once(tmp_path: Path) -> None:
    for _ in range(20):
        exporter = exporter_on(tmp_path, Storing(default=UNREACHABLE), failure_threshold=1)
        for name in "abcd":
            exporter.export(batch(name, 2))
        ends = [start(lambda exporter=exporter: exporter.shutdown(5_000)) for _ in range(2)]  # type: ignore[misc]
        for end in ends:
            end.result(20)
        health = exporter.health()
        assert (health.spooled, health.dropped, health.retained) == (8, 0, 0)
    until(lambda: lease._registry() == {})
    assert sorted(names_on(tmp_path)) == sorted("aabbccdd" * 20)


def test_a_call_that_is_answered_in_part_at_the_end_leaves_the_rest(make: Make, tmp_path: Path) -> None:
    gate = Gate()

    def part(payload: Encoded) -> Delivery:
        gate.wait()
        return Delivery(DELIVERED, Encoded(payload.names[1:], item_size=10))

    inner = Storing(default=part)
    exporter = make(inner, export_timeout=60)
    caller = start(lambda: exporter.export(batch("a", 5)))
    until(lambda: inner.sent)
    assert caller.result(20) is SUCCESS
    until(lambda: exporter.health().spooled == 5)  # written while it is out
    gate.open()
    until(lambda: exporter.health().exported >= 1)

    exporter.shutdown(2_000)

    health = exporter.health()
    assert health.dropped == 0
    assert sum_agrees(health)
    assert health.spooled - health.recovered + health.exported == 5


def test_where_no_thread_starts_any_more_export_writes_in_place(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """K14."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    exporter = make(Storing(default=UNREACHABLE), failure_threshold=1)
    given = [batch(name, 2) for name in "ab"]
    monkeypatch.setattr(threading.Thread, "start", refuse)
    for each in given:
        assert exporter.export(each) is SUCCESS

    health = exporter.health()
    assert (health.spooled, health.retained) == (4, 0)
    assert files(tmp_path)
    monkeypatch.undo()


def test_where_no_thread_can_be_had_now_memory_goes_on(
    make: Make, tries_again_soon: None, tmp_path: Path
) -> None:
    from ..semantics.test_no_thread_to_be_had import no_new_threads

    exporter = make(Storing(default=UNREACHABLE), failure_threshold=1)
    given = batch("a", 2)
    with no_new_threads():
        assert exporter.export(given) is SUCCESS
        assert exporter.health().spooled == 0
        assert exporter.health().retained == 2

    exporter.export(batch("b"))
    until(lambda: exporter.health().spooled == 3)
