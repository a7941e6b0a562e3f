"""Orders to the disk, over real directories: in part, late, undone, and by two callers at once."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from breaker_exporter._concurrency import disk_job
from breaker_exporter._core import disk_backlog
from breaker_exporter._core.disk_health import DiskHealth
from breaker_exporter._core.disk_order import Found, Order, Reading, Removal
from breaker_exporter._core.disk_run import DiskRun
from breaker_exporter._core.disk_work import DiskWork
from breaker_exporter._core.loss import Loss
from breaker_exporter._core.parcel import Parcel
from breaker_exporter._core.payload import Delivery
from breaker_exporter._core.settlement import Settlement
from breaker_exporter._spool import bound
from breaker_exporter._spool.spool import Full, Spool

from ..retention._retaining import ANSWERED, DELIVERED, UNKNOWN, UNREACHABLE, Encoded, batch
from ..semantics._waiting import Gate, start, until
from ._storing import Storing, files, names_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from breaker_exporter import CircuitBreakerSpanExporter
    from breaker_exporter.testing import ManualClock

    from .conftest import Hang

    Make = Callable[..., CircuitBreakerSpanExporter]


def _parcel(name: str, items: int = 2, ago: float = 0.0) -> Parcel:
    return Parcel(Encoded((name,) * items), 1, time.monotonic() - ago, time.time() - ago, 0)


def _work(spool: Spool, encoder: Any = None) -> DiskWork:
    given: Any = encoder or Storing()
    return DiskWork(spool, given, max_age=60.0, longest_call=16.0)


def _never() -> bool:
    return False


def _partly(left: Encoded, accepted: int) -> Settlement:
    return Settlement(DELIVERED, DELIVERED, left, accepted, 0, Loss.REJECTED, False)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(str(tmp_path), "shop", "spans", "one", limit=1 << 20, keep_newest=True)
    yield spool
    spool.close()


@pytest.fixture
def work(spool: Spool) -> DiskWork:
    return _work(spool)


def test_an_order_that_nobody_waited_for_leaves_no_file_and_no_lease(work: DiskWork, tmp_path: Path) -> None:
    work.carry_out(Order(write=(_parcel("a"),)), _never)
    order = Order(write=(_parcel("b"),), read=Reading.OLDEST)

    found = work.carry_out(order, _never)
    assert found.read is not None
    assert found.is_leased
    work.undo(order, found)

    assert names_on(tmp_path) == ["a", "a"]
    assert not work.spool.is_leased


def test_the_lease_stays_where_a_file_is_in_hand_still(work: DiskWork) -> None:
    work.carry_out(Order(write=(_parcel("a"),)), _never)
    assert work.carry_out(Order(read=Reading.OLDEST), _never).read is not None
    order = Order(write=(_parcel("b"),), keeps_lease=True)

    work.undo(order, work.carry_out(order, _never))

    assert work.spool.is_leased


def test_what_was_removed_and_not_heard_of_is_told_the_next_time(work: DiskWork, tmp_path: Path) -> None:
    """With what is left of it, which lies there once."""
    (written,) = work.carry_out(Order(write=(_parcel("a", 3),)), _never).written
    removal = Removal(written.name, 3, _partly(Encoded(("a",)), 2), 0, time.monotonic())
    order = Order(remove=(removal,))
    work.undo(order, work.carry_out(order, _never))
    assert names_on(tmp_path) == ["a"]

    found = work.carry_out(order, _never)

    assert (found.removed, found.gone) == ([removal], [])
    assert names_on(tmp_path) == ["a"]
    assert work.carry_out(order, _never).gone == [removal]
    assert names_on(tmp_path) == ["a"]


def test_what_another_process_has_removed_is_accounted_for_by_that(work: DiskWork, tmp_path: Path) -> None:
    (written,) = work.carry_out(Order(write=(_parcel("a", 3),)), _never).written
    files(tmp_path)[0].unlink()
    removal = Removal(written.name, 3, _partly(Encoded(("a",)), 2), 0, time.monotonic())

    found = work.carry_out(Order(remove=(removal,)), _never)

    assert (found.removed, found.gone) == ([], [removal])
    assert files(tmp_path) == []


def test_a_rest_for_which_there_is_no_room_keeps_no_other_file_from_going(
    work: DiskWork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = work.carry_out(Order(write=(_parcel("a", 3),)), _never).written[0]
    second = work.carry_out(Order(write=(_parcel("b", 3),)), _never).written[0]

    def full(*_: object, **__: object) -> str:
        raise Full("no room")

    monkeypatch.setattr(Spool, "write", full)
    rest = Removal(first.name, 3, _partly(Encoded(("a",)), 2), 0, time.monotonic())
    whole = Removal(second.name, 3, None, 0, time.monotonic())

    found = work.carry_out(Order(remove=(rest, whole)), _never)

    assert (found.removed, found.is_full, found.error) == ([whole], True, None)
    assert names_on(tmp_path) == ["a"] * 3


def test_a_file_that_cannot_be_removed_leaves_no_second_one_with_the_rest(
    work: DiskWork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (written,) = work.carry_out(Order(write=(_parcel("a", 3),)), _never).written
    real = Spool.remove

    def remove(spool: Spool, name: str) -> bool:
        if name == written.name:
            raise PermissionError(1, "not permitted")
        return real(spool, name)

    monkeypatch.setattr(Spool, "remove", remove)
    removal = Removal(written.name, 3, _partly(Encoded(("a",)), 2), 0, time.monotonic())

    found = work.carry_out(Order(remove=(removal,)), _never)

    assert isinstance(found.error, PermissionError)
    assert names_on(tmp_path) == ["a"] * 3


def test_nothing_more_is_written_for_somebody_who_has_gone(work: DiskWork, tmp_path: Path) -> None:
    asked: list[bool] = []

    def gone() -> bool:
        asked.append(True)
        return len(asked) > 1

    found = work.carry_out(Order(write_calls=(_parcel("a"), _parcel("b"))), gone)

    assert len(found.written) == 1
    assert names_on(tmp_path) == ["a", "a"]


def test_a_batch_too_large_for_a_file_keeps_none_beside_it_in_memory(spool: Spool, tmp_path: Path) -> None:
    encoder = Storing()
    encoder.largest = 3
    work = _work(spool, encoder)
    large, small, smaller = _parcel("large", 4), _parcel("small", 2), _parcel("smaller", 1)

    found = work.carry_out(Order(write=(small, large, smaller)), _never)

    assert found.unwritable == [large]
    assert sorted(names_on(tmp_path)) == ["small", "small", "smaller"]


def test_a_batch_larger_than_the_bound_keeps_nothing_behind_it_in_memory(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path), "shop", "spans", "one", limit=8192, keep_newest=True)
    work = _work(spool)
    large, small = _parcel("x" * 5000, 2), _parcel("small", 600)

    found = work.carry_out(Order(write=(large, small)), _never)

    assert (found.unwritable, found.is_full) == ([large], False)
    assert names_on(tmp_path) == ["small"] * 600
    spool.close()


def test_what_was_evicted_before_an_error_is_counted_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(str(tmp_path), "shop", "spans", "one", limit=16384, keep_newest=True)
    work = _work(spool)
    for name in "abc":
        work.carry_out(Order(write=(_parcel(name),)), _never)
    dropped = 0
    for number in range(5):
        found = work.carry_out(Order(write=(_parcel(str(number)),)), _never)
        dropped += sum(removed.items for removed in found.dropped)

    assert len(names_on(tmp_path)) + dropped == 16
    assert dropped >= 8
    order = Order(write=(_parcel("last", 3),))
    found = work.carry_out(order, _never)
    dropped = sum(removed.items for removed in found.dropped)
    work.undo(order, found)
    assert sum(removed.items for removed in work.carry_out(Order(), _never).dropped) == dropped
    spool.close()


def test_what_is_too_old_is_dropped_by_whoever_has_the_lease(
    make: Make, clock: ManualClock, looks_often: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at twice in the time for which a count of the files holds."""
    monkeypatch.setattr(bound, "FRESH", 0.1)
    inner = Storing(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock, of_retention={"max_age": 0.3})
    exporter.export(batch("old", 2))
    until(lambda: exporter.health().spooled == 2)
    time.sleep(0.35)  # by the clock of the kernel
    inner.default = DELIVERED

    clock.advance(60)

    until(lambda: exporter.health().dropped == 2)
    assert exporter.health().dropped_by_reason["expired"] == 2
    assert exporter.health().recovered == 2
    assert files(tmp_path) == []
    assert inner.accepted == []


def test_where_the_disk_s_share_is_used_up_the_oldest_go_and_are_counted(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = make(Storing(default=UNREACHABLE), failure_threshold=1, of_retention={"disk": 16_384})
    for number in range(8):
        exporter.export(batch(str(number), 2))
        until(lambda: exporter.health().retained == 0)

    until(lambda: exporter.health().dropped > 0)
    health = exporter.health()
    assert health.dropped_by_reason["evicted"] == health.dropped
    assert len(names_on(tmp_path)) + health.dropped == 16
    assert "7" in names_on(tmp_path)
    assert "BREAKER_EXPORTER_RETAIN_DISK" in caplog.text


def test_files_that_another_process_has_delivered_are_forgotten(
    make: Make, clock: ManualClock, looks_often: None, tmp_path: Path
) -> None:
    inner = Storing(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock)
    for name in "abc":
        exporter.export(batch(name, 2))
        until(lambda: exporter.health().retained == 0)
    inner.default = DELIVERED
    clock.advance(60)
    until(lambda: exporter.health().exported >= 2)
    for file in files(tmp_path)[1:]:
        file.unlink()

    assert exporter.force_flush(10_000)
    custody = exporter._guarded.guard.custody
    assert custody is not None
    until(lambda: not custody._store.disk.has_files)
    assert exporter.health().recovered == exporter.health().exported


def test_two_callers_give_one_order_at_a_time(work: DiskWork) -> None:
    run = DiskRun(work, lambda before: None, lambda order, found: None)

    assert run.claim()
    assert not run.claim()
    run.wait_for_other(0.001)
    run.release()
    assert run.claim()
    assert run.take() is None
    run.wait(0)


def test_a_failed_batch_of_the_disk_keeps_no_memory(
    make: Make, clock: ManualClock, looks_often: None, tmp_path: Path
) -> None:
    """An outage of a day makes thousands of probes, each with a batch of the disk."""
    inner = Storing(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock, max_cooldown=60)
    for name in "ab":
        exporter.export(batch(name, 2))
        until(lambda: exporter.health().retained == 0)
    for _ in range(3):
        sent = len(inner.sent)
        clock.advance(60)
        until(lambda: len(inner.sent) > sent)  # noqa: B023
        until(lambda: exporter.health().retry_in == 60)
    custody = exporter._guarded.guard.custody
    assert custody is not None
    disk = custody._store.disk
    assert isinstance(disk, disk_backlog.DiskBacklog)
    until(lambda: len(disk._replay.failed) == 2)
    until(lambda: not exporter._guarded.guard.custody._backlog._in_call)  # type: ignore[union-attr]

    assert custody._backlog.size == 0
    assert all(isinstance(value, int) for past in disk._replay.failed.values() for value in past)


def test_a_probe_takes_another_file_than_the_last_one_failed_with(
    make: Make, clock: ManualClock, looks_often: None
) -> None:
    """K14."""
    inner = Storing(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock, max_cooldown=60)
    for name in "abc":
        exporter.export(batch(name))
        until(lambda: exporter.health().retained == 0)
    before = len(inner.sent)
    for _ in range(4):
        sent = len(inner.sent)
        clock.advance(60)
        until(lambda: len(inner.sent) > sent)  # noqa: B023
        until(lambda: exporter.health().retry_in == 60)

    assert inner.sent[before:] == [("c",), ("b",), ("a",), ("c",)]


def test_a_batch_at_fault_fails_though_it_lies_on_disk(
    make: Make, clock: ManualClock, looks_often: None, tmp_path: Path
) -> None:
    """K3: as the probe that alone keeps the circuit open."""
    inner = Storing(default=ANSWERED)
    exporter = make(inner, failure_threshold=1, clock=clock, max_cooldown=60)
    exporter.export(batch("poison", 2))
    until(lambda: exporter.health().retained == 0)
    until(lambda: exporter.health().spooled == 2)
    for _ in range(8):
        if exporter.health().failed:
            break
        sent = len(inner.sent)
        clock.advance(60)
        until(lambda: len(inner.sent) > sent)  # noqa: B023
        until(lambda: exporter.health().retry_in == 60 or exporter.health().failed)

    until(lambda: exporter.health().failed == 2)
    assert 5 <= len(inner.sent) <= 6
    until(lambda: files(tmp_path) == [])


def test_a_second_file_that_could_not_be_removed_is_not_sent(
    work: DiskWork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of a batch was written, and then the disk failed: the first file is still what counts."""
    whole = work.carry_out(Order(write=(_parcel("a", 3),)), _never).written[0]
    rest = Removal(whole.name, 3, _partly(Encoded(("a",)), 2), 0, time.monotonic())

    def fails(*_: object) -> bool:
        raise OSError("as told")

    with monkeypatch.context() as patch:
        patch.setattr(Spool, "remove", fails)
        assert work.carry_out(Order(remove=(rest,)), _never).error is not None
        assert len(files(tmp_path)) == 2
        read = work.carry_out(Order(read=Reading.NEWEST), _never).read
        assert read is not None
        assert read.name == whole.name

    work.carry_out(Order(), _never)

    assert [file.name for file in files(tmp_path)] == [whole.name]


def test_what_had_no_known_answer_is_counted_as_resent_from_the_disk_too(
    make: Make, clock: ManualClock, looks_often: None, tmp_path: Path, moved: ManualClock
) -> None:
    """K2."""
    gate = Gate()
    inner = Storing(default=lambda payload: gate.wait() and Delivery(UNKNOWN, payload))
    exporter = make(inner, failure_threshold=1, clock=clock)
    caller = start(lambda: exporter.export(batch("a", 3)))
    until(lambda: inner.sent)
    moved.advance(1.1)
    caller.result(20)
    until(lambda: exporter.health().spooled == 3)
    gate.open()
    until(lambda: exporter.health().state.name == "OPEN")
    inner.default = DELIVERED

    clock.advance(60)

    until(lambda: moved.advance(0.1) or exporter.health().exported == 3)  # type: ignore[func-returns-value]
    assert exporter.health().resent == 3


def test_a_success_that_comes_late_takes_its_file_away(
    make: Make, clock: ManualClock, moved: ManualClock, tmp_path: Path
) -> None:
    """K2."""
    gate = Gate()
    inner = Storing(default=lambda _: gate.wait() and DELIVERED)
    exporter = make(inner, failure_threshold=1, clock=clock, export_timeout=5.0)
    caller = start(lambda: exporter.export(batch("a", 3)))
    until(lambda: inner.sent)
    moved.advance(1.1)
    caller.result(20)
    until(lambda: exporter.health().spooled == 3)
    moved.advance(10)
    until(lambda: exporter.health().hung_calls == 1)
    assert len(files(tmp_path)) == 1

    gate.open()

    until(lambda: exporter.health().exported == 3)
    assert exporter.health().recovered == 3
    assert files(tmp_path) == []
    assert len(inner.sent) == 1


def test_work_that_ends_as_it_is_given_up_is_undone(
    make: Make, hang: Callable[[str], Hang], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Between the last look whether somebody waits and the end of the work."""
    real = DiskWork.carry_out
    gate = Gate()

    def carry_out(self: DiskWork, order: Order, is_given_up: Callable[[], bool]) -> Found:
        found = real(self, order, is_given_up)
        if order.write or order.write_calls:
            gate.wait()
        return found

    monkeypatch.setattr(DiskWork, "carry_out", carry_out)
    monkeypatch.setattr(disk_job, "LIMIT", 0.1)
    monkeypatch.setattr(disk_backlog, "_WAIT", 0.02)
    exporter = make(Storing(default=UNREACHABLE), failure_threshold=1)
    exporter.export(batch("a", 2))
    until(lambda: len(files(tmp_path)) == 1)
    custody: Any = exporter._guarded.guard.custody
    until(lambda: not custody._store.disk._run.is_busy)

    gate.open()

    until(lambda: files(tmp_path) == [])
    assert (exporter.health().spooled, exporter.health().retained) == (0, 2)


@pytest.mark.parametrize(
    ("answer", "kept", "there"),
    [
        (lambda payload: Delivery(UNREACHABLE, payload), 0, 3),
        (lambda payload: Delivery(DELIVERED, Encoded(payload.names[1:])), 2, 0),
        (lambda _: DELIVERED, 0, 0),
    ],
)
def test_a_call_that_ends_while_its_batch_is_written_is_accounted_for_once(
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    answer: Callable[[Encoded], object],
    kept: int,
    there: int,
) -> None:
    """The file stays where all of it is to be sent again; else it goes, and what is left is kept anew."""
    real, written, gate, call = DiskWork.carry_out, list[Order](), Gate(), Gate()

    def carry_out(self: DiskWork, order: Order, is_given_up: Callable[[], bool]) -> Found:
        found = real(self, order, is_given_up)
        if order.write_calls and not written:
            written.append(order)
            gate.wait()
        return found

    monkeypatch.setattr(DiskWork, "carry_out", carry_out)
    monkeypatch.setattr(disk_backlog, "_WRITE_AFTER", 0.05)
    inner = Storing(default=lambda payload: call.wait() and answer(payload))
    exporter = make(inner, failure_threshold=1)
    caller = start(lambda: exporter.export(batch("a", 3)))
    until(lambda: written)
    inner.default = UNREACHABLE
    call.open()
    until(lambda: exporter.health().in_flight == 0)
    health = exporter.health()
    assert health.spooled == 0
    gate.open()
    caller.result(20)

    if kept:
        until(lambda: exporter.health().spooled == kept)
        until(lambda: len(names_on(tmp_path)) == kept)
    else:
        until(lambda: len(names_on(tmp_path)) == there)
        until(lambda: exporter.health().spooled == there)
    assert exporter.health().exported == 3 - kept - there


def test_an_order_that_could_not_be_carried_out_is_an_error(work: DiskWork) -> None:
    class Raises(DiskWork):
        def carry_out(self, order: Order, is_given_up: Callable[[], bool]) -> Found:
            raise RuntimeError("no thread can be started")

    run = DiskRun(_work(work.spool), lambda before: None, lambda order, found: None)
    run._work = Raises(work.spool, work._encoder, 60.0, 16.0)
    order = Order(read=Reading.OLDEST)
    assert run.start(order) is None
    run.wait(20)

    ended = run.take()

    assert ended is not None
    assert ended[0] is order
    assert isinstance(ended[1].error, RuntimeError)
    assert run.take() is None


def test_a_network_file_system_is_one_warning(spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
    """K9."""
    health = DiskHealth("otlp", spool, 1 << 20)
    for _ in range(3):
        health.learn(Found(warning="it is on a network file system (nfs)"), 0.0)

    assert caplog.text.count("network file system") == 1


def test_a_reading_is_wanted_by_nobody_once_it_is_over(make: Make, tmp_path: Path) -> None:
    exporter = make(Storing(default=UNREACHABLE), failure_threshold=1)
    exporter.export(batch("a", 2))
    exporter.shutdown(2_000)
    custody: Any = exporter._guarded.guard.custody
    disk = custody._store.disk

    disk.want(Reading.OLDEST)

    assert not disk._replay.is_wanted
    assert disk.take_ahead() is None


@pytest.mark.parametrize(("in_order", "read"), [(False, "new"), (True, None)])
def test_what_another_process_may_be_sending_is_left_to_it(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, in_order: bool, read: str | None
) -> None:
    """What comes behind that waits where the order matters (K3)."""
    encoder: Any = Storing()
    work = DiskWork(spool, encoder, max_age=60.0, longest_call=16.0, in_order=in_order)
    pid = os.getpid()
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(os, "getpid", lambda: pid + 1)
        work.carry_out(Order(write_calls=(_parcel("in a call", ago=1.0),)), _never)
    work.carry_out(Order(write=(_parcel("new"),)), _never)

    found: Any = work.carry_out(Order(read=Reading.OLDEST), _never).read

    assert (found and found.payload.names[0]) == read
