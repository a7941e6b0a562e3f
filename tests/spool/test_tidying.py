"""What the lease's holder removes for all processes (K7): what is too old, and what the dead have left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from breaker_exporter._spool.names import BATCH, DAMAGED, UNFINISHED
from breaker_exporter._spool.record import Record
from breaker_exporter._spool.spool import Full, Removed

from ._clock import DAY, Clock
from ._files import fill, found, no_rest, put

if TYPE_CHECKING:
    from breaker_exporter._spool.spool import Spool

    from .conftest import Make


@pytest.fixture
def leased(make: Make, clock: Clock) -> Spool:
    """A spool that has the lease."""
    spool = make(now=clock)
    assert spool.try_lease()
    return spool


@pytest.mark.parametrize("set_by", [0, -DAY, DAY])
def test_what_is_too_old_is_removed_whatever_the_wall_clock_says(
    leased: Spool, clock: Clock, set_by: float
) -> None:
    old = fill(leased, 2)
    clock.advance(61)
    young = fill(leased, 1, items=7)
    clock.set_wall(set_by)

    assert leased.tidy(60, no_rest) == [Removed(5, "expired")] * 2
    assert found(leased) == young
    assert old

    clock.advance(61)
    assert leased.tidy(60, no_rest) == [Removed(7, "expired")]
    assert not leased.has_any()


def test_after_a_boot_the_wall_clock_says_what_is_too_old(leased: Spool, clock: Clock) -> None:
    fill(leased, 1)
    clock.reboot()

    assert leased.tidy(60, no_rest) == []
    clock.set_wall(DAY)
    assert leased.tidy(60, no_rest) == [Removed(5, "expired")]


def test_a_name_is_not_believed(leased: Spool, clock: Clock) -> None:
    old = clock()
    clock.advance(DAY)
    young = clock()
    said_old = put(leased, Record(3, b"payload", young, "traces").to_bytes(), old)

    assert leased.tidy(60, no_rest) == []
    assert found(leased) == [said_old]


def test_what_is_in_hand_stays(leased: Spool, clock: Clock) -> None:
    in_hand, other = fill(leased, 2)
    leased.read(in_hand)
    clock.advance(61)

    assert leased.tidy(60, no_rest) == [Removed(5, "expired")]
    assert found(leased) == [in_hand]

    leased.give_back()
    assert leased.try_lease()
    assert leased.tidy(60, no_rest) == [Removed(5, "expired")]
    assert other


def test_what_is_in_hand_is_not_evicted(make: Make, clock: Clock) -> None:
    spool = make(limit=4 * 4_096, now=clock)
    names = fill(spool, 4)
    assert spool.try_lease()
    spool.read(names[0])

    names += fill(spool, 1)

    assert spool.is_leased
    assert found(spool) == [names[0], *names[2:]]
    assert spool.remove(names[0])
    assert not spool.remove(names[1])


def test_where_all_is_in_hand_nothing_makes_room(make: Make, clock: Clock) -> None:
    spool = make(limit=4 * 4_096, now=clock)
    names = fill(spool, 4)
    assert spool.try_lease()
    for name in names:
        spool.read(name)

    with pytest.raises(Full):
        fill(spool, 1)

    assert found(spool) == names


def test_what_a_dead_writer_has_left_is_removed_after_a_minute(leased: Spool, clock: Clock) -> None:
    put(leased, b"half a", clock(), UNFINISHED)
    clock.set_wall(DAY)
    assert leased.tidy(1, no_rest) == []
    clock.advance(30)
    young = put(leased, b"half a", clock(), UNFINISHED)
    clock.advance(31)

    assert leased.tidy(1, no_rest) == []

    assert found(leased, UNFINISHED) == [young]
    assert not leased.has_any()


def test_no_writer_outlives_a_boot(leased: Spool, clock: Clock) -> None:
    put(leased, b"half a", clock(), UNFINISHED)
    clock.reboot()
    clock.set_wall(-DAY)

    assert leased.tidy(1, no_rest) == []

    assert found(leased, UNFINISHED) == []


def test_damaged_files_get_no_older_than_batches(leased: Spool, clock: Clock) -> None:
    put(leased, b"damaged", clock(), DAMAGED)
    clock.advance(61)
    young = put(leased, b"damaged", clock(), DAMAGED)

    assert leased.tidy(60, no_rest) == []

    assert found(leased, DAMAGED) == [young]


def test_damaged_files_are_bounded_whoever_has_set_them_aside(leased: Spool, clock: Clock) -> None:
    damaged = [put(leased, b"damaged", clock(), DAMAGED) for _ in range(20)]

    leased.tidy(60, no_rest)

    assert found(leased, DAMAGED) == damaged[4:]


def test_damaged_batches_that_are_too_old_are_set_aside_and_not_counted(leased: Spool, clock: Clock) -> None:
    put(leased, b"damaged", clock(), BATCH)
    clock.advance(61)

    assert leased.tidy(60, no_rest) == []
    assert leased.set_aside == 1


def test_a_long_work_rests_every_hundred_files(leased: Spool, clock: Clock) -> None:
    rested = []
    fill(leased, 10)  # the sizes of all are asked for once more
    for _ in range(240):
        put(leased, Record(1, b"p", clock(), "traces").to_bytes(), clock(), BATCH)

    leased.names(lambda: rested.append("names"))
    clock.advance(61)
    leased.tidy(100, lambda: rested.append("tidy"))
    assert rested.count("names") >= 2
    assert rested.count("tidy") >= 4

    leased.tidy(60, lambda: rested.append("expire"))
    assert rested.count("expire") >= 250 / 100
    assert found(leased) == []


def test_what_was_removed_before_something_failed_is_told_later(leased: Spool, clock: Clock) -> None:
    fill(leased, 150)
    clock.advance(61)

    def fail() -> None:
        if len(found(leased)) < 150:
            raise OSError("no rest")

    with pytest.raises(OSError, match="no rest"):
        leased.tidy(60, fail)

    assert len(found(leased)) == 50
    assert leased.evicted_by_writing() == [Removed(5, "expired")] * 100


def test_eviction_rests_too(make: Make, clock: Clock) -> None:
    spool = make(limit=260 * 4_096, now=clock)
    fill(spool, 250)
    rested: list[None] = []

    spool.write(bytes(240 * 4_096), 1, clock(), lambda: rested.append(None))

    assert len(rested) >= 2 + 2 + 2
