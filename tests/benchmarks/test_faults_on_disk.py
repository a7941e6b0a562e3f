"""Faults of the disk in `make faults`: each is what it says, and a cell with it is judged by ids of spans."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider

from benchmarks.faults.cell import Event
from benchmarks.faults.disk.contents import Contents, contents, write_batches
from benchmarks.faults.disk.directory import Directory, Linked, NeverThere, Replaced, SomebodyElses, Vanishing
from benchmarks.faults.disk.fuse import FailsInKernel, HangsInKernel
from benchmarks.faults.disk.journal import VARIABLE, Ended, Journal, ended_spans
from benchmarks.faults.disk.judge import broken_on_disk
from benchmarks.faults.disk.left import Littered
from benchmarks.faults.disk.lost import ANSWER, QUEUE, WRITTEN_WITHIN, lost_of
from benchmarks.faults.disk.mounted import Full, ReadOnly
from benchmarks.faults.disk.rows import DISK_ROWS
from benchmarks.faults.disk.spoilt import ClockForth, Failing, Hanging, QuotaUsedUp, ReadOnlyNow
from benchmarks.faults.observations import NONE, OURS, Observations, Service
from benchmarks.faults.plan import cells
from breaker_exporter._spool.spool import CannotUse, Spool
from breaker_exporter._spool.stamp import Stamp

WRITE = """
import os, sys, time
try:
    os.close(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT))
    print(0, time.time())
except OSError as error:
    print(error.errno, time.time())
"""


def in_process(disk: Directory) -> tuple[int, float]:
    """The error of a process of the service that makes a file there (0: none), and its wall clock."""
    command = [sys.executable, "-c", WRITE, str(disk.kept / "file")]
    done = subprocess.run(
        command,
        env={**os.environ, **disk.environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    error, clock = done.stdout.split()
    return int(error), float(clock)


def cannot_use(disk: Directory) -> str:
    """The reason why a spool cannot be made there."""
    spool = Spool(str(disk.kept), "shop", "spans", "collector", limit=1 << 20, keep_newest=True)
    with pytest.raises(CannotUse) as cannot:
        spool.open()
    return str(cannot.value)


def test_what_was_written_is_found_with_its_ids(tmp_path: Path) -> None:
    ids = write_batches(tmp_path / "kept", 3)

    found = contents([tmp_path, tmp_path / "absent"])

    assert (found.files, sorted(found.ids), found.damaged) == (3, sorted(ids), 0)


@pytest.mark.parametrize("kind", [NeverThere, SomebodyElses, Linked, ReadOnly])
def test_a_directory_that_cannot_be_used(kind: type[Directory], tmp_path: Path) -> None:
    if not kind.can_be():
        pytest.skip(kind.needs or "")
    with kind(tmp_path / "disk") as disk:
        disk.spoil()
        disk.mend()

        assert kind.warnings[0] in f"in memory alone: {cannot_use(disk)}"


def test_a_directory_that_vanishes_leaves_its_files_where_they_are_found(tmp_path: Path) -> None:
    with Vanishing(tmp_path / "disk") as disk:
        ids = write_batches(disk.kept, 2)
        disk.spoil()

        assert Vanishing.warnings[0] in cannot_use(disk)
        assert sorted(disk.contents().ids) == sorted(ids)


def test_a_directory_that_is_replaced_can_be_made_again(tmp_path: Path) -> None:
    with Replaced(tmp_path / "disk") as disk:
        ids = write_batches(disk.kept, 2)
        disk.spoil()
        ids += write_batches(disk.kept, 1)

        assert sorted(disk.contents().ids) == sorted(ids)


def test_a_full_disk_takes_a_little(tmp_path: Path) -> None:
    if not Full.can_be():
        pytest.skip(Full.needs or "")
    with Full(tmp_path / "disk") as disk, pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        (disk.kept / "file").write_bytes(b"x" * 100_000)
    assert list(disk.kept.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "error"),
    [(Failing, errno.EIO), (ReadOnlyNow, errno.EROFS), (QuotaUsedUp, errno.EDQUOT)],
)
def test_a_disk_that_fails_fails_from_then_on(kind: type[Directory], error: int, tmp_path: Path) -> None:
    if not kind.can_be():
        pytest.skip(kind.needs or "")
    with kind(tmp_path / "disk") as disk:
        disk.kept.mkdir()
        before, _ = in_process(disk)
        disk.spoil()

        assert (before, in_process(disk)[0]) == (0, error)


def test_a_disk_that_hangs_ends_no_call_until_it_is_undone(tmp_path: Path) -> None:
    if not Hanging.can_be():
        pytest.skip(Hanging.needs or "")
    with Hanging(tmp_path / "disk") as disk:
        disk.kept.mkdir()
        disk.spoil()
        command = [sys.executable, "-c", WRITE, str(disk.kept / "file")]
        process = subprocess.Popen(
            command, env={**os.environ, **disk.environment}, stdout=subprocess.PIPE, text=True
        )
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)
    said, _ = process.communicate(timeout=30)

    assert said.startswith("0 ")


@pytest.mark.parametrize(("kind", "is_over"), [(FailsInKernel, True), (HangsInKernel, False)])
def test_a_file_system_of_the_kernels_own(kind: type[Directory], is_over: bool, tmp_path: Path) -> None:
    """K13: a process that waits for it can be killed."""
    if not kind.can_be():
        pytest.skip(kind.needs or "")
    with kind(tmp_path / "disk") as disk:
        process = subprocess.Popen(["ls", disk.kept], stderr=subprocess.PIPE, text=True)
        if is_over:
            _, complaints = process.communicate(timeout=30)
            assert os.strerror(errno.EIO) in complaints
        else:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.2)
            process.kill()
            process.communicate(timeout=30)
    assert list(disk.kept.iterdir()) == []


def test_the_clock_is_set_and_set_back(tmp_path: Path) -> None:
    if not ClockForth.can_be():
        pytest.skip(ClockForth.needs or "")
    with ClockForth(tmp_path / "disk") as disk:
        disk.kept.mkdir()
        disk.spoil()
        forth = in_process(disk)[1]
        disk.mend()
        back = in_process(disk)[1]

    assert 86_300 < forth - back < 86_400


def test_files_that_must_be_left_alone_and_set_aside(tmp_path: Path) -> None:
    with Littered(tmp_path / "disk") as disk:
        assert disk.files_before == disk.files()
        assert sorted(disk.contents().ids) == sorted(disk.ids_before)
        assert disk.broken() == ["0 damaged files were set aside, not 2"]
        spool = Spool(str(disk.kept), "shop", "spans", "collector", limit=1 << 20, keep_newest=True)
        spool.open()
        for name in spool.names(lambda: None):
            spool.read(name)
        spool.close()
        assert disk.broken() == []

        disk.left[0].unlink()
        assert disk.broken() == [f"{disk.left[0].name} was removed"]


def test_the_lease_is_found_with_its_holder(tmp_path: Path) -> None:
    with Directory(tmp_path / "disk") as disk:
        spool = Spool(str(disk.kept), "shop", "spans", "collector", limit=1 << 20, keep_newest=True)
        spool.open()
        assert disk.lease_holder() is None

        assert spool.try_lease()
        assert disk.lease_holder() == os.getpid()
        spool.close()


def test_the_journal_has_each_span_of_a_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    provider = TracerProvider()
    provider.add_span_processor(Journal())
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("request"):
        with tracer.start_as_current_span("query"):
            pass
        assert ended_spans(tmp_path) == {}

    ended = ended_spans(tmp_path)

    assert [(len(span_id), span.pid) for span_id, span in ended.items()] == [(16, os.getpid())] * 2


def test_a_killed_worker_may_lose_the_last_moments_and_nothing_else() -> None:
    window = QUEUE + ANSWER + WRITTEN_WITHIN
    ended = {"old": Ended(1, 90.0), "new": Ended(1, 100.0 - window), "another's": Ended(2, 100.0)}

    assert lost_of(ended, ended, {1: 100.0}) == {"old", "another's"}


def test_faults_of_the_disk_are_measured_in_columns_with_a_disk() -> None:
    planned = [cell for cell in cells() if cell.column.on_disk]

    assert {cell.row.name for cell in planned if cell.row.disk} == {row.name for row in DISK_ROWS}
    assert all(cell.disk is not None for cell in planned)
    assert all(cell.disk is None and cell.row.disk is None for cell in cells() if not cell.column.on_disk)
    assert not [cell for cell in planned if "clock" in cell.row.name and cell.column.protocol == "grpc"]


def held(row: str = "disk EIO") -> Observations:
    """A cell in which all was right: one span was delivered, one lies on disk, one is there from before."""
    (cell,) = cells([row], ["gevent HTTP, on disk"])
    health = {"received": 2, "exported": 1, "failed": 0, "refused": 0, "dropped": 0}
    last = {"started": 2, "health": {**health, "spooled": 1, "recovered": 0}, "pid": 1}
    assert cell.disk is not None
    said = "\n".join(f"[WARNING] {words}" for words in cell.disk.warnings)
    return Observations(
        cell,
        {OURS: Service(lasts=[last], output=said, frozen=[1]), NONE: Service()},
        taken=frozenset({"a"}),
        ended={"a": Ended(1, 1.0), "b": Ended(1, 2.0)},
        left=Contents(2, ("b", "c"), 0),
        lay_there=frozenset({"c"}),
    )


@pytest.mark.parametrize("row", [row.name for row in DISK_ROWS])
def test_a_cell_that_kept_all_promises_has_none_broken(row: str) -> None:
    assert broken_on_disk(held(row)) == []


def lost(raw: Observations) -> None:
    raw.ended = {**raw.ended, "d": Ended(1, 3.0)}


def gone(raw: Observations) -> None:
    raw.left = Contents(1, ("b",), 0)


def counted(raw: Observations) -> None:
    raw.services[OURS].lasts[0]["started"] = 3


def unknown(raw: Observations) -> None:
    raw.left = Contents(3, ("b", "c", "a"), 0)


def early(raw: Observations) -> None:
    raw.files_while_healthy = 2


def unsaid(raw: Observations) -> None:
    raw.services[OURS].output = ""


def said_twice(raw: Observations) -> None:
    raw.services[OURS].output *= 2


def littered(raw: Observations) -> None:
    raw.littered = ("x was removed",)


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lost, ["1 spans were lost", "1 spans were lost, and 0 count as lost"]),
        (
            gone,
            ["1 spans that lay there before were lost", "1 spans count as on disk, and 0 lie there"],
        ),
        (counted, ["1 spans count as lost"]),
        (unknown, ["1 spans count as on disk, and 2 lie there"]),
        (early, ["2 files were written while all was well"]),
        (unsaid, ["'in memory alone' was said 0 times"]),
        (said_twice, ["'in memory alone' was said 2 times"]),
        (littered, ["x was removed"]),
    ],
)
def test_each_broken_promise_is_named(break_it: Callable[[Observations], None], words: list[str]) -> None:
    raw = held()
    break_it(raw)

    assert broken_on_disk(raw) == words


def test_a_worker_is_stopped_only_while_it_holds_the_lease() -> None:
    raw = held(Event.FREEZE.value)
    raw.services[OURS].frozen = []

    assert broken_on_disk(raw) == ["nobody held the lease"]


def test_a_write_that_was_given_up_may_lie_there_all_the_same() -> None:
    raw = held("disk hangs")
    unknown(raw)

    assert broken_on_disk(raw) == []


def test_a_service_that_ends_in_the_outage_without_a_disk_loses_spans_and_counts_them() -> None:
    raw = held("SIGTERM, disk hangs")
    lost(raw)
    counted(raw)
    unsaid(raw)

    assert broken_on_disk(raw) == []

    raw.services[OURS].lasts[0]["started"] = 2
    assert broken_on_disk(raw) == ["1 spans were lost, and 0 count as lost"]


def test_a_healthy_disk_is_no_reason_for_a_warning() -> None:
    raw = held("two services")
    raw.services[OURS].output = "nothing is kept on disk now, in memory alone"

    assert broken_on_disk(raw) == ["'in memory alone' was said"]


def test_what_a_killed_worker_wrote_last_is_not_known() -> None:
    raw = held("two services")
    lost(raw)
    unknown(raw)
    raw.services[OURS].killed = {1: 3.5}

    assert broken_on_disk(raw) == []


def test_the_stamps_of_batches_are_of_now(tmp_path: Path) -> None:
    write_batches(tmp_path / "kept", 1)
    spool = Spool(str(tmp_path / "kept"), "shop", "spans", "collector", limit=1 << 20, keep_newest=True)
    spool.open()
    (name,) = spool.names(lambda: None)
    record = spool.read(name)
    spool.close()

    assert record is not None
    assert record.written.age_at(Stamp.now()) < 60
