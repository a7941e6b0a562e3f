"""Directories on a small file system of their own: full, or read-only."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from pathlib import Path

from .directory import Directory


class Mounted(Directory):
    """A file system in memory."""

    needs = "mounting takes privileges"
    size = "16m"

    @classmethod
    def can_be(cls) -> bool:
        return _can_mount()

    def prepare(self) -> None:
        self.kept.mkdir()
        _mount(self.kept, self.size)

    def undo(self) -> None:
        subprocess.run(("umount", "--lazy", str(self.kept)), check=True, capture_output=True)


class Full(Mounted):
    """Is full as soon as the second of an outage is kept there."""

    size = "64k"
    warnings = ("no room on disk for more",)


class ReadOnly(Mounted):
    """Cannot be written to."""

    warnings = ("in memory alone",)

    def prepare(self) -> None:
        super().prepare()
        command = ("mount", "--options", "remount,ro", str(self.kept))
        subprocess.run(command, check=True, capture_output=True)


@functools.cache
def _can_mount() -> bool:
    with tempfile.TemporaryDirectory(prefix="breaker-exporter-mount-") as folder:
        try:
            _mount(Path(folder), "64k")
        except (OSError, subprocess.CalledProcessError):
            return False
        subprocess.run(("umount", folder), check=True)
    return True


def _mount(place: Path, size: str) -> None:
    command = ("mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "none", str(place))
    subprocess.run(command, check=True, capture_output=True)
