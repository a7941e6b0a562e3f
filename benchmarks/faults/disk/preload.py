"""A library that spoils the disk and the clock of a service from within, where no file system can."""

from __future__ import annotations

import enum
import errno
import functools
import mmap
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

_SOURCE = Path(__file__).parent / "preload.c"
_FIELDS = struct.Struct("=qqq")
_READS, _WRITES, _REMOVES = 1, 2, 4


class Spoilt(enum.Enum):
    """The fate of calls that touch files below the directory."""

    NOT = 0, 0
    HANGS = -1, _READS | _WRITES | _REMOVES
    EIO = errno.EIO, _READS | _WRITES | _REMOVES
    READ_ONLY = errno.EROFS, _WRITES | _REMOVES
    QUOTA = errno.EDQUOT, _WRITES


class Preload:
    """Spoils one directory of the processes that are started with :attr:`environment`.

    Args:
        folder: For its own files.
        below: The directory; its path leads through no link.
    """

    def __init__(self, folder: Path, below: Path) -> None:
        library, control = folder / "preload.so", folder / "control"
        _build(library)
        control.write_bytes(bytes(_FIELDS.size))
        with control.open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), _FIELDS.size)
        self.environment: Mapping[str, str] = {
            "LD_PRELOAD": str(library),
            "FAULTS_PRELOAD_BELOW": str(below),
            "FAULTS_PRELOAD_CONTROL": str(control),
        }

    def set(self, spoilt: Spoilt = Spoilt.NOT, *, clock: int = 0) -> None:
        """Spoil the directory, and set the wall clock by so many seconds, from now on."""
        self._control[:] = _FIELDS.pack(*spoilt.value, clock)

    def close(self) -> None:
        """Spoil nothing any more."""
        self.set()
        self._control.close()


@functools.cache
def can_be() -> bool:
    """Return whether the library can be built here."""
    if shutil.which("gcc") is None:
        return False
    with tempfile.TemporaryDirectory(prefix="breaker-exporter-preload-") as folder:
        try:
            _build(Path(folder) / "preload.so")
        except subprocess.CalledProcessError:
            return False
    return True


def _build(library: Path) -> None:
    command = ("gcc", "-O2", "-shared", "-fPIC", "-o", str(library), str(_SOURCE), "-ldl")
    subprocess.run(command, check=True, capture_output=True)
