"""The checks of the directory of retention."""

from __future__ import annotations

from ..check import BROKEN, OK, WARNING, Check

CHECKS = (
    Check(
        "retain-directory",
        (OK, WARNING, BROKEN),
        "whether the user that runs the doctor can keep batches in `BREAKER_EXPORTER_RETAIN_DIRECTORY`; "
        "broken with `BREAKER_EXPORTER_STRICT=1`, with which Gunicorn does not start",
        "give the directory to the user of the workers, or name another one",
    ),
    Check(
        "retain-volume",
        (OK,),
        "what the directory lies on, and what that outlives",
    ),
    Check(
        "retain-network",
        (WARNING,),
        "the directory is on a network file system: what a host leaves there is delivered by that host alone",
        "prefer a disk of the host",
    ),
    Check(
        "retain-memory",
        (WARNING,),
        "the directory is memory: it counts as the container's, and goes with it",
        "mount a volume on a disk there",
    ),
    Check(
        "retain-container",
        (WARNING,),
        "the directory is in the container's own file system, and goes with the container",
        "mount a volume there",
    ),
    Check(
        "retain-room",
        (OK, WARNING),
        "whether there is room for all that the service may keep",
        "make room, or lower `BREAKER_EXPORTER_RETAIN_DISK`",
    ),
    Check(
        "retain-orphans",
        (WARNING,),
        "another service left batches more than a day ago, and no worker of it delivers them",
        "send or delete them: `python -m breaker_exporter spool`",
    ),
    Check(
        "retain-newer",
        (WARNING,),
        "a newer version of breaker-exporter has left batches, which this one does not read",
        "upgrade breaker-exporter",
    ),
    Check(
        "retain-damaged",
        (WARNING,),
        "files were set aside as damaged, as a power cut leaves them; they are never sent",
        "look at the files that end in `.damaged`, and remove them",
    ),
)
