"""The memory that the control groups of Linux leave to this process, as a container's limit is set."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_NO_LIMIT = 1 << 60
"""Bytes: version 1 says about 2 ** 63 where there is none."""


def memory_limit(root: Path = Path("/")) -> int | None:
    """Bytes that the process may use by its own control group and by those around it, whichever is least.

    Args:
        root: The folder with ``proc`` and ``sys``.

    Returns:
        ``None`` where there is no limit, or none that can be read.
    """
    limits = []
    for file in _limit_files(root):
        with contextlib.suppress(OSError, ValueError):  # missing, or the word max
            limits.append(int(file.read_text()))
    least = min(limits, default=_NO_LIMIT)
    return least if least < _NO_LIMIT else None


def _limit_files(root: Path) -> Iterator[Path]:
    """The files with the limits: of the process's group and of each one above it.

    A container sees its own group as the root of the file system, be its path in there or not.
    """
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except (OSError, ValueError):
        return
    for line in groups:
        # hierarchy:controllers:path; version 2 has no controllers
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            top, name = root / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            top, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        group = PurePosixPath("/", path).relative_to("/")
        for each in (group, *group.parents):
            yield top / each / name
