"""Bytes that the spools of a service take together, and what one process knows of them between two counts."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from .figure import Figure
from .files import listed, named, size_of
from .lease import tidied_at
from .stamp import Stamp

FRESH = 10.0
"""Seconds for which a count holds."""


@dataclass(frozen=True, slots=True)
class Share:
    """One spool's part.

    Attributes:
        bytes: Bytes of the files that are named as ours are.
        tidied: Unix seconds at which it was tidied last, 0 where it never was.
    """

    bytes: int
    tidied: float


def shares(service: int, rest: Callable[[], None]) -> dict[str, Share]:
    """The spools of a service, by the name of their folder.

    Args:
        service: Descriptor of the service's folder.
        rest: Called every hundred files.
    """
    with listed(service) as entries:
        folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    return {name: _share_of(name, service, rest) for name in folders}


def _share_of(name: str, service: int, rest: Callable[[], None]) -> Share:
    try:
        folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=service)
    except OSError:
        return Share(0, 0.0)  # somebody else's, or gone
    try:
        return Share(sum(size_of(text, folder) for text, _ in named(folder, rest)), tidied_at(folder))
    finally:
        os.close(folder)


class Usage:
    """The latest count, and what this process has added since."""

    def __init__(self) -> None:
        self._shared: Figure | None = None
        self._latest: Figure | None = None
        self._added = 0
        self._futile: Stamp | None = None

    def share(self, figure: Figure | None) -> None:
        """Take the count that all processes see, if it is a new one."""
        if figure is not None and figure != self._shared:
            self._shared = figure
            self.set(figure)

    def set(self, figure: Figure) -> None:
        """Take a count."""
        self._latest, self._added = figure, 0

    def add(self, bytes_: int) -> None:
        """Note that this process has written or, below 0, removed so many bytes."""
        self._added += bytes_

    def at(self, now: Stamp) -> int | None:
        """Bytes; ``None`` where the count is too old."""
        if self._latest is None or not self._latest.is_fresh_at(now, FRESH):
            return None
        return self.total

    @property
    def total(self) -> int:
        """Bytes, however old the count."""
        return (self._latest.total if self._latest else 0) + self._added

    def found_no_room(self, now: Stamp) -> None:
        """Note that nothing more could be evicted."""
        self._futile = now

    def may_have_room(self, now: Stamp) -> bool:
        """False for a while after nothing could be evicted."""
        return self._futile is None or self._futile.age_at(now) > FRESH
