"""The bound over all processes of a host and all spools of a service (K7)."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from breaker_exporter._spool.figure import Figure
from breaker_exporter._spool.files import write_new
from breaker_exporter._spool.space import refusal
from breaker_exporter._spool.spool import Full, Removed, Spool
from breaker_exporter._spool.stamp import Stamp

from ..semantics._children import in_child
from ._clock import DAY, Clock
from ._files import fill, found, limited, no_rest
from ._processes import just_before

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Make

BLOCK = 4_096
"""Bytes that each of these batches takes."""


def test_the_oldest_batches_make_room_for_new_ones(make: Make) -> None:
    spool = make(limit=20 * BLOCK)

    names = fill(spool, 20)
    assert found(spool) == names
    names += fill(spool, 1)

    assert found(spool) == names[1:]
    assert spool.evicted_by_writing() == [Removed(5, "evicted")]
    assert spool.evicted_by_writing() == []
    assert not spool.is_leased


def test_the_oldest_batches_stay_where_they_are_wanted(make: Make) -> None:
    spool = make(limit=20 * BLOCK, keep_newest=False)
    names = fill(spool, 20)

    with pytest.raises(Full, match=f"{20 * BLOCK} of {20 * BLOCK} bytes are used"):
        fill(spool, 1)
    assert spool.try_lease()
    assert spool.tidy(60, no_rest) == []

    assert found(spool) == names


@pytest.mark.parametrize("keep_newest", [True, False])
def test_what_was_removed_makes_room(make: Make, keep_newest: bool) -> None:
    spool = make(limit=4 * BLOCK, keep_newest=keep_newest)
    names = fill(spool, 4)

    assert spool.remove(names[0])
    names += fill(spool, 1)

    assert found(spool) == names[1:]


def test_a_batch_that_is_larger_than_the_bound_evicts_nothing(make: Make) -> None:
    spool = make(limit=4 * BLOCK)
    names = fill(spool, 3)

    with pytest.raises(Full, match=f"larger than the bound of {4 * BLOCK}"):
        fill(spool, 1, payload=bytes(4 * BLOCK))

    assert found(spool) == names


def test_tidying_leaves_a_twentieth_to_others(make: Make) -> None:
    spool = make(limit=20 * BLOCK)
    names = fill(spool, 20)
    assert spool.try_lease()

    assert spool.tidy(60, no_rest) == [Removed(5, "evicted")]
    assert spool.tidy(60, no_rest) == []

    assert found(spool) == names[1:]


def test_more_room_than_the_usual_is_made_for_a_large_batch(make: Make) -> None:
    spool = make(limit=20 * BLOCK)
    fill(spool, 20)

    name = spool.write(bytes(9 * BLOCK), 1, Stamp.now())

    assert len(found(spool)) == 11
    assert name in found(spool)


def test_one_process_sees_what_another_has_written_after_ten_seconds(make: Make, clock: Clock) -> None:
    first, second = make(limit=10 * BLOCK, now=clock), make(limit=10 * BLOCK, now=clock)
    fill(first, 1)
    fill(second, 9)

    fill(first, 5)
    assert len(found(first)) == 15

    clock.advance(10)
    fill(first, 1)
    assert len(found(first)) == 10 * 95 // 100 + 1


def test_who_tidies_counts_for_all(make: Make, clock: Clock) -> None:
    first, second = make(limit=10 * BLOCK, now=clock), make(limit=10 * BLOCK, now=clock)
    fill(first, 1)
    fill(second, 8)
    assert second.try_lease()
    assert not first.needs_tidying()
    clock.advance(5.1)
    assert first.needs_tidying()

    second.tidy(60, no_rest)

    assert not first.needs_tidying()
    fill(first, 1)
    with pytest.raises(Full):  # the lease is the other's
        fill(first, 1)


def test_where_the_holder_has_been_stopped_a_writer_counts_by_itself_and_evicts_nothing(
    make: Make, clock: Clock
) -> None:
    stopped, writer = make(limit=10 * BLOCK, now=clock), make(limit=10 * BLOCK, now=clock)
    assert stopped.try_lease()
    names = fill(writer, 10)

    for _ in range(2):
        with pytest.raises(Full):
            fill(writer, 1)
        clock.advance(11)
    assert found(writer) == names

    stopped.give_back()
    names += fill(writer, 1)
    assert found(writer) == names[1:]


def test_a_writer_counts_by_itself_once_in_ten_seconds(make: Make, clock: Clock) -> None:
    stopped, writer = make(limit=10 * BLOCK, now=clock), make(limit=10 * BLOCK, now=clock)
    assert stopped.try_lease()
    names = fill(stopped, 9)
    clock.advance(11)
    fill(writer, 1)
    with pytest.raises(Full):
        fill(writer, 1)

    for name in names:
        stopped.remove(name)
    with pytest.raises(Full):
        fill(writer, 1)
    clock.advance(11)
    fill(writer, 9)


def test_a_count_from_before_a_boot_is_none(make: Make, clock: Clock) -> None:
    """Also where the wall clock says that it is still to come."""
    first = make(limit=10 * BLOCK, now=clock)
    fill(first, 1)
    fill(make(limit=10 * BLOCK, now=clock), 9)
    first.close()
    clock.reboot()
    clock.set_wall(-DAY)

    second = make(limit=10 * BLOCK, now=clock)
    assert second.needs_tidying()
    fill(second, 1)

    assert len(found(second)) == 10


def test_half_a_count_is_none(make: Make, clock: Clock) -> None:
    spool = make(limit=10 * BLOCK, now=clock)
    Path(spool.path, "lease").write_bytes(Figure(10**9, clock()).to_bytes()[:-1] + b"\0")

    fill(spool, 1)

    assert Figure.parsed(Path(spool.path, "lease").read_bytes()) is not None


def test_all_spools_of_a_service_share_the_bound_and_the_fullest_makes_room(make: Make, clock: Clock) -> None:
    traces = make(limit=10 * BLOCK, now=clock)
    logs = make("logs", limit=10 * BLOCK, now=clock)
    many = fill(traces, 8)
    few = fill(logs, 2)

    for _ in range(2):
        with pytest.raises(Full):
            fill(logs, 1)
    assert (found(traces), found(logs)) == (many, few)

    assert traces.try_lease()
    assert traces.tidy(60, no_rest) == [Removed(5, "evicted")]
    with pytest.raises(Full):  # it has just seen that there was no room
        fill(logs, 1)
    clock.advance(11)
    few += fill(logs, 1)
    assert (found(traces), found(logs)) == (many[1:], few)


def test_a_spool_that_nobody_tends_to_any_more_makes_no_room_and_takes_none_away(make: Make) -> None:
    """Its exporter has another name since: what it holds is the doctor's to find."""
    forsaken, spool = make(exporter="old", limit=10 * BLOCK), make(limit=10 * BLOCK)
    old, new = fill(forsaken, 7), fill(spool, 3)
    tidied = Path(spool.path, "lease").stat().st_mtime
    os.utime(Path(forsaken.path, "lease"), (0, tidied - 3_500))
    with pytest.raises(Full):
        fill(spool, 1)

    os.utime(Path(forsaken.path, "lease"), (0, tidied - 3_700))
    another = make(limit=10 * BLOCK)
    new += fill(another, 1)

    assert (found(forsaken), found(spool)) == (old, new[1:])


def test_the_bound_is_each_services_own(make: Make) -> None:
    for service in ("shop", "checkout"):
        fill(make(service=service, limit=10 * BLOCK, keep_newest=False), 10)


def test_what_else_lies_beside_the_spools_does_not_count(make: Make, tmp_path: Path) -> None:
    spool = make(limit=10 * BLOCK, keep_newest=False)
    service = Path(spool.path).parent
    (service / "file").write_bytes(bytes(10 * BLOCK))
    (service / "link").symlink_to(tmp_path)
    (service / "other").mkdir()
    (service / "other" / "file").write_bytes(bytes(10 * BLOCK))

    fill(spool, 10)


def test_a_folder_that_vanishes_while_all_are_counted_counts_nothing(make: Make) -> None:
    spool, other = make(limit=10 * BLOCK), make("logs")

    def check() -> None:
        own = make(limit=10 * BLOCK)
        moved = Path(other.path).with_name("moved")
        just_before("open", lambda: Path(other.path).rename(moved), Path(other.path).name)
        fill(own, 1)
        assert moved.exists()

    in_child(check)
    assert spool.has_any()


def test_a_count_that_cannot_be_written_down_stops_nothing(make: Make) -> None:
    def check() -> None:
        spool = make()
        assert spool.try_lease()
        with limited(resource.RLIMIT_FSIZE, 0):
            assert spool.tidy(60, no_rest) == []
        assert spool.needs_tidying()

    in_child(check)


def file_system(
    *, free: int, inodes: int = 0, free_inodes: int = 0, blocks: int = 1_000
) -> os.statvfs_result:
    return os.statvfs_result((BLOCK, BLOCK, blocks, free, free, inodes, free_inodes, free_inodes, 0, 255))


def test_a_twentieth_of_the_blocks_stays_free() -> None:
    assert refusal(file_system(free=51), BLOCK) is None
    assert "50 stay" not in str(refusal(file_system(free=51), 2 * BLOCK))
    assert f"{51 * BLOCK} bytes are free on its file system, of which {50 * BLOCK}" in str(
        refusal(file_system(free=51), 2 * BLOCK)
    )


def test_at_most_a_gibibyte_stays_free() -> None:
    gibibyte = (1 << 30) // BLOCK

    assert refusal(file_system(free=gibibyte + 1, blocks=10**9), BLOCK) is None
    assert refusal(file_system(free=gibibyte + 1, blocks=10**9), 2 * BLOCK) is not None


def test_a_twentieth_of_the_inodes_stays_free() -> None:
    assert refusal(file_system(free=1_000, inodes=100, free_inodes=6), BLOCK) is None
    assert "inodes" in str(refusal(file_system(free=1_000, inodes=100, free_inodes=5), BLOCK))


def test_what_the_file_system_has_no_room_for_is_not_written(make: Make) -> None:
    spool = make(limit=1 << 62)
    fill(spool, 1)

    with pytest.raises(Full, match="are free on its file system"):
        spool._bound.find_room(spool._here, 1 << 60, spool._lease_for_a_moment, no_rest)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of a mebibyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this process may mount nothing")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_on_a_small_file_system_a_twentieth_stays_free(small: Path) -> None:
    spool = Spool(str(small), "shop", "traces", "collector", limit=1 << 30, keep_newest=True)
    spool.open()
    try:
        with pytest.raises(Full, match="free on its file system"):
            fill(spool, 300)
        free = os.statvfs(small)
        assert 12 <= free.f_bavail <= 13  # of 256 blocks
        (small / "another").write_bytes(bytes(free.f_bavail * BLOCK))
        with pytest.raises(Full, match="free on its file system"):
            fill(spool, 1)
        assert spool.try_lease()
        assert len(spool.tidy(-1, no_rest)) > 200
    finally:
        spool.close()


def test_a_full_file_system_leaves_nothing_half(small: Path) -> None:
    folder = os.open(small, os.O_RDONLY)
    try:
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            write_new("file", folder, bytes(2 << 20))
        assert os.listdir(small) == []
    finally:
        os.close(folder)
