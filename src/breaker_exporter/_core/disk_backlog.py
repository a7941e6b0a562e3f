"""The part of an exporter's backlog that lies on disk, as one process sees it (K7 to K9, K13).

A greenlet or thread of its own takes what is kept to the disk and settled files away, and reads what the
sender asks for. It waits for the disk; nobody else does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from .._concurrency.state_lock import new_state_lock
from .._spool.spool import Removed
from . import deadline_clock as time
from .backlog import Backlog
from .disk_health import DiskHealth
from .disk_order import Census, Found, Order, Reading, Removal, Written
from .disk_replay import DiskReplay
from .disk_run import DiskRun
from .disk_work import DiskWork
from .kept_accounts import KeptAccounts
from .loss import Loss
from .parcel import Parcel
from .payload import Payload
from .report import Cause
from .retention import Retention
from .sender import Sender
from .settlement import Settlement

_WRITE_AFTER = 0.75
"""Seconds after which a batch is written whatever it waits for: a killed process costs a second (K8)."""
_LOOK_AGAIN = 0.25
"""Seconds."""
_WAIT = 0.5
"""Seconds until it is asked again whether the disk takes too long."""
_OPENS_WITHIN = 5.5
"""Seconds: longer than the disk has for it."""
_CENSUS_HOLDS = 30.0
"""Seconds."""
_BYTES_AT_A_TIME = 1 << 20


class DiskBacklog:
    """Keeps on disk what cannot be delivered yet.

    Args:
        name: The exporter's name.
        retention: What is kept.
        backlog: Of the exporter, in memory.
        accounts: Of what the exporter keeps.
        work: Carries out orders, on the disk thread.
        health: Knows what the disk can do now.
        release: Called with each payload that is no longer this process's.
        changed: Called when a parcel is settled or written.
        wake_sender: Called when something was read.
    """

    def __init__(
        self,
        name: str,
        retention: Retention,
        backlog: Backlog,
        accounts: KeptAccounts,
        work: DiskWork,
        health: DiskHealth,
        release: Callable[[Payload], object],
        changed: Callable[[], object],
        wake_sender: Callable[[], object],
    ) -> None:
        self._retention = retention
        self._backlog = backlog
        self._accounts = accounts
        self._health = health
        self._release = release
        self._changed = changed
        self._wake_sender = wake_sender
        self._run = DiskRun(work, self._next_order, self._take_up)
        self._replay = DiskReplay(backlog)
        self._worker = Sender(name, self._step)
        self._lock = new_state_lock()
        self._removals: list[Removal] = []
        self._files: int | None = None
        self._census: Census | None = None
        self._counted_at = 0.0
        self._checks = False
        self._is_stopped = False

    @property
    def ahead(self) -> Parcel | None:
        """The parcel that was read and waits to be sent, under the lease."""
        return self._replay.ahead

    @property
    def has_files(self) -> bool:
        """True where files lie there, as last seen."""
        return bool(self._files)

    @property
    def may_have_files(self) -> bool:
        """The same, or nobody has looked yet."""
        return self._files != 0

    @property
    def has_readable_files(self) -> bool:
        """True where files lie there, as last seen, and the disk has not failed just now."""
        return self.has_files and self._health.may_try(time.monotonic())

    @property
    def census(self) -> Census | None:
        """The last count of the files, if this process has just made it."""
        return self._census if time.monotonic() - self._counted_at < _CENSUS_HOLDS else None

    @property
    def has_untried(self) -> bool:
        """True where a file lies there of which no call has failed, and none is out."""
        return (self._files or 0) > self._replay.tried

    @property
    def is_clear(self) -> bool:
        """True where nothing lies on disk, as last seen, and all that was settled is removed."""
        return not (self.has_files or self._removals or self._replay.has_lent)

    def look(self) -> None:
        """Find out whether anything lies there, and whether anything can: the sender is woken then."""
        self._checks = True
        self.wake()

    def open(self) -> str | None:
        """Open the files, and wait for that: the reason why they cannot be used, or ``None``."""
        found = self._run.carry_out(Order(opens=True), _OPENS_WITHIN)
        return None if found.error is None else self._health.why(found.error)

    def wake(self) -> bool:
        """Have a look at what there is to do; false where no thread can be started (any more)."""
        return self._worker.wake()

    def want(self, reading: Reading) -> None:
        """Have a file read, unless one is."""
        if self._replay.want(reading):
            self.wake()  # also where it is wanted already: who was to read it may have been killed

    def want_nothing(self) -> None:
        """Nothing can be sent now: another process may send what was read."""
        if (parcel := self._replay.want_nothing()) is not None:
            self.leave(parcel)

    def take_ahead(self) -> Parcel | None:
        """The parcel that was read: the caller sends it."""
        return self._replay.take_ahead()

    def leave(self, parcel: Parcel) -> None:
        """No call was made with the parcel of a file: it stays there."""
        self._backlog.end_call(parcel, None)
        self._replay.put_down(parcel)
        self.wake()

    def settle(self, parcel: Parcel, found: Settlement, resent: int) -> None:
        """A call with the parcel of a file has ended."""
        assert parcel.file is not None
        items = parcel.payload.items
        if found.left is not None and found.left.items == items:
            self._accounts.fail_file(found, resent)
            self._replay.fail(parcel, was_answered=found.report.cause is Cause.ANSWERED)
            self._release(parcel.payload)
        else:
            self._remove(Removal(parcel.file, items, found, resent, parcel.came_at, parcel.may_be_there))
            self._replay.settle(parcel)
        self.wake()

    def finish(self, deadline: float) -> None:
        """Write all that is here until `deadline` (monotonic seconds); it is read no more."""
        self._replay.is_over = True
        self.want_nothing()
        self.write_all(deadline)

    def write_all(self, deadline: float) -> None:
        """Write all that is here until `deadline` (monotonic seconds)."""
        while self._run.advance(deadline, before=math.inf):
            pass

    def stop(self) -> None:
        """Make no further step, and close the files; what is being written goes again."""
        self._replay.is_over = self._is_stopped = True
        self._worker.stop()
        self._run.stop()

    def _step(self) -> float | None:
        """Seconds until the next step; ``None`` where there is nothing to do."""
        now = time.monotonic()
        if self._run.advance(now + _WAIT, before=now - _WRITE_AFTER):
            return 0.0
        return None if self._backlog.is_idle and not self._replay.is_wanted else _LOOK_AGAIN

    def _next_order(self, before: float) -> Order | None:
        now = time.monotonic()
        if self._is_stopped or not self._health.may_try(now):
            return None
        writes: list[Parcel] = []
        calls: list[Parcel] = []
        if may_write := self._health.may_write(now):
            # The sender may be in a call that hangs. What comes behind a call that old has long to wait, too.
            self._backlog.queue.keep_new(math.inf if self._backlog.has_call_since(before) else before)
            writes = self._backlog.take_for_disk(_BYTES_AT_A_TIME)
            calls = self._backlog.calls_since(before)
        with self._lock:
            # What a file is to be written for waits for room.
            removals = tuple(each for each in self._removals if may_write or each.left is None)
            self._removals = [each for each in self._removals if not (may_write or each.left is None)]
            checks, self._checks = self._checks, False
        order = self._replay.order(now)
        if not (removals or writes or calls or order.read or checks or self._replay.has_spare_lease):
            return None
        return replace(order, remove=removals, write=tuple(writes), write_calls=tuple(calls), checks=checks)

    def _take_up(self, order: Order, found: Found) -> None:
        now = time.monotonic()
        for removal in found.removed:
            self._removed(removal)
        for removed in found.dropped:
            self._dropped(removed)
        for written in found.written:
            self._written(written)
        for parcel in found.unwritable:
            parcel.stays = True
        for parcel in order.write:  # those of them that were not
            self._backlog.end_writing(parcel, is_written=False)
        settled = {*found.removed, *found.gone}
        self._replay.learn_lease(is_leased=found.is_leased)
        self._replay.let_go(removal.name for removal in settled)
        self._remove(*(removal for removal in order.remove if removal not in settled))
        if found.census is not None:
            self._census, self._counted_at = found.census, now
        if found.files is not None:
            self._files = found.files
            if not found.files:
                self._replay.forget()
                self._accounts.disk_is_empty()
        if order.read is not None:
            self._replay.take_up(found.read, now, has_files=self.has_files)
            self._wake_sender()
        elif order.checks and self._files:
            self._wake_sender()
        self._backlog.make_room()
        self._changed()
        self._health.learn(found, now)  # last: a log line may be where this is killed

    def _removed(self, removal: Removal) -> None:
        if removal.found is not None:
            self._accounts.recover(removal.items, removal.found, removal.resent)
        if removal.left is not None:
            self._release(removal.left)

    def _dropped(self, removed: Removed) -> None:
        if removed.reason == "expired":
            kind, reason = Loss.EXPIRED, self._retention.too_old()
        else:
            kind, reason = Loss.EVICTED, self._retention.disk_full()
        self._accounts.recover_dropped(removed.items, kind, reason)

    def _written(self, written: Written) -> None:
        for parcel in written.parcels:
            items, backlog = parcel.payload.items, self._backlog
            if self._accounts.spool(items, partial(backlog.end_writing, parcel, is_written=True)):
                self._release(parcel.payload)
                continue
            # First: its call may fail as the file is noted, and then it is to be read.
            self._replay.hold(written.name)
            if self._accounts.spool_call(items, partial(backlog.attach, parcel, written.name, written.items)):
                continue
            # Its call has ended meanwhile: it failed, or the file has to go again.
            is_whole = items == written.items
            if is_whole and self._accounts.spool(items, partial(backlog.remove, parcel)):
                self._replay.let_go([written.name])
                self._release(parcel.payload)
            else:
                self._remove(Removal(written.name, items, None, 0, parcel.came_at))

    def _remove(self, *removals: Removal) -> None:
        """Have files removed by one of the next orders."""
        with self._lock:
            self._removals += removals
