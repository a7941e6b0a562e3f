"""An order to the disk, and what has come of it: all that a backlog wants of its spool at one time."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .._spool.spool import Removed
from .parcel import Parcel
from .payload import Payload

if TYPE_CHECKING:
    from .settlement import Settlement


class Reading(enum.Enum):
    """The file to read.

    Attributes:
        OLDEST: The next in turn.
        NEWEST: For a probe.
        FIRST: For a probe where order matters.
    """

    OLDEST = enum.auto()
    NEWEST = enum.auto()
    FIRST = enum.auto()


@dataclass(frozen=True, slots=True)
class Removal:
    """A file that is to go, since its batch is settled.

    Attributes:
        name: Of the file.
        items: Number of its items.
        found: What came of the call with it; ``None`` where that is accounted for already.
        resent: Number of its items that the backend may have had before.
        came_at: Monotonic seconds at which the batch came.
        may_be_there: True where the backend may have what is left.
    """

    name: str
    items: int
    found: Settlement | None
    resent: int
    came_at: float
    may_be_there: bool = False

    @property
    def left(self) -> Payload | None:
        """The part that is written anew before the file goes."""
        return self.found.left if self.found is not None else None


@dataclass(frozen=True, slots=True)
class Order:
    """Work for the disk, in this order: remove, write, read.

    Attributes:
        remove: Settled files.
        write: Parcels that wait, oldest first; neighbours may share a file.
        write_calls: Parcels in calls; each gets a file of its own.
        read: The file to read, if the lease can be had.
        skip: Names of files that are not read.
        avoid: Names of files that a probe is made with only where there is no other, in this order.
        keeps_lease: True where a file that was read under the lease is still in hand.
        opens: True where the directory is to be opened whatever else is wanted.
        checks: True where it is to be looked at whether it can be opened, and whether anything lies there.
        closes: True where everything is to be closed then.
    """

    remove: tuple[Removal, ...] = ()
    write: tuple[Parcel, ...] = ()
    write_calls: tuple[Parcel, ...] = ()
    read: Reading | None = None
    skip: frozenset[str] = frozenset()
    avoid: tuple[str, ...] = ()
    keeps_lease: bool = False
    opens: bool = False
    checks: bool = False
    closes: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """Parcels that share a file.

    Attributes:
        name: Of the file.
        parcels: One or more.
        items: Number of items in the file.
    """

    name: str
    parcels: tuple[Parcel, ...]
    items: int


@dataclass(frozen=True, slots=True)
class Read:
    """A batch read from its file.

    Attributes:
        name: Of the file.
        payload: The batch.
        came_at: Monotonic seconds at which it came.
        came: Unix seconds, by this host's clock now.
        may_be_there: True where the backend may have it.
    """

    name: str
    payload: Payload
    came_at: float
    came: float
    may_be_there: bool


@dataclass(frozen=True, slots=True)
class Census:
    """The files of a spool, counted by the process that has the lease, for all of them.

    Attributes:
        files: Number of them.
        bytes: Bytes of these and of the service's other spools.
        oldest_at: Unix seconds at which the oldest was written; ``None`` where there is none.
    """

    files: int
    bytes: int
    oldest_at: float | None


@dataclass(slots=True)
class Found:
    """The result of an order.

    Attributes:
        removed: Files that were there until now, so that nobody else has accounted for them.
        gone: Files that another process has removed before.
        written: New files.
        unwritable: Parcels that are too large for a file.
        read: The batch that was read, under the lease.
        dropped: What had to go from the spool, for its age or for want of room.
        files: Number of files there, 1 where they were not counted; ``None``: not looked.
        census: Made where it was time for one.
        is_leased: True where the lease is held.
        is_full: True where there is no room for more.
        set_aside: Number of damaged files that this process has set aside so far.
        warning: Text about the directory, or ``None``.
        error: What went wrong; the rest of the order was not carried out.
    """

    removed: list[Removal] = field(default_factory=list)
    gone: list[Removal] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)
    unwritable: list[Parcel] = field(default_factory=list)
    read: Read | None = None
    dropped: list[Removed] = field(default_factory=list)
    files: int | None = None
    census: Census | None = None
    is_leased: bool = False
    is_full: bool = False
    set_aside: int = 0
    warning: str | None = None
    error: Exception | None = None
