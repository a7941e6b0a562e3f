"""Names of files and folders in a spool: a batch's says when it was written, no name holds a secret."""

from __future__ import annotations

import itertools
import os
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from .stamp import Stamp

BATCH = ".batch"
UNFINISHED = ".tmp"
DAMAGED = ".damaged"

_LONGEST_FOLDER = 200
"""Bytes: file systems take 255."""
_NAME = re.compile(r"([0-9]{20})-([0-9a-f]{32})-([0-9]{20})-([0-9]{7,10})-([0-9]{10,20})(\.[a-z]{3,7})")
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class FileName:
    """The name of a file with a batch, or with what is left of one: sorted as text, the older comes first.

    Attributes:
        written: The moment from which the batch's age is counted, until its header tells better.
        pid: Of the process that wrote it, as it knows itself.
        number: Grows within a process.
        suffix: ``BATCH``, ``UNFINISHED`` or ``DAMAGED``.
    """

    written: Stamp
    pid: int
    number: int
    suffix: str

    @classmethod
    def new(cls, written: Stamp, suffix: str) -> FileName:
        return cls(written, os.getpid(), next(_numbers), suffix)

    @classmethod
    def parsed(cls, text: str) -> FileName | None:
        """Read a name; ``None`` for one that is none of ours."""
        found = _NAME.fullmatch(text)
        if found is None:
            return None
        unix, boot, since_boot, pid, number, suffix = found.groups()
        if suffix not in (BATCH, UNFINISHED, DAMAGED):
            return None
        return cls(Stamp(bytes.fromhex(boot), int(since_boot), int(unix)), int(pid), int(number), suffix)

    def __str__(self) -> str:
        stamp = self.written
        return (
            f"{stamp.unix:020d}-{stamp.boot.hex()}-{stamp.since_boot:020d}"
            f"-{self.pid:07d}-{self.number:010d}{self.suffix}"
        )


def folder_name(text: str) -> str:
    """A name for a folder, another for each text: one component of a path, of 200 bytes at most."""
    name = quote(text.encode("utf-8", "surrogatepass"), safe="") or "%"
    if name.startswith("."):
        name = f"%2E{name[1:]}"
    if len(name) > _LONGEST_FOLDER:
        import hashlib  # loads a large library, which hardly anybody needs

        digest = hashlib.sha256(name.encode()).hexdigest()[:32]
        name = f"{name[: _LONGEST_FOLDER - 33]}~{digest}"
    return name


def text_of(folder: str) -> str:
    """The text that a folder's name was made of; of a long one its beginning."""
    return "" if folder == "%" else unquote(folder, errors="replace")
