"""Directories in which something lies before the services start."""

from __future__ import annotations

from pathlib import Path

from breaker_exporter._spool.record import VERSION

from .contents import EXPORTER, SERVICE, SIGNAL, write_batches
from .directory import Directory

_WHOLE = 20
"""Files that can be delivered, among those that cannot."""
_MANY = 10_000
_MAGIC = 8
"""Bytes before the version."""


class Littered(Directory):
    """Holds files that are truncated, changed, newer, or not of this package, among whole ones."""

    def prepare(self) -> None:
        ids = write_batches(self.kept, _WHOLE + 3)
        spool = self._spool()
        truncated, changed, newer, *_ = sorted(spool.glob("*.batch"))
        self.ids_before = ids[3:]
        truncated.write_bytes(truncated.read_bytes()[:-5])
        changed.write_bytes(changed.read_bytes()[:-1] + b"\0")
        data = bytearray(newer.read_bytes())
        data[_MAGIC : _MAGIC + 2] = (VERSION + 1).to_bytes(2, "big")
        newer.write_bytes(data)
        for place in (self.kept, spool):
            (place / "notes.txt").write_text("not yours\n")
            (place / "folder.batch").mkdir()
        self.left = newer, self.kept / "notes.txt", spool / "notes.txt", spool / "folder.batch"
        self.aside = 2

    def broken(self) -> list[str]:
        """Return what was touched that must not be, or not set aside that must be."""
        touched = [str(path.name) for path in self.left if not path.exists()]
        aside = len(list(self.kept.rglob("*.damaged")))
        return [
            *(f"{name} was removed" for name in touched),
            *([f"{aside} damaged files were set aside, not {self.aside}"] if aside != self.aside else []),
        ]

    def _spool(self) -> Path:
        return self.kept / SERVICE / f"{SIGNAL}-{EXPORTER}"


class Crowded(Directory):
    """Holds ten thousand files."""

    def prepare(self) -> None:
        self.ids_before = write_batches(self.kept, _MANY)
