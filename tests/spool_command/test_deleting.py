"""``--delete``: what was asked for is gone from the disk, and nothing else."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from breaker_exporter._spool.lease import LeaseFile
from breaker_exporter._spool.names import DAMAGED, UNFINISHED
from breaker_exporter._spool.spool import Spool
from breaker_exporter._spool.stamp import Stamp

from ..spool._files import found, put
from ._kept import keep, run

if TYPE_CHECKING:
    pass

Capture = pytest.CaptureFixture[str]
DAY = 86_400


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.rglob("*") if path.is_file() and path.name != "lease")


def test_all_of_it_goes_also_what_is_damaged_or_was_never_finished(capsys: Capture, directory: Path) -> None:
    spool = keep(directory, 3)
    keep(directory, 1, service="cart")
    now = Stamp.now()
    long_ago = Stamp(bytes(16), 0, now.unix - 120 * 10**9)
    put(spool, b"damaged", suffix=DAMAGED)
    put(spool, b"damaged, and nobody has looked yet")
    put(spool, b"of a writer that is dead", long_ago, suffix=UNFINISHED)

    ran = run(capsys, directory, "--delete")

    assert (ran.status, ran.err) == (0, "")
    assert ran.out == f"deleted: 16 items in 4 files\nnothing lies in {directory}\n"
    assert files(directory) == []


def test_what_was_never_finished_goes_also_where_nothing_else_is_left(
    capsys: Capture, directory: Path
) -> None:
    spool = keep(directory, 0)
    long_ago = Stamp(bytes(16), 0, Stamp.now().unix - 120 * 10**9)
    put(spool, b"of a writer that is dead", long_ago, suffix=UNFINISHED)
    assert run(capsys, directory).status == 0  # nothing that could be sent

    assert run(capsys, directory, "--delete").status == 0
    assert files(directory) == []


def test_only_what_is_old_goes_where_that_is_asked_for(capsys: Capture, directory: Path) -> None:
    spool = keep(directory, 2, age=3 * DAY)
    put(spool, b"damaged", suffix=DAMAGED)
    (young,) = set(found(keep(directory, 1, age=DAY))) - set(found(spool)[:2])

    ran = run(capsys, directory, "--delete", "--older-than", "2d")

    assert ran.status == 0  # done: what is younger was not asked for
    assert "deleted: 8 items in 2 files\n" in ran.out
    assert found(spool) == [young]
    assert len(found(spool, DAMAGED)) == 1
    assert run(capsys, directory, "--delete", "--older-than", "12h").status == 0
    assert found(spool) == []


def test_only_the_service_that_was_chosen_goes(capsys: Capture, directory: Path) -> None:
    spool = keep(directory)
    keep(directory, service="cart")

    assert run(capsys, directory, "--delete", "--service", "cart").status == 0
    assert len(found(spool)) == 3
    assert len(files(directory)) == 3


def test_what_a_newer_version_has_written_stays(capsys: Capture, directory: Path) -> None:
    spool = keep(directory)
    name = put(spool, b"BRKSPOOL\0\2of a newer version")

    ran = run(capsys, directory, "--delete", "--older-than", "0s")

    assert ran.status == 1
    assert "1 file left alone, of a newer version" in ran.out
    assert found(spool) == [name]


def test_a_folder_that_vanishes_meanwhile_is_done(
    capsys: Capture, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = keep(directory)
    opened = Spool.open

    def vanishing(self: Spool) -> None:
        opened(self)
        shutil.rmtree(spool.path)

    monkeypatch.setattr(Spool, "open", vanishing)
    ran = run(capsys, directory, "--delete")

    assert (ran.status, ran.err) == (0, "")


def test_a_file_system_that_cannot_lock_is_unusable(
    capsys: Capture, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = keep(directory)

    def without_locks(*arguments: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(LeaseFile, "claim", without_locks)
    ran = run(capsys, directory, "--delete")

    assert ran.status == 2
    assert ran.err == f"'{spool.path}' cannot be used: No locks available\n"
    assert len(found(spool)) == 3
