"""The faults of the disk, each while the backend refuses connections: a new one is a row here."""

from __future__ import annotations

from breaker_exporter.testing import Fault

from ..cell import Event, Row, Step
from .directory import Directory, Linked, NeverThere, Replaced, SomebodyElses, Vanishing
from .fuse import FailsInKernel, HangsInKernel
from .left import Crowded, Littered
from .mounted import Full, ReadOnly
from .spoilt import ClockBack, ClockForth, Failing, Hanging, QuotaUsedUp, ReadOnlyNow

_IN_THE_MIDDLE = 1.5
"""Seconds of the outage after which something lies there, and the lease is held."""


def _disk(name: str, disk: type[Directory], at: float = 0.0, **settings: object) -> Row:
    return Row(name, (Step(Fault.REFUSE),), disk=disk, disk_at=at, **settings)  # type: ignore[arg-type]


DISK_ROWS = (
    _disk("disk full", Full),
    _disk("disk read-only", ReadOnly),
    _disk("disk read-only, in the middle", ReadOnlyNow, _IN_THE_MIDDLE),
    _disk("quota used up, in the middle", QuotaUsedUp, _IN_THE_MIDDLE),
    _disk("directory vanishes, in the middle", Vanishing, _IN_THE_MIDDLE),
    _disk("directory replaced, in the middle", Replaced, _IN_THE_MIDDLE),
    _disk("directory never there", NeverThere),
    _disk("directory somebody else's", SomebodyElses),
    _disk("directory a symbolic link", Linked),
    _disk("damaged, foreign and newer files", Littered),
    _disk("ten thousand files", Crowded),
    _disk("disk EIO", Failing),
    _disk("disk EIO, in the middle", Failing, _IN_THE_MIDDLE),
    _disk("disk hangs", Hanging),
    _disk("disk EIO, by FUSE", FailsInKernel),
    _disk("disk hangs, by FUSE", HangsInKernel),
    _disk("disk hangs, in the middle", Hanging, _IN_THE_MIDDLE),
    _disk("SIGTERM, disk EIO", Failing, event=Event.STOP),
    _disk("SIGTERM, disk hangs", Hanging, event=Event.STOP),
    Row(
        Event.FREEZE.value,
        # The lease is held where something can be sent: the backend is back when it happens.
        (Step(Fault.REFUSE), Step(Fault.NONE, at=1.5)),
        disk=Directory,
        event=Event.FREEZE,
        workers=2,
    ),
    _disk("two services", Directory, beside=("till",)),
    _disk("one service twice", Directory, beside=("shop",)),
    # Not by gRPC: its waits in the kernel are told by the real clock.
    _disk("clock set forth a day", ClockForth, 1.0, by=("http",)),
    _disk("clock set back a day", ClockBack, 1.0, by=("http",)),
)
