"""What an order to the disk, or a batch, meets when another caller was quicker."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from breaker_exporter._concurrency import hub
from breaker_exporter._concurrency.disk_thread import DiskHangs
from breaker_exporter._core import change, disk_run
from breaker_exporter._core.backlog import Backlog
from breaker_exporter._core.batch import Batch
from breaker_exporter._core.budget import Budget
from breaker_exporter._core.disk_backlog import DiskBacklog
from breaker_exporter._core.disk_order import Order, Read, Reading, Written
from breaker_exporter._core.disk_run import DiskRun
from breaker_exporter._core.disk_work import DiskWork
from breaker_exporter._core.loss import Loss
from breaker_exporter._core.parcel import Parcel
from breaker_exporter._core.payload import Delivery
from breaker_exporter._core.retention_settings import Keep
from breaker_exporter._core.settlement import settlement_of
from breaker_exporter._core.turn import Returned
from breaker_exporter._spool import bound
from breaker_exporter._spool.spool import Spool
from breaker_exporter.instrumentation import observe

from ..metrics.test_metrics import points
from ..retention._retaining import UNREACHABLE, Encoded, batch
from ..semantics._waiting import until
from ._storing import Storing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from breaker_exporter import CircuitBreakerSpanExporter

    Make = Callable[..., CircuitBreakerSpanExporter]


def _kept(count: int) -> Backlog:
    """A backlog with so many kept parcels."""
    backlog = Backlog(Budget(1 << 20, Keep.NEWEST), lambda parcel: None)
    for number in range(count):
        parcel = backlog.take_in(Encoded((str(number),)), 0.0, 0.0, 0)
        assert parcel is not None
        backlog.end_call(parcel, parcel.payload)
    return backlog


def _work(spool: Spool) -> DiskWork:
    encoder: Any = Storing()
    return DiskWork(spool, encoder, max_age=60.0, longest_call=16.0)


def _disk_of(exporter: CircuitBreakerSpanExporter) -> DiskBacklog:
    exporter.export(batch("first"))
    custody = exporter._guarded.guard.custody
    assert custody is not None
    assert isinstance(custody._store.disk, DiskBacklog)
    return custody._store.disk


def test_an_order_is_of_so_many_bytes_about() -> None:
    assert len(_kept(3).take_for_disk(1)) == 1


def test_what_is_being_written_at_the_end_was_still_kept() -> None:
    backlog = _kept(2)
    (writing,) = backlog.take_for_disk(1)

    waiting, in_call = backlog.take_all()

    assert writing in waiting
    assert (len(waiting), in_call) == (2, [])
    assert not backlog.end_writing(writing, is_written=True)
    assert backlog.size == 0


def test_after_the_end_nothing_that_was_read_is_taken_in() -> None:
    backlog = _kept(0)
    backlog.take_all()

    assert backlog.lend(Encoded(("read",)), "file", 0.0, 0.0) is None


def test_a_batch_that_was_read_in_the_place_of_the_one_that_was_chosen_stays(make: Make) -> None:
    exporter = make(Storing())
    disk, custody = _disk_of(exporter), exporter._guarded.guard.custody
    assert custody is not None
    chosen, read = (custody._backlog.lend(Encoded((name,)), name, 0.0, 0.0) for name in ("chosen", "read"))
    assert chosen is not None
    assert read is not None
    disk._replay.ahead = read

    assert not custody._calls.take(chosen)

    assert disk.take_ahead() is None
    assert not custody._backlog.end_call(read, None), "it was left"
    custody._backlog.end_call(chosen, None)


def test_what_was_read_when_it_was_over_already_is_left(make: Make) -> None:
    disk = _disk_of(make(Storing()))
    disk._replay.is_over = True

    disk._replay.take_up(Read("file", Encoded(("read",)), 0.0, 0.0, may_be_there=False), 0.0, has_files=True)

    assert disk.ahead is None


def test_what_was_read_after_the_last_is_left(make: Make) -> None:
    exporter = make(Storing())
    disk, custody = _disk_of(exporter), exporter._guarded.guard.custody
    assert custody is not None
    exporter.shutdown()
    disk._replay.is_over = False

    disk._replay.take_up(Read("file", Encoded(("read",)), 0.0, 0.0, may_be_there=False), 0.0, has_files=True)

    assert disk.ahead is None


def test_an_order_that_another_takes_up_is_not_taken_up_again(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = _disk_of(make(Storing()))
    until(lambda: not disk._run.is_busy)
    claims = iter([True, False])
    disk.look()
    until(lambda: not disk._checks)
    disk._checks = True
    monkeypatch.setattr(disk._run, "claim", lambda: next(claims, False))
    monkeypatch.setattr(disk._run, "wait_for_other", lambda timeout: None)

    assert disk._run.advance(time.monotonic() + 5, before=0.0)

    monkeypatch.undo()
    until(lambda: disk._run.advance(time.monotonic() + 5, before=0.0) is False)


def test_a_step_that_goes_on_in_a_child_takes_nothing_up(make: Make) -> None:
    disk = _disk_of(make(Storing()))
    disk._worker.stop()
    until(lambda: not disk._run.is_busy)
    disk._checks, disk._run._pid = True, -1

    until(lambda: not disk._run.advance(time.monotonic() + 5, before=0.0))

    disk._run._pid = os.getpid()
    until(lambda: disk._run.advance(time.monotonic() + 5, before=0.0) is False)


def test_a_call_that_fails_as_its_file_is_noted_leaves_that_to_be_read(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = make(Storing())
    disk, custody = _disk_of(exporter), exporter._guarded.guard.custody
    assert custody is not None
    parcel = custody._backlog.take_in(Encoded(("a", "b")), 0.0, 0.0, 0)
    assert parcel is not None
    exporter._guarded.guard._accounts.receive(Batch(), 2)
    real, failed = (
        disk._accounts.spool_call,
        settlement_of(
            parcel,
            Returned(Delivery(UNREACHABLE, parcel.payload)),
            0,
            is_probe=False,
            is_replay=False,
            are_others_tried=False,
        ),
    )

    def then_fails(items: int, attach: Callable[[], bool]) -> bool:
        is_attached = real(items, attach)
        custody._backlog.end_call(parcel, None)
        disk.settle(parcel, failed, 0)
        return is_attached

    monkeypatch.setattr(disk._accounts, "spool_call", then_fails)
    disk._written(Written("file", (parcel,), 2))

    assert parcel.file == "file"
    assert "file" not in disk._replay._in_hand, "nobody would ever read it"


def test_the_end_waits_for_who_takes_an_order_up_but_not_for_long(make: Make) -> None:
    disk = _disk_of(make(Storing()))
    until(disk._run.claim)

    disk.stop()

    assert disk._run.claim(), "it was given up for lost"


def test_a_disk_that_hangs_already_is_said_at_a_strict_start(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = _disk_of(make(Storing()))
    until(lambda: not disk._run.is_busy)

    def hangs(*_: Any, **__: Any) -> None:
        raise DiskHangs("the disk has hung for 7 s")

    monkeypatch.setattr(disk_run, "start_job", hangs)

    assert "the disk has hung for 7 s" in (disk.open() or "")


def test_an_order_that_ends_before_anybody_waits_is_not_waited_for(tmp_path: Path) -> None:
    class Ended:
        asked = 0

        @property
        def is_done(self) -> bool:
            self.asked += 1
            return self.asked > 1

    spool = Spool(str(tmp_path), "shop", "spans", "one", limit=1 << 20, keep_newest=True)
    run, job = DiskRun(_work(spool), lambda before: None, lambda order, found: None), Ended()
    run._job = job  # type: ignore[assignment]

    run.wait(60.0)

    assert job.asked == 2


def test_where_nobody_may_switch_the_thread_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "must_not_wait", lambda: True)
    parker = change._place_to_wait()

    parker.unpark()

    parker.park(20.0)  # comes back


def test_what_grew_too_old_since_the_last_tidying_is_not_sent(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path), "shop", "spans", "one", limit=1 << 20, keep_newest=True)
    work = _work(spool)
    now = time.monotonic()

    def parcel(name: str, ago: float) -> Parcel:
        return Parcel(Encoded((name,)), 1, now - ago, time.time() - ago, 0)

    work.carry_out(Order(write=(parcel("young", 0.0),)), lambda: False)
    work.carry_out(Order(write=(parcel("old", 100.0),)), lambda: False)

    found = work.carry_out(Order(read=Reading.OLDEST), lambda: False)

    assert [(gone.items, gone.reason) for gone in found.dropped] == [(1, "expired")]
    assert found.read is not None
    assert found.read.payload == Encoded(("young",), item_size=10)
    spool.close()


def test_what_another_has_removed_for_its_age_is_counted_by_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(str(tmp_path), "shop", "spans", "one", limit=1 << 20, keep_newest=True)
    work, now = _work(spool), time.monotonic()
    work.carry_out(Order(write=(Parcel(Encoded(("young",)), 1, now, 0.0, 0),)), lambda: False)
    work.carry_out(Order(write=(Parcel(Encoded(("old",)), 1, now - 100, 0.0, 0),)), lambda: False)
    monkeypatch.setattr(spool, "remove", lambda name: False)

    found = work.carry_out(Order(read=Reading.OLDEST), lambda: False)

    assert found.dropped == []
    spool.close()


def test_what_is_open_can_be_used(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path), "shop", "spans", "one", limit=1 << 20, keep_newest=True)
    spool.open()

    spool.check()

    spool.close()


def test_what_goes_from_the_disk_with_the_circuit_closed_is_counted(make: Make) -> None:
    exporter = make(Storing())

    custody = exporter._guarded.guard.custody
    assert custody is not None
    custody._kept_accounts.recover_dropped(3, Loss.EXPIRED, "too old")

    assert (exporter.health().recovered, exporter.health().dropped) == (3, 3)


def test_who_counts_the_files_reports_them(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bound, "FRESH", 0.0)  # they are counted at each turn
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    exporter = make(Storing(default=UNREACHABLE), failure_threshold=1)
    observe(exporter, provider)

    exporter.export(batch("a"))
    until(lambda: exporter.health().disk_files == 1)

    assert [point.value for point in points(reader, "breaker_exporter.spool.files")] == [1]
    assert [point.value > 0 for point in points(reader, "breaker_exporter.spool.bytes")] == [True]
    provider.shutdown()
