"""The directory of a cell that batches are kept in, and what is wrong with it: one class for each fault.

This file has those faults that need nothing but permissions and names.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from .contents import SERVICE, Contents, contents

_SOMEBODY = 12_345
"""A user id that is not ours."""


class Directory:
    """A healthy directory.

    Args:
        folder: An empty one, for all that this makes.

    Attributes:
        kept: The directory that the services are told.
        ids_before: Of the spans that lie there before the start.
        files_before: Names of the batches that lie there before the start.
        needs: Privilege or program without which this cannot be had, or ``None``.
        warnings: Words of the log line that tells the user, each of which comes exactly once.
        may_leave_more: True where more may lie there than anybody knows: a write that was given up.
    """

    needs: str | None = None
    warnings: tuple[str, ...] = ()
    may_leave_more = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept = folder / "kept"
        self.ids_before: list[str] = []
        self.files_before: set[str] = set()

    def __enter__(self) -> Self:
        self.folder.mkdir(mode=0o700)
        self.prepare()
        self.files_before = self.files()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.undo()

    @classmethod
    def can_be(cls) -> bool:
        """Return whether this fault can be had here."""
        return True

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables of the services."""
        return {"BREAKER_EXPORTER_RETAIN_DIRECTORY": str(self.kept)}

    def prepare(self) -> None:
        """Make it, before the services start."""

    def spoil(self) -> None:
        """The fault begins."""

    def mend(self) -> None:
        """The fault ends, if it does."""

    def undo(self) -> None:
        """Leave nothing behind."""

    def broken(self) -> list[str]:
        """Return what became of files that must not have, a sentence each."""
        return []

    def lease_holder(self) -> int | None:
        """Return the process that holds the lease of a spool here."""
        inodes = {path.stat().st_ino for path in self.kept.rglob("lease")}
        for line in Path("/proc/locks").read_text().splitlines():
            _, kind, _, _, pid, place, *_ = line.replace("-> ", "").split()
            if kind == "POSIX" and int(place.rsplit(":", 1)[1]) in inodes:
                return int(pid)
        return None

    def files(self) -> set[str]:
        """Return the names of all batches that lie on this disk."""
        return {path.name for path in self.folder.rglob("*.batch")}

    def contents(self) -> Contents:
        """Return what of the services' batches lies on this disk."""
        return contents([self.folder])


class Vanishing(Directory):
    """Is moved away with all its files, and the directory above it too."""

    warnings = ("make the folder above it",)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.kept = folder / "above" / "kept"

    def prepare(self) -> None:
        self.kept.parent.mkdir()

    def spoil(self) -> None:
        self.kept.parent.rename(self.folder / "away")


class Replaced(Directory):
    """Is moved away with all its files; another one can be made in its place."""

    def spoil(self) -> None:
        self.kept.rename(self.folder / "away")


class NeverThere(Directory):
    """Cannot be made, since the directory above it is not there."""

    warnings = ("make the folder above it",)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.kept = folder / "above" / "kept"


class SomebodyElses(Directory):
    """Has our folder already, made by another user."""

    needs = "changing owners takes privileges"
    warnings = ("cannot be used",)

    @classmethod
    def can_be(cls) -> bool:
        return os.geteuid() == 0

    def prepare(self) -> None:
        ours = self.kept / SERVICE
        ours.mkdir(parents=True)
        shutil.chown(ours, _SOMEBODY)


class Linked(Directory):
    """Has a symbolic link to somewhere else in place of our folder."""

    warnings = ("cannot be used",)

    def prepare(self) -> None:
        (self.folder / "elsewhere").mkdir()
        self.kept.mkdir()
        (self.kept / SERVICE).symlink_to(self.folder / "elsewhere")
