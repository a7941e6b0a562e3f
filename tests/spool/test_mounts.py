"""Network file systems (K9), by the list that the system gives."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from breaker_exporter._spool.mounts import network_file_system

MOUNTS = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 27 0:44 / /mnt/nfs\\040share rw,relatime shared:7 master:2 - nfs4 server:/a\\040b rw
31 27 0:45 / /mnt/ssh rw - fuse.sshfs me@host: rw
32 27 0:46 / /mnt/encrypted rw - fuse.gocryptfs /home rw
33 27 0:47 / /mnt/\xff rw - cifs //server/share rw
34 broken
"""


@pytest.mark.parametrize(
    ("major", "minor", "expected"),
    [
        (254, 0, None),
        (0, 44, "nfs4"),
        (0, 45, "fuse.sshfs"),
        (0, 46, None),
        (0, 47, "cifs"),
        (9, 9, None),
    ],
)
def test_a_network_file_system_is_known_by_its_device(
    tmp_path: Path, major: int, minor: int, expected: str | None
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_bytes(MOUNTS.encode("latin-1"))

    assert network_file_system(os.makedev(major, minor), mounts) == expected


def test_without_a_list_no_file_system_is_one(tmp_path: Path) -> None:
    assert network_file_system(0, tmp_path / "missing") is None


def test_the_list_of_this_system_can_be_read() -> None:
    network_file_system(Path("/proc").stat().st_dev)
