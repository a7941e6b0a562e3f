"""Files that nobody of ours has written (K7): never waited for, never believed, left alone or set aside."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import socket
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from breaker_exporter._spool.names import BATCH, DAMAGED, UNFINISHED, FileName
from breaker_exporter._spool.record import HEADER, LARGEST
from breaker_exporter._spool.shelf import Shelf
from breaker_exporter._spool.spool import Spool
from breaker_exporter._spool.stamp import Stamp

from ..semantics._children import in_child
from ._files import ANOTHER_USER, fill, found, limited, no_rest, put, record
from ._processes import just_before

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .conftest import Make


def name_of(suffix: str = BATCH) -> str:
    return str(FileName.new(Stamp.now(), suffix))


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        here = Path.cwd()
        os.chdir(path.parent)  # the path of a socket must be short
        try:
            one.bind(path.name)
        finally:
            os.chdir(here)


def make_link(path: Path) -> None:
    target = path.with_name("target")
    target.write_bytes(record().to_bytes())
    path.symlink_to(target)


def make_open_to_others(path: Path) -> None:
    path.write_bytes(record().to_bytes())
    path.chmod(0o604)


def make_device(path: Path) -> None:
    try:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # zeros without end
    except PermissionError:
        pytest.skip("only root makes devices")


def make_somebody_elses(path: Path) -> None:
    path.write_bytes(record().to_bytes())
    path.chmod(0o600)
    try:
        os.chown(path, ANOTHER_USER, ANOTHER_USER)
    except PermissionError:
        pytest.skip("only root gives files away")


@pytest.mark.parametrize(
    "make_it",
    [os.mkfifo, os.mkdir, make_socket, make_link, make_device, make_open_to_others, make_somebody_elses],
)
def test_what_is_no_file_of_ours_is_left_alone(spool: Spool, make_it: Callable[[Path], None]) -> None:
    hostile = Path(spool.path, name_of())
    make_it(hostile)
    (good,) = fill(spool, 1)

    assert spool.read(hostile.name) is None
    assert spool.read(good) is not None
    assert spool.names(no_rest) == [good]
    assert spool.try_lease()
    assert len(spool.tidy(-1, no_rest)) == 0
    assert spool.remove(good)
    assert not spool.has_any()
    assert os.path.lexists(hostile)
    assert spool.set_aside == 0


@pytest.mark.parametrize(
    "name", ["README", "a\nb.batch", ".hidden", "..batch", "-rf", "\udcff.batch", "{name}\n", "x{name}"]
)
def test_unknown_names_are_left_alone(spool: Spool, name: str) -> None:
    name = name.replace("{name}", name_of())
    Path(spool.path, name).write_bytes(record().to_bytes())
    assert spool.try_lease()

    assert not spool.has_any()
    assert spool.names(no_rest) == []
    assert spool.tidy(-1, no_rest) == []
    assert Path(spool.path, name).exists()


def test_newer_versions_are_left_alone_and_not_offered_again(spool: Spool) -> None:
    newer = put(spool, b"BRKSPOOL\0\2whatever")
    assert spool.try_lease()
    assert spool.names(no_rest) == [newer]

    assert spool.read(newer) is None

    assert not spool.has_any()
    assert spool.names(no_rest) == []
    assert spool.tidy(-1, no_rest) == []
    assert found(spool) == [newer]
    assert spool.set_aside == 0


def test_who_looks_past_many_files_that_are_left_alone_rests(spool: Spool) -> None:
    for _ in range(150):
        spool.read(put(spool, b"BRKSPOOL\0\2whatever"))
    rested: list[None] = []

    assert not spool.has_any(lambda: rested.append(None))

    assert rested


def test_the_name_of_a_file_that_is_gone_is_forgotten(spool: Spool) -> None:
    newer = put(spool, b"BRKSPOOL\0\2whatever")
    spool.read(newer)
    assert spool.remove(newer)
    assert spool.names(no_rest) == []

    (name,) = fill(spool, 1)
    Path(spool.path, name).rename(Path(spool.path, newer))

    assert spool.names(no_rest) == [newer]


def test_another_signals_batch_is_left_alone(spool: Spool) -> None:
    other = put(spool, record(signal="logs").to_bytes())

    assert spool.read(other) is None
    assert spool.names(no_rest) == []
    assert found(spool) == [other]


@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: data[:8], lambda data: data[:-1], lambda data: data + b"x"]
)
def test_damaged_files_are_set_aside(spool: Spool, damage: Callable[[bytes], bytes]) -> None:
    data = damage(record().to_bytes())
    damaged = put(spool, data)

    assert spool.read(damaged) is None

    assert spool.set_aside == 1
    assert not spool.has_any()
    assert found(spool, DAMAGED) == [damaged.replace(BATCH, DAMAGED)]
    assert Path(spool.path, found(spool, DAMAGED)[0]).read_bytes() == data


def test_a_payload_that_has_changed_is_set_aside(spool: Spool) -> None:
    whole = bytearray(record().to_bytes())
    whole[-1] ^= 1

    assert spool.read(put(spool, bytes(whole))) is None
    assert spool.set_aside == 1


def test_of_a_huge_file_not_more_than_its_header_is_read(spool: Spool) -> None:
    """Nor is it kept: what is set aside is bounded."""
    names = [put(spool, b""), put(spool, record().to_bytes())]
    for name in names:
        os.truncate(Path(spool.path, name), 1 << 40)

    for name in names:
        assert spool.read(name) is None

    assert spool.set_aside == 2
    assert os.listdir(spool.path) == ["lease"]


def test_a_file_that_promises_more_than_it_has_is_not_waited_for(spool: Spool) -> None:
    header = record(bytes(100)).to_bytes()[:HEADER]

    assert spool.read(put(spool, header)) is None
    assert spool.set_aside == 1


def test_at_most_sixteen_damaged_files_are_kept(make: Make, spool: Spool) -> None:
    damaged = [put(spool, b"damaged") for _ in range(10)]
    for name in damaged:
        spool.read(name)
    other = make()  # another process
    damaged += [put(other, b"damaged") for _ in range(10)]
    for name in damaged[10:]:
        other.read(name)

    assert found(spool, DAMAGED) == [name.replace(BATCH, DAMAGED) for name in damaged[4:]]
    assert (spool.set_aside, other.set_aside) == (10, 10)
    other.close()
    assert other.set_aside == 10


def test_at_most_16_mib_of_damaged_files_are_kept(spool: Spool) -> None:
    damaged = [put(spool, b"") for _ in range(4)]
    for name in damaged:
        os.truncate(Path(spool.path, name), 5 << 20)
        spool.read(name)

    assert found(spool, DAMAGED) == [name.replace(BATCH, DAMAGED) for name in damaged[1:]]


def test_a_batch_that_is_gone_is_nothing(spool: Spool) -> None:
    (name,) = fill(spool, 1)
    Path(spool.path, name).unlink()

    assert spool.read(name) is None
    assert not spool.remove(name)


def test_a_damaged_file_that_is_gone_is_not_set_aside(spool: Spool) -> None:
    name = put(spool, b"damaged")

    def check() -> None:
        just_before("os.rename", Path(spool.path, name).unlink)
        spool._opened = None
        spool.open()
        assert spool.read(name) is None
        assert spool.set_aside == 0

    in_child(check)


def test_a_file_that_is_swapped_while_it_is_opened_is_not_read(spool: Spool) -> None:
    (name,) = fill(spool, 1)
    path = Path(spool.path, name)

    def check() -> None:
        spool.open()
        make_open_to_others(path.with_name("other"))
        just_before("open", lambda: path.with_name("other").rename(path))
        assert spool.read(name) is None
        assert spool.names(no_rest) == []

    in_child(check)


@pytest.fixture
def as_user() -> Iterator[Path]:
    """A directory that a user without rights owns."""
    folder = Path(tempfile.mkdtemp())
    if os.geteuid() == 0:
        os.chown(folder, ANOTHER_USER, ANOTHER_USER)
    yield folder
    shutil.rmtree(folder)


def test_a_file_that_we_may_not_read_is_left_alone(as_user: Path) -> None:
    def check() -> None:
        if os.geteuid() == 0:
            os.setuid(ANOTHER_USER)
        spool = Spool(str(as_user), "shop", "traces", "collector", limit=1 << 20, keep_newest=True)
        spool.open()
        name, other = fill(spool, 2)
        Path(spool.path, name).chmod(0)
        assert spool.read(name) is None
        assert spool.names(no_rest) == [other]

    in_child(check)


def test_what_the_disk_cannot_read_comes_last(spool: Spool) -> None:
    first, second = fill(spool, 2)
    lowest = os.dup(0)
    os.close(lowest)
    with (
        limited(resource.RLIMIT_NOFILE, lowest),
        pytest.raises(OSError, match=os.strerror(errno.EMFILE)),
    ):
        spool.read(first)

    assert spool.names(no_rest) == [second, first]
    assert spool.read(first) is not None


def test_an_error_of_the_disk_while_it_is_read_is_raised() -> None:
    """Linux has a file of ours that cannot be read from its beginning."""
    folder = os.open("/proc/self", os.O_RDONLY)
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            Shelf(folder, "traces", Stamp.now).read("mem")
    finally:
        os.close(folder)


def test_a_write_that_fails_leaves_nothing(spool: Spool) -> None:
    def check() -> None:
        spool.open()
        with (
            limited(resource.RLIMIT_FSIZE, 5_000),
            pytest.raises(OSError, match=os.strerror(errno.EFBIG)),
        ):
            fill(spool, 1, payload=bytes(10_000))

    in_child(check)

    assert os.listdir(spool.path) == ["lease"]


def test_a_writer_that_was_stopped_for_too_long_is_told_so(spool: Spool) -> None:
    """Somebody has removed its file as that of a dead one."""

    def check() -> None:
        spool.open()

        def tidy() -> None:
            for name in found(spool, UNFINISHED):
                Path(spool.path, name).unlink()

        just_before("os.rename", tidy)
        with pytest.raises(FileNotFoundError):
            fill(spool, 1)

    in_child(check)

    assert not spool.has_any()


def test_a_batch_that_nobody_could_read_is_not_written(spool: Spool) -> None:
    with pytest.raises(Exception, match=f"may have {LARGEST} bytes"):
        fill(spool, 1, payload=bytes(LARGEST + 1))
