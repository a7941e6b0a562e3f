"""Directories and clocks that are spoilt from within the services, by a library that is loaded into them."""

from __future__ import annotations

from collections.abc import Mapping

from .directory import Directory
from .preload import Preload, Spoilt, can_be

_DAY = 86_400


class Preloaded(Directory):
    """The library is loaded, and spoils nothing."""

    needs = "the library that spoils it is compiled with gcc"

    @classmethod
    def can_be(cls) -> bool:
        return can_be()

    @property
    def environment(self) -> Mapping[str, str]:
        return {**super().environment, **self.preload.environment}

    def prepare(self) -> None:
        self.preload = Preload(self.folder, self.kept)

    def undo(self) -> None:
        self.preload.close()


class Failing(Preloaded):
    """Each call ends with EIO."""

    warnings = ("in memory alone",)

    def spoil(self) -> None:
        self.preload.set(Spoilt.EIO)


class ReadOnlyNow(Preloaded):
    """Becomes read-only, as a file system does after an error."""

    warnings = ("in memory alone",)

    def spoil(self) -> None:
        self.preload.set(Spoilt.READ_ONLY)


class QuotaUsedUp(Preloaded):
    """Takes no more bytes of this user's."""

    warnings = ("in memory alone",)

    def spoil(self) -> None:
        self.preload.set(Spoilt.QUOTA)


class Hanging(Preloaded):
    """No call ever ends."""

    warnings = ("the disk does not answer",)
    may_leave_more = True

    def spoil(self) -> None:
        self.preload.set(Spoilt.HANGS)


class ClockForth(Preloaded):
    """The wall clock is set forth by a day, and back again."""

    def spoil(self) -> None:
        self.preload.set(clock=_DAY)

    def mend(self) -> None:
        self.preload.set()


class ClockBack(Preloaded):
    """The wall clock is set back by a day, and forth again."""

    def spoil(self) -> None:
        self.preload.set(clock=-_DAY)

    def mend(self) -> None:
        self.preload.set()
