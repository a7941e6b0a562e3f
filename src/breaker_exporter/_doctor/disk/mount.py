"""The mount that a path lies on, as far as Linux tells."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePath

_EMPTY_DIR = "kubernetes.io~empty-dir"
"""A part of the path that the kubelet has on the node for each volume of that kind."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A mount.

    Attributes:
        kind: The kind of file system, such as ``ext4``.
        root: The folder of that file system which is mounted.
        point: The place where it is.
    """

    kind: str
    root: str
    point: str

    @property
    def is_in_memory(self) -> bool:
        """True where what lies there is memory of whoever has written it."""
        return self.kind in ("ramfs", "tmpfs")

    @property
    def is_of_container(self) -> bool:
        """True where it goes with the container."""
        return self.kind in ("aufs", "overlay")

    @property
    def is_empty_dir(self) -> bool:
        """True where it is an ``emptyDir`` on the disk of a node, by the path that the kubelet gives it."""
        return _EMPTY_DIR in PurePath(self.root).parts


def mount_of(path: str, mounts: Path = Path("/proc/self/mountinfo")) -> Mount | None:
    """The mount of a path; ``None`` where the system does not tell.

    Args:
        path: A path that exists.
        mounts: The system's list of mounts.
    """
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return None
    real, found = PurePath(os.path.realpath(path)), None
    for line in lines:
        # id parent major:minor root point options [more] - type source options
        fields, _, rest = line.partition(" - ")
        root, point = (_plain(field) for field in (*fields.split(" "), *[""] * 5)[3:5])
        is_nearer = found is None or len(PurePath(point).parts) >= len(PurePath(found.point).parts)
        if point and real.is_relative_to(point) and is_nearer:  # the later one hides the earlier
            found = Mount(rest.partition(" ")[0], root, point)
    return found


def _plain(field: str) -> str:
    """A field without the octal escapes of blanks and backslashes."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)
