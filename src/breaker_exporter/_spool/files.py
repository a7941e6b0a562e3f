"""Files in a folder of ours: no other's is written to when one is made, none is believed when one is read."""

from __future__ import annotations

import heapq
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from .names import FileName
from .stamp import Stamp

T = TypeVar("T")

_REST_EVERY = 100
_LOT = 1_000
_BLOCK = 4096
"""Bytes: a file takes whole blocks."""


class Foreign(Exception):
    """A file that is not ours to read."""


def no_rest() -> None:
    """Rest not at all."""


def resting(entries: Iterable[T], rest: Callable[[], None]) -> Iterator[T]:
    """The same entries, with a rest after each hundred, so that others get the interpreter."""
    for count, entry in enumerate(entries, 1):
        yield entry
        if count % _REST_EVERY == 0:
            rest()


def oldest_first(
    found: Iterable[tuple[str, FileName]], now: Stamp, rest: Callable[[], None]
) -> Iterator[tuple[str, FileName]]:
    """The same files by their age, which a wall clock that was set does not change within a boot.

    In lots, since a sort lets nobody else have the interpreter.
    """
    keyed = [(-name.written.age_at(now), text, name) for text, name in found]
    lots = []
    for start in range(0, len(keyed), _LOT):
        lots.append(sorted(keyed[start : start + _LOT]))
        rest()
    for _, text, name in resting(heapq.merge(*lots), rest):
        yield text, name


def is_ours(found: os.stat_result) -> bool:
    """True for a regular file of ours to which the others have no access.

    Its group may have: Kubernetes gives it that on each mount of a volume with an ``fsGroup``.
    """
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o007


def opened(name: str, folder: int, flags: int = 0) -> int:
    """Open a file of ours for reading, or as `flags` say; never waits and follows no link.

    Raises:
        Foreign: It is a link, a pipe, a device, or not ours.
        OSError: It cannot be opened; ``FileNotFoundError`` where it is gone.
    """
    safe = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    # Some devices act when they are opened: look before, and again at what was opened.
    if not is_ours(os.stat(name, dir_fd=folder, follow_symlinks=False)):
        raise Foreign(name)
    file = os.open(name, flags | safe, dir_fd=folder)
    if not is_ours(os.fstat(file)):
        os.close(file)
        raise Foreign(name)
    return file


def beginning(file: int, size: int) -> bytes:
    """The first `size` bytes of an open file, or fewer where it ends before."""
    parts = []
    while size and (part := os.read(file, size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def write_new(name: str, folder: int, data: bytes) -> None:
    """Write a file that is not there yet; where that fails, nothing is left of it.

    Raises:
        OSError: It cannot be written, or there is one.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(file, left) :]
    except BaseException:
        os.close(file)
        with suppress(OSError):
            os.unlink(name, dir_fd=folder)
        raise
    os.close(file)  # NFS and quotas may say only here that it was not written


@contextmanager
def listed(folder: int) -> Iterator[Iterator[os.DirEntry[str]]]:
    """The entries of an open folder.

    By a descriptor of its own: the place in a listing belongs to a descriptor, which a fork shares.
    """
    own = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        with os.scandir(own) as entries:
            yield entries
    finally:
        os.close(own)


def named(folder: int, rest: Callable[[], None] = no_rest) -> Iterator[tuple[str, FileName]]:
    """The regular files in a folder that are named as ours are, in no order.

    Args:
        folder: An open folder.
        rest: Called every hundred entries.
    """
    with listed(folder) as entries:
        for entry in resting(entries, rest):
            name = FileName.parsed(entry.name)
            if name is not None and entry.is_file(follow_symlinks=False):
                yield entry.name, name


def size_of(name: str, folder: int) -> int:
    """Bytes that a file takes, in whole blocks; 0 where it is gone."""
    try:
        return taken(os.stat(name, dir_fd=folder, follow_symlinks=False).st_size)
    except FileNotFoundError:
        return 0


def taken(size: int) -> int:
    """Bytes that so many bytes take in whole blocks."""
    return -(-size // _BLOCK) * _BLOCK


def unlinked(name: str, folder: int) -> bool:
    """Remove a file; false where it was gone already."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return False
    return True
