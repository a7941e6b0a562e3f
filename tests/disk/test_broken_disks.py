"""K13, K7: a disk that hangs, is full, or cannot be used: memory goes on, and one WARNING says why."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING

import pytest

from breaker_exporter import CircuitState
from breaker_exporter._core import disk_health
from breaker_exporter._spool.spool import Full, Spool

from ..retention._retaining import DELIVERED, UNREACHABLE, batch
from ..semantics._exporters import SUCCESS
from ..semantics._waiting import until
from ._storing import Storing, files, sum_agrees

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from breaker_exporter import CircuitBreakerSpanExporter
    from breaker_exporter.testing import ManualClock

    from .conftest import Hang

    Make = Callable[..., CircuitBreakerSpanExporter]


def _warnings(caplog: pytest.LogCaptureFixture, *words: str) -> list[str]:
    """Lines of the disk."""
    lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    return [line for line in lines if any(word in line for word in words or ("disk", "directory"))]


def test_a_disk_that_hangs_while_it_writes_leaves_all_in_memory(
    make: Make, hang: Callable[[str], Hang], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hung = hang("write")
    inner = Storing(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1)

    began = time.monotonic()
    for name in "abc":
        assert exporter.export(batch(name, 2)) is SUCCESS
    took = time.monotonic() - began
    until(lambda: _warnings(caplog))

    assert took < 5
    health = exporter.health()
    assert (health.retained, health.spooled, health.hung_calls, health.dropped) == (6, 0, 0, 0)
    assert [line for line in _warnings(caplog) if "does not answer" in line and str(tmp_path) in line]
    assert len(_warnings(caplog)) == 1
    hung.gate.open()
    until(lambda: hung.ended == hung.entered)
    until(lambda: files(tmp_path) == [])  # nobody counts it any more


def test_the_budget_of_memory_holds_while_the_disk_hangs(make: Make, hang: Callable[[str], Hang]) -> None:
    hang("write")
    exporter = make(Storing(default=UNREACHABLE), failure_threshold=1, of_retention={"memory": 1 << 20})
    large = batch("a", 1_000)  # ten kilobytes, packed
    for _ in range(150):
        exporter.export(large)
        assert exporter.health().retained_bytes <= 1 << 20

    assert exporter.health().dropped > 0
    assert exporter.health().dropped_by_reason["evicted"] == exporter.health().dropped


def test_a_disk_that_answers_again_is_used_again(
    make: Make,
    hang: Callable[[str], Hang],
    tries_again_soon: None,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    hung = hang("write")
    exporter = make(Storing(default=UNREACHABLE), failure_threshold=1)
    exporter.export(batch("a", 2))
    until(lambda: _warnings(caplog))
    time.sleep(0.3)  # tried again, and it still hangs: that is no news

    assert len(_warnings(caplog)) == 1
    hung.gate.open()

    until(lambda: exporter.health().spooled == 2)
    until(lambda: len(_warnings(caplog)) == 2)
    assert "can be used again" in _warnings(caplog)[1]
    assert len(files(tmp_path)) == 1
    assert sum_agrees(exporter.health())


def test_a_disk_that_hangs_while_it_reads_does_not_keep_live_batches(
    make: Make, hang: Callable[[str], Hang], clock: ManualClock, looks_often: None, tmp_path: Path
) -> None:
    inner = Storing(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock)
    exporter.export(batch("kept", 2))
    until(lambda: exporter.health().spooled == 2)
    hung = hang("read")
    inner.default = DELIVERED
    clock.advance(60)
    until(lambda: hung.entered)

    assert exporter.export(batch("live", 3)) is SUCCESS

    until(lambda: exporter.health().exported == 3)
    assert exporter.state is CircuitState.CLOSED
    health = exporter.health()
    assert (health.recovered, health.hung_calls, health.retained) == (0, 0, 0)
    assert len(files(tmp_path)) == 1


def test_what_a_disk_removes_late_is_counted_all_the_same(
    make: Make, hang: Callable[[str], Hang], tries_again_soon: None, clock: ManualClock, looks_often: None
) -> None:
    """K12: the file is gone, whoever has waited for that."""
    inner = Storing(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock)
    exporter.export(batch("a", 2))
    until(lambda: exporter.health().spooled == 2)
    hung = hang("remove")
    inner.default = DELIVERED
    clock.advance(60)
    until(lambda: inner.accepted == ["a", "a"])
    until(lambda: hung.entered)
    time.sleep(0.3)  # given up
    assert exporter.health().recovered == 0
    assert sum_agrees(exporter.health())

    hung.gate.open()

    until(lambda: exporter.health().exported == 2)
    assert exporter.health().recovered == 2
    assert inner.accepted == ["a", "a"]


def test_a_full_disk_is_one_line_and_memory_goes_on(
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
    tries_again_soon: None,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    real = Spool.write

    tries: list[object] = []

    def full(*_: object, **__: object) -> str:
        tries.append(None)
        raise Full("no room")

    monkeypatch.setattr(Spool, "write", full)
    exporter = make(Storing(default=UNREACHABLE), failure_threshold=1)
    for name in "abc":
        assert exporter.export(batch(name, 2)) is SUCCESS
    until(lambda: len(tries) > 3)

    assert exporter.health().retained == 6
    assert len(_warnings(caplog, "no room")) == 1
    monkeypatch.setattr(Spool, "write", real)
    until(lambda: exporter.health().spooled == 6)
    assert files(tmp_path)


def test_a_full_disk_does_not_keep_what_lies_there_from_being_delivered(
    make: Make, monkeypatch: pytest.MonkeyPatch, clock: ManualClock, looks_often: None, tmp_path: Path
) -> None:
    inner = Storing(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock)
    exporter.export(batch("a", 2))
    until(lambda: exporter.health().spooled == 2)

    def full(*_: object, **__: object) -> str:
        raise Full("no room")

    monkeypatch.setattr(Spool, "write", full)
    exporter.export(batch("b", 3))
    inner.default = DELIVERED

    clock.advance(60)

    until(lambda: exporter.health().exported == 5)
    until(lambda: files(tmp_path) == [])


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EACCES])
def test_an_error_of_the_disk_is_one_line_with_its_reason(
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
    tries_again_soon: None,
    caplog: pytest.LogCaptureFixture,
    code: int,
    tmp_path: Path,
) -> None:
    tries: list[object] = []

    def fails(*_: object, **__: object) -> str:
        tries.append(None)
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Spool, "write", fails)
    exporter = make(Storing(default=UNREACHABLE), failure_threshold=1)
    exporter.export(batch("a", 2))
    until(lambda: len(tries) > 2)

    (line,) = _warnings(caplog)
    assert os.strerror(code) in line
    assert str(tmp_path) in line
    assert exporter.health().retained == 2


def test_a_directory_that_cannot_be_used_is_one_line_at_the_first_batch(
    make: Make, tries_again_soon: None, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Before anything is to be written: an operator hears of it before an outage."""
    tmp_path.chmod(0o777)
    exporter = make(Storing())

    exporter.export(batch("a", 2))

    until(lambda: _warnings(caplog))
    (line,) = _warnings(caplog)
    assert "in memory alone" in line
    assert "chmod o-w" in line
    assert exporter.health().exported == 2


def test_a_directory_that_cannot_be_used_is_not_said_to_be_usable_again(
    make: Make, tries_again_soon: None, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """To have looked for files proves nothing."""
    tmp_path.chmod(0o777)
    exporter = make(Storing(default=UNREACHABLE), failure_threshold=1)
    for name in "abc":
        exporter.export(batch(name))
        time.sleep(0.15)

    assert not _warnings(caplog, "again:")
    assert exporter.health().retained == 3
    tmp_path.chmod(0o700)
    until(lambda: exporter.health().spooled == 3)
    until(lambda: len(_warnings(caplog, "again:")) == 1)


def test_a_directory_that_vanishes_is_made_again(make: Make, tries_again_soon: None, tmp_path: Path) -> None:
    import shutil

    exporter = make(Storing(default=UNREACHABLE), failure_threshold=1)
    exporter.export(batch("a", 2))
    until(lambda: exporter.health().spooled == 2)
    for entry in tmp_path.iterdir():
        shutil.rmtree(entry)

    exporter.export(batch("b", 3))

    until(lambda: exporter.health().spooled == 5)
    assert len(files(tmp_path)) == 1


def test_the_disk_is_tried_again_after_a_minute() -> None:
    assert disk_health._RETRY_AFTER == 60.0


def test_a_damaged_file_is_set_aside_and_the_next_one_is_sent(
    make: Make, clock: ManualClock, looks_often: None, tmp_path: Path
) -> None:
    inner = Storing(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock)
    for name in "abc":
        exporter.export(batch(name, 2))
        until(lambda: exporter.health().retained == 0)
    first, second, _ = files(tmp_path)
    first.write_bytes(first.read_bytes()[:-1])
    data = second.read_bytes()
    second.write_bytes(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])
    inner.default = DELIVERED

    clock.advance(60)

    until(lambda: inner.accepted == ["c", "c"])
    until(lambda: files(tmp_path) == [])
    assert len(list(tmp_path.rglob("*.damaged"))) == 2
    assert exporter.health().recovered == 2


def test_a_file_that_makes_no_sense_to_the_exporter_is_set_aside(
    make: Make, clock: ManualClock, looks_often: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(self: Storing, data: bytes, rest: object) -> object:
        raise ValueError("another version")

    inner = Storing(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock)
    exporter.export(batch("a", 2))
    until(lambda: exporter.health().spooled == 2)
    monkeypatch.setattr(Storing, "load_payload", load)
    inner.default = DELIVERED

    clock.advance(60)

    until(lambda: files(tmp_path) == [])
    assert len(list(tmp_path.rglob("*.damaged"))) == 1
    assert inner.accepted == []
