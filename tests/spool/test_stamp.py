"""The age of a batch (K7): by the boot's clock within a boot, else by the wall clock."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from breaker_exporter._spool.stamp import NO_BOOT, Stamp, boot_id

from ._clock import DAY, Clock

if TYPE_CHECKING:
    from pathlib import Path


def test_time_passes() -> None:
    earlier = Stamp.now()

    assert 0 <= earlier.age_at(Stamp.now()) < 60
    assert len(earlier.boot) == 16


@pytest.mark.parametrize("seconds", [-DAY, DAY])
def test_within_a_boot_a_wall_clock_that_is_set_changes_no_age(clock: Clock, seconds: float) -> None:
    written = clock()
    clock.advance(10)
    clock.set_wall(seconds)

    assert written.age_at(clock()) == pytest.approx(10, abs=0.001)


def test_after_a_boot_the_wall_clock_counts(clock: Clock) -> None:
    written = clock()
    clock.reboot()
    clock.set_wall(100)

    assert written.age_at(clock()) == pytest.approx(130, abs=0.001)


def test_what_is_from_the_future_is_from_now(clock: Clock) -> None:
    now = clock()
    clock.advance(5)
    later = clock()
    clock.reboot()

    assert later.age_at(now) == 0
    assert clock().age_at(now) == 0


def test_where_a_system_does_not_tell_its_boots_apart_the_wall_clock_counts(clock: Clock) -> None:
    written = replace(clock(), boot=NO_BOOT)
    clock.set_wall(7)

    assert written.age_at(replace(clock(), boot=NO_BOOT)) == pytest.approx(7, abs=0.001)


def test_the_id_of_a_boot_is_what_the_system_says(tmp_path: Path) -> None:
    file = tmp_path / "boot_id"
    file.write_text("01020304-0506-0708-090a-0b0c0d0e0f10\n")

    assert boot_id(file) == bytes(range(1, 17))


@pytest.mark.parametrize("text", ["", "no id", "0102"])
def test_no_id_is_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "boot_id"
    file.write_text(text)

    assert boot_id(file) == NO_BOOT
    assert boot_id(tmp_path / "missing") == NO_BOOT
