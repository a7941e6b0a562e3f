"""The volume that the directory lies on: how long what is kept there lives, and whose memory it is."""

from __future__ import annotations

import os
from pathlib import Path

from ..._base.cgroup import memory_limit
from ..._spool.mounts import network_file_system
from ..report import Steps, ok, warning
from .mount import mount_of

_MIB = 1 << 20
_ADVICE = "mount a volume there: of the host, a persistent one, or in Kubernetes an emptyDir at least"


def examine(directory: str, disk: int, root: Path = Path("/")) -> Steps[None]:
    """Find a volume that does not outlive the workers, or that is slower or scarcer than a disk.

    Args:
        directory: One that exists.
        disk: Bytes that the service may take there.
        root: The folder with ``proc`` and ``sys``.
    """
    mounts = root / "proc/self/mountinfo"
    mount, network = mount_of(directory, mounts), network_file_system(os.stat(directory).st_dev, mounts)
    if mount is None:
        return
    most = f"{disk // _MIB:,} MiB"
    if network is not None:
        text = (
            f"{directory!r} is on a network file system ({network}): each host has a folder of its own "
            "there, and what a host has left is delivered only by workers on a host of that name"
        )
        advice = "prefer a disk of the host; else deliver what is left: python -m breaker_exporter spool"
        yield warning("retain-network", text, advice)
    elif mount.is_in_memory:
        limit = memory_limit(root)
        of = "" if limit is None else f", which may use {limit // _MIB:,} MiB"
        text = (
            f"{directory!r} is memory ({mount.kind}): up to {most} count as that of the container{of}, and "
            "go with it or with the host"
        )
        yield warning("retain-memory", text, _ADVICE.replace("emptyDir", "emptyDir without medium: Memory"))
    elif mount.is_of_container:
        text = (
            f"{directory!r} is in the container's own file system ({mount.kind}), and goes with the container"
        )
        yield warning("retain-container", text, _ADVICE)
    elif mount.is_empty_dir:
        text = (
            f"{directory!r} is an emptyDir: it outlives a container that restarts, and goes with its pod, "
            f"so at each deployment; a sizeLimit must be above {most}, since the kubelet ends a pod for more"
        )
        yield ok("retain-volume", text)
    elif "KUBERNETES_SERVICE_HOST" in os.environ:
        text = (
            f"{directory!r} is on a volume ({mount.kind}); whether that outlives the pod cannot be seen from "
            "here: a persistent volume does, an emptyDir does not"
        )
        yield ok("retain-volume", text)
    else:
        yield ok("retain-volume", f"{directory!r} is on a file system of its host ({mount.kind})")
