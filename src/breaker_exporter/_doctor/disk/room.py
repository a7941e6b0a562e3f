"""The room on the disk for what is kept, against what the service may take."""

from __future__ import annotations

import os

from ..._core.retention import Retention
from ..._core.retention_settings import RETAIN_DIRECTORY, RETAIN_DISK
from ..._spool.space import refusal, reserve
from ..report import Steps, ok, warning

_BLOCK = 4096
"""Bytes: the least that a batch takes."""
_MIB = 1 << 20


def examine(directory: str, used: int, workers: int, retention: Retention) -> Steps[None]:
    """Find too little room for what the service may keep.

    Args:
        directory: One that exists.
        used: Bytes that the service has there now.
        workers: Their number; 0 where it is not known.
        retention: That of each of them.
    """
    found = os.statvfs(directory)
    if (reason := refusal(found, _BLOCK)) is not None:
        advice = f"make room, or name another directory in {RETAIN_DIRECTORY.variable}"
        yield warning("retain-room", f"nothing can be kept in {directory!r}: {reason}", advice)
        return
    usable = found.f_bavail * found.f_frsize - reserve(found)
    all_of_them = f"all {workers} workers" if workers > 1 else "all processes"
    text = (
        f"{all_of_them} of the service together keep up to {_mib(retention.disk)} on disk, {_mib(used)} now; "
    )
    text += f"there is room for {_mib(usable)} ({_mib(reserve(found))} of its file system stay free)"
    if usable < retention.disk - used:
        lower = max(_MIB, usable + used)
        yield warning("retain-room", text, f"make room, or lower {RETAIN_DISK.variable} to {lower}")
    else:
        yield ok("retain-room", text, brief=f"room for {_mib(usable)}")


def _mib(count: int) -> str:
    number = count / _MIB
    return f"{number:,.0f} MiB" if number >= 10 or not count else f"{number:.2g} MiB"
