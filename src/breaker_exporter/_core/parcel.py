"""A batch in custody: its place, and what the calls with it have shown so far."""

from __future__ import annotations

import enum
from typing import NamedTuple

from .payload import Payload


class Place(enum.Enum):
    """The place of a parcel."""

    NEW = enum.auto()
    KEPT = enum.auto()
    WRITING = enum.auto()
    CALL = enum.auto()
    GONE = enum.auto()


class Past(NamedTuple):
    """The calls with a parcel so far; the fields are those of :class:`Parcel`."""

    errors: int
    accepted: int
    may_be_there: bool
    probed_at: int


class Parcel:
    """A batch in custody.

    Args:
        payload: The batch, or what is left of it.
        number: Grows with each one of a backlog.
        came_at: Monotonic seconds.
        came: Unix seconds, for display.
        outage: Number of outages that had ended when it came.

    Attributes:
        place: Where it is.
        is_left: True where its ``export`` has returned.
        was_kept: True where it was kept for later at least once.
        may_be_there: True where the backend may have it, since nobody knows what became of a call.
        is_lost: True where it had to go.
        errors: Times the backend answered to it with an error of its own.
        accepted: Number of parcels that the backend had accepted when it last did so.
        probed_at: Number of the call that was a probe with it and failed; 0 where none was.
        stays: True where it cannot be written to disk.
        file: The file that it lies in on disk, which is then what is kept of it; ``None``: it does not.
    """

    __slots__ = (
        "accepted",
        "came",
        "came_at",
        "errors",
        "file",
        "is_left",
        "is_lost",
        "may_be_there",
        "number",
        "outage",
        "payload",
        "place",
        "probed_at",
        "stays",
        "was_kept",
    )

    def __init__(self, payload: Payload, number: int, came_at: float, came: float, outage: int) -> None:
        self.payload = payload
        self.number = number
        self.came_at = came_at
        self.came = came
        self.outage = outage
        self.place = Place.CALL
        self.is_left = False
        self.is_lost = False
        self.was_kept = False
        self.may_be_there = False
        self.errors = 0
        self.accepted = -1
        self.probed_at = 0
        self.stays = False
        self.file: str | None = None

    @property
    def past(self) -> Past:
        """The results of the calls with it so far, without its payload, which may then be freed."""
        return Past(self.errors, self.accepted, self.may_be_there, self.probed_at)

    def learn_from(self, past: Past | None) -> None:
        """Take over what calls with the same batch have shown before."""
        if past is not None:
            self.errors, self.accepted, self.may_be_there, self.probed_at = past
