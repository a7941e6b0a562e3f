"""The part of a file system that is left to others."""

from __future__ import annotations

import os

_SHARE = 20
"""One part in so many stays free."""
_MOST = 1 << 30
"""Bytes."""


def reserve(found: os.statvfs_result) -> int:
    """Bytes of a file system that stay free."""
    return min(found.f_blocks * found.f_frsize // _SHARE, _MOST)


def refusal(found: os.statvfs_result, size: int) -> str | None:
    """The reason why a file of `size` bytes must not be written to a file system, or ``None``."""
    free = found.f_bavail * found.f_frsize
    if free - size < reserve(found):
        return f"{free} bytes are free on its file system, of which {reserve(found)} stay free"
    # Some file systems make inodes as they need them, and say that there are none.
    if found.f_files and found.f_favail <= found.f_files // _SHARE:
        return f"{found.f_favail} inodes are free on its file system, of which 5 % stay free"
    return None
