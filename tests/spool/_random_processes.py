"""Random schedules of processes that share a spool, against a model that knows each batch.

Three live in the test's process and take turns; those that die are real ones, each killed before one of its
steps to the file system.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from breaker_exporter._spool.names import BATCH
from breaker_exporter._spool.record import Record
from breaker_exporter._spool.spool import Full, Spool

from ._clock import DAY, Clock
from ._files import no_rest
from ._processes import die_at

if TYPE_CHECKING:
    from breaker_exporter._spool.stamp import Stamp

BLOCK = 4_096
MAX_AGE = 600.0
SIZES = st.integers(1, 3 * BLOCK)
PROCESSES = st.integers(0, 2)
STEPS = st.integers(0, 40)


@dataclass(frozen=True)
class Batch:
    """A batch that was written, and neither removed, evicted nor expired."""

    payload: bytes
    items: int
    written: Stamp

    @property
    def size(self) -> int:
        return -(-len(Record(self.items, self.payload, self.written, "traces").to_bytes()) // BLOCK) * BLOCK


class ProcessesMachine(RuleBasedStateMachine):
    """Processes that write, read, remove, tidy, and die."""

    few_schedules = 12

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp()
        self.clock = Clock()
        self.there: dict[str, Batch] = {}
        self.holder: Spool | None = None
        self.in_hand: set[str] = set()
        self.payloads = 0

    @initialize(blocks=st.sampled_from([4, 12, 10_000]), keep_newest=st.booleans())
    def begin(self, blocks: int, keep_newest: bool) -> None:
        self.limit, self.keep_newest = blocks * BLOCK, keep_newest
        self.spools = [self.spool() for _ in range(3)]
        self.path = self.spools[0].path

    def spool(self) -> Spool:
        spool = Spool(
            self.folder,
            "shop/checkout",
            "traces",
            "collector",
            limit=self.limit,
            keep_newest=self.keep_newest,
            now=self.clock,
        )
        spool.open()
        return spool

    def batch(self, size: int, age: float = 0.0) -> Batch:
        self.payloads += 1
        payload = self.payloads.to_bytes(8, "big") + bytes(size)
        self.clock.advance(-age)
        written = self.clock()
        self.clock.advance(age)
        return Batch(payload, 1 + self.payloads % 7, written)

    def listed(self) -> set[str]:
        return {name for name in os.listdir(self.path) if name.endswith(BATCH)}

    def by_age(self) -> list[str]:
        now = self.clock()
        return sorted(self.there, key=lambda name: (-self.there[name].written.age_at(now), name))

    def expired(self) -> set[str]:
        now = self.clock()
        old = {name for name, batch in self.there.items() if batch.written.age_at(now) > MAX_AGE}
        return old - self.in_hand

    def gone(self) -> list[str]:
        """Names of the batches that are no longer there, oldest first."""
        left = self.listed()
        return [name for name in self.by_age() if name not in left]

    def forget(self, names: list[str] | set[str]) -> list[Batch]:
        return [self.there.pop(name) for name in names]

    def check_evicted(self, gone: list[str]) -> None:
        """They are the oldest that nobody has in hand."""
        may_go = [name for name in self.by_age() if name not in self.in_hand]
        assert gone == may_go[: len(gone)]
        assert self.keep_newest or not gone

    @rule(number=PROCESSES, size=SIZES, age=st.sampled_from([0.0, 0.0, 5.0, 500.0]))
    def write(self, number: int, size: int, age: float) -> None:
        spool, batch = self.spools[number], self.batch(size, age)
        name = None
        try:
            name = spool.write(batch.payload, batch.items, batch.written)
        except Full:
            is_alone = self.holder in (None, spool) and not self.in_hand
            assert not (self.keep_newest and is_alone) or batch.size > self.limit
        gone = self.gone()
        self.check_evicted(gone)
        evicted = self.forget(gone)
        removed = spool.evicted_by_writing()
        assert [(one.items, one.reason) for one in removed] == [(one.items, "evicted") for one in evicted]
        if evicted:
            assert self.holder in (None, spool)
        if name is not None:
            self.there[name] = batch

    @rule(number=PROCESSES)
    def try_lease(self, number: int) -> None:
        spool = self.spools[number]
        assert spool.try_lease() == (self.holder in (None, spool))
        self.holder = self.holder or spool

    @precondition(lambda self: self.holder)
    @rule()
    def give_back(self) -> None:
        assert self.holder is not None
        self.holder.give_back()
        self.holder = None
        self.in_hand.clear()

    @precondition(lambda self: self.holder and self.there)
    @rule(count=st.integers(1, 4))
    def send(self, count: int) -> None:
        """The oldest, which the backend accepts."""
        assert self.holder is not None
        names = self.holder.names(no_rest)
        assert names == self.by_age()
        for name in names[:count]:
            self.check_record(self.holder.read(name), name)
            assert self.holder.remove(name)
            assert not self.holder.remove(name)
            del self.there[name]
            self.in_hand.discard(name)

    @precondition(lambda self: self.holder and self.there)
    @rule()
    def take_in_hand(self) -> None:
        """A call with it is out."""
        assert self.holder is not None
        (name, *_) = self.by_age()
        self.check_record(self.holder.read(name), name)
        self.in_hand.add(name)

    def check_record(self, record: Record | None, name: str) -> None:
        batch = self.there[name]
        assert record == Record(batch.items, batch.payload, batch.written, "traces")

    @precondition(lambda self: self.holder)
    @rule()
    def tidy(self) -> None:
        assert self.holder is not None
        expected = self.expired()
        removed = self.holder.tidy(MAX_AGE, no_rest)
        gone = self.gone()
        assert expected <= set(gone)
        expired = self.forget(expected)
        evicted = [name for name in gone if name not in expected]
        self.check_evicted(evicted)
        by_reason: dict[str, list[int]] = {"expired": [], "evicted": []}
        for one in removed:
            by_reason[one.reason].append(one.items)
        assert sorted(by_reason["expired"]) == sorted(batch.items for batch in expired)
        assert by_reason["evicted"] == [batch.items for batch in self.forget(evicted)]
        if self.keep_newest and not self.in_hand:
            assert sum(batch.size for batch in self.there.values()) <= self.limit * 0.95

    @rule(size=SIZES, step=STEPS)
    def die_in_a_write(self, size: int, step: int) -> None:
        """The batch is there, whole, or it is not; what had to make room for it are the oldest."""
        batch = self.batch(size)

        def write() -> None:
            spool = self.spool()
            try:
                spool.write(batch.payload, batch.items, batch.written)
            except Full:
                pass

        die_at(step, write)
        gone = self.gone()
        self.check_evicted(gone)
        assert not gone or self.holder is None
        self.forget(gone)
        new = self.listed() - set(self.there)
        assert len(new) <= 1
        for name in new:
            self.there[name] = batch
            reader = self.holder or self.spools[0]
            self.check_record(reader.read(name), name)
            if self.holder:
                self.in_hand.add(name)
            else:
                reader._here.shelf.in_hand.clear()

    @precondition(lambda self: self.there and not self.holder)
    @rule(step=STEPS)
    def die_with_the_lease(self, step: int) -> None:
        """What it has removed it had sent, in their order; the rest is there."""

        def send() -> None:
            spool = self.spool()
            assert spool.try_lease()
            for name in spool.names(no_rest):
                assert spool.read(name)
                spool.remove(name)

        order = self.by_age()
        die_at(step, send)
        gone = self.gone()
        assert gone == order[: len(gone)]
        self.forget(gone)

    @precondition(lambda self: self.there and not self.holder)
    @rule(step=STEPS)
    def die_while_tidying(self, step: int) -> None:
        """No other batch goes than would have gone."""

        def tidy() -> None:
            spool = self.spool()
            assert spool.try_lease()
            spool.tidy(MAX_AGE, no_rest)

        expired = self.expired()
        die_at(step, tidy)
        gone = self.gone()
        evicted = [name for name in gone if name not in expired]
        assert not evicted or expired <= set(gone)
        self.forget(set(gone) & expired)
        self.check_evicted(evicted)
        self.forget(evicted)

    @rule(seconds=st.sampled_from([0.5, 4.0, 11.0, 61.0, 400.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(days=st.sampled_from([-1, 1]))
    def somebody_sets_the_wall_clock(self, days: int) -> None:
        self.clock.set_wall(days * DAY)

    @rule()
    def the_host_boots(self) -> None:
        self.clock.reboot()
        self.clock.advance(MAX_AGE)
        for number in range(3):
            self.restart(number)

    @rule(number=PROCESSES)
    def restart(self, number: int) -> None:
        spool = self.spools[number]
        spool.close()
        if self.holder is spool:
            self.holder = None
            self.in_hand.clear()
        self.spools[number] = self.spool()

    @invariant()
    def nothing_is_lost(self) -> None:
        assert self.listed() == set(self.there)
        assert self.spools[0].has_any() == bool(self.there)
        assert [spool.is_leased for spool in self.spools] == [spool is self.holder for spool in self.spools]
        assert sum(spool.set_aside for spool in self.spools) == 0

    def teardown(self) -> None:
        try:
            for spool in self.spools:
                spool.close()
            self.holder = self.spool()
            self.clock.advance(61)
            assert self.holder.try_lease()
            self.in_hand.clear()
            self.tidy()
            if self.there:
                self.send(len(self.there))
            assert os.listdir(self.path) == ["lease"]
            self.holder.close()
        finally:
            shutil.rmtree(self.folder)
