"""Directories in which nothing can be kept: why, and what to do about it."""

from __future__ import annotations

import errno
import os

_ADVICE = {
    errno.EACCES: "let user id {user} write there, or name another directory",
    errno.EDQUOT: "make room, or name another directory",
    errno.EEXIST: "remove it",
    errno.ENOENT: "make the folder above it, or name another directory",
    errno.ENOSPC: "make room, or name another directory",
    errno.ENOTDIR: "name a directory",
    errno.EPERM: "let user id {user} write there, or name another directory",
    errno.EROFS: "mount it so that it can be written to, or name another directory",
}
_OTHERWISE = "name another directory"


class CannotUse(Exception):
    """A directory in which nothing can be kept; its text says why and what to do, on one line."""


def cannot_use(path: str, error: Exception) -> CannotUse:
    """What an error at a path means, and what to do about it."""
    advice = _ADVICE.get(getattr(error, "errno", 0), _OTHERWISE).format(user=os.geteuid())
    return CannotUse(f"{path!r} cannot be used: {getattr(error, 'strerror', error)}; {advice}")
