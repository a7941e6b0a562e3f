"""The kind of file system that a folder lies on, as far as Linux tells."""

from __future__ import annotations

import os
from pathlib import Path

_SHARED = {
    "9p",
    "afs",
    "ceph",
    "cifs",
    "gfs2",
    "glusterfs",
    "lustre",
    "nfs",
    "nfs4",
    "ocfs2",
    "smb3",
    "virtiofs",
}
_SHARED_BY_FUSE = ("ceph", "gcsfuse", "gluster", "goofys", "juicefs", "mfs", "rclone", "s3fs", "sshfs")


def network_file_system(device: int, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """The name of the file system of a device where several hosts may share it, else ``None``.

    Args:
        device: ``st_dev`` of a folder.
        mounts: The system's list of mounts.
    """
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        # id parent major:minor root point options [more] - type source options
        fields, _, rest = line.partition(" - ")
        if fields.split(" ")[2:3] == [wanted]:
            return _shared(rest.partition(" ")[0])
    return None


def _shared(kind: str) -> str | None:
    family, _, member = kind.partition(".")
    is_shared = kind in _SHARED or (family == "fuse" and any(name in member for name in _SHARED_BY_FUSE))
    return kind if is_shared else None
