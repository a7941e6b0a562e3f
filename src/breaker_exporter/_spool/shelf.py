"""The batches in one open folder: written, listed, read, removed, and set aside where they are damaged."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from .files import Foreign, beginning, named, oldest_first, opened, resting, size_of, unlinked, write_new
from .names import BATCH, DAMAGED, UNFINISHED, FileName
from .record import HEADER, Damaged, Header, Newer, Record
from .stamp import Stamp

_MOST_DAMAGED = 16
_MOST_DAMAGED_BYTES = 16 << 20
_UNFINISHED_FOR = 60.0
"""Seconds after which the writer of an unfinished file is dead, or stopped and then told that it failed."""

T = TypeVar("T", Header, Record)


class Shelf:
    """One folder's batches.

    Args:
        folder: Descriptor of the folder.
        signal: Name of the signal that they are of.
        now: The clock.

    Attributes:
        in_hand: Names of batches that are being sent, which nothing but their sender removes.
        set_aside: Number of damaged files that this process has set aside.
    """

    def __init__(self, folder: int, signal: str, now: Callable[[], Stamp]) -> None:
        self._folder = folder
        self._signal = signal
        self._now = now
        self._left_alone: set[str] = set()
        self._unreadable: set[str] = set()
        self._damaged: dict[str, int] | None = None
        self.in_hand: set[str] = set()
        self.set_aside = 0

    def has_any(self, rest: Callable[[], None]) -> bool:
        """True where there is a batch to be sent."""
        found = named(self._folder, rest)
        return any(name.suffix == BATCH and text not in self._left_alone for text, name in found)

    def write(self, data: bytes, written: Stamp) -> str:
        """Write a batch, under a name for unfinished files until all of it is there.

        Whatever fails, no file of it is left.

        Args:
            data: The whole file.
            written: The moment from which its age is counted.

        Returns:
            Name of its file.

        Raises:
            OSError: The disk does not take it.
        """
        name, unfinished = FileName.new(written, BATCH), FileName.new(self._now(), UNFINISHED)
        write_new(str(unfinished), self._folder, data)
        try:
            os.rename(str(unfinished), str(name), src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except OSError:
            with suppress(OSError):
                unlinked(str(unfinished), self._folder)
            raise
        return str(name)

    def names(self, rest: Callable[[], None]) -> list[str]:
        """Names of the batches, oldest first; those that the disk could not read come last."""
        found = [(text, name) for text, name in named(self._folder, rest) if name.suffix == BATCH]
        there = {text for text, _ in found}
        self._left_alone &= there
        self._unreadable &= there
        offered = [
            text
            for text, _ in oldest_first(found, self._now(), rest)
            if text not in self._left_alone and text not in self._unreadable
        ]
        return offered + sorted(self._unreadable - self._left_alone)

    def read(self, name: str) -> Record | None:
        """Read a batch, and take it in hand; ``None`` where there is none to be sent.

        Raises:
            OSError: The disk cannot read it. It comes last from now on.
        """
        record = self._examined(name, _record)
        if record is not None:
            self.in_hand.add(name)
        return record

    def header(self, name: str) -> Header | None:
        """What a batch says of itself; ``None`` as for :meth:`read`."""
        return self._examined(name, _header)

    def remove(self, name: str) -> bool:
        """Remove a file; false where it was gone."""
        self.in_hand.discard(name)
        return unlinked(name, self._folder)

    def drop(self, name: str, older_than: float = -1.0) -> int:
        """Remove a batch that is not sent any more.

        Args:
            name: Its name.
            older_than: Seconds; by its header, it must be older.

        Returns:
            Number of its items; 0 where it was gone, younger, damaged, not ours, or is in hand.
        """
        header = None if name in self.in_hand else self.header(name)
        if header is None or header.written.age_at(self._now()) <= older_than:
            return 0
        return header.items if self.remove(name) else 0

    def remove_leftovers(
        self, found: list[tuple[str, FileName]], max_age: float, rest: Callable[[], None]
    ) -> None:
        """Remove what dead writers have left, and damaged files that are too old or too many.

        Args:
            found: All files of the folder.
            max_age: Seconds.
            rest: Called every hundred files.
        """
        now, damaged = self._now(), []
        limits = {UNFINISHED: _UNFINISHED_FOR, DAMAGED: max_age}
        for text, name in resting(found, rest):
            no_writer = name.suffix == UNFINISHED and name.written.boot != now.boot
            if no_writer or name.written.age_at(now) > limits.get(name.suffix, math.inf):
                self.remove(text)
            elif name.suffix == DAMAGED:
                damaged.append((text, name))
        self._damaged = {text: size_of(text, self._folder) for text, _ in oldest_first(damaged, now, rest)}
        self._bound_damaged()

    def _examined(self, name: str, read: Callable[[int], T]) -> T | None:
        try:
            file = opened(name, self._folder)
            try:
                found = read(file)
            finally:
                os.close(file)
            if found.signal != self._signal:
                raise Foreign(name)
        except FileNotFoundError:
            return None
        except Damaged:
            self.put_aside(name)
            return None
        except (Foreign, Newer, PermissionError):
            self._left_alone.add(name)
            return None
        except OSError:
            self._unreadable.add(name)
            raise
        return found

    def put_aside(self, name: str) -> None:
        if self._damaged is None:
            damaged = sorted(text for text, found in named(self._folder) if found.suffix == DAMAGED)
            self._damaged = {text: size_of(text, self._folder) for text in damaged}
        aside = name.removesuffix(BATCH) + DAMAGED
        with suppress(FileNotFoundError):
            os.rename(name, aside, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            self.set_aside += 1
            self._damaged[aside] = size_of(aside, self._folder)
            self._bound_damaged()

    def _bound_damaged(self) -> None:
        assert self._damaged is not None
        while len(self._damaged) > _MOST_DAMAGED or sum(self._damaged.values()) > _MOST_DAMAGED_BYTES:
            oldest = next(iter(self._damaged))
            del self._damaged[oldest]
            self.remove(oldest)


def _header(file: int) -> Header:
    return Header.parsed(beginning(file, HEADER), os.fstat(file).st_size)


def _record(file: int) -> Record:
    start = beginning(file, HEADER)
    header = Header.parsed(start, os.fstat(file).st_size)  # before as much is read as the file says it has
    return Record.parsed(start + beginning(file, header.length))
