"""The directory of retention: whether this user can keep anything there, and what it lies on."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

from ..._core.retention import Retention
from ..._core.retention_settings import RETAIN_DIRECTORY
from ..._spool.listing import services
from ..._spool.mounts import network_file_system
from ..._spool.names import folder_name
from ..._spool.place import HOST
from ..report import Steps, ok, warning_or_fatal
from . import left, room, volume

_VARIABLE = RETAIN_DIRECTORY.variable


def examine(
    workers: int, retention: Retention, service: str, *, is_fatal: bool, root: Path = Path("/")
) -> Steps[None]:
    """Find what keeps workers from using the directory, or what they keep there from outliving them.

    Args:
        workers: Their number; 0 where it is not known.
        retention: That of each of them.
        service: ``namespace/name`` of the service, or its name.
        is_fatal: True where Gunicorn does not start with a directory that cannot be used.
        root: The folder with ``proc`` and ``sys``.
    """
    if retention.directory is None:
        return
    directory = retention.directory
    if not os.path.lexists(directory):
        above = os.path.dirname(directory)
        if problem := _problem(above):
            text, advice = problem
            text = f"{directory!r} is not there, and cannot be made: {text}"
            yield warning_or_fatal("retain-directory", text, advice, is_fatal=is_fatal)
            return
        text = f"{directory!r} is not there yet: the first worker that keeps something makes it"
        yield ok("retain-directory", text, brief=f"{directory!r} can be made")
        yield from volume.examine(above, retention.disk, root)
        yield from room.examine(above, 0, workers, retention)
        return
    if problem := _problem(directory) or _problem_of_mode(directory):
        yield warning_or_fatal("retain-directory", *problem, is_fatal=is_fatal)
        return
    folder = _folder_of(directory, service, root)
    if problem := _problem_of_service(folder):
        yield warning_or_fatal("retain-directory", *problem, is_fatal=is_fatal)
        return
    text = f"{directory!r} can be used by user id {os.geteuid()}, which the workers must be too"
    yield ok("retain-directory", text, brief=f"{directory!r} can be used")
    yield from volume.examine(directory, retention.disk, root)
    rows, ours = list(services(directory, _leave_out)), f"{folder}{os.sep}"
    used = sum(row.bytes for row in rows if row.path.startswith(ours))
    yield from room.examine(directory, used, workers, retention)
    yield from left.examine(directory, rows, ours)


def _folder_of(directory: str, service: str, root: Path) -> str:
    """The path of the folder with all that is kept of a service; on a network file system, by this host."""
    folder = folder_name(service)
    if network_file_system(os.stat(directory).st_dev, root / "proc/self/mountinfo") is None:
        return os.path.join(directory, folder)
    return os.path.join(directory, f"{HOST}{folder_name(socket.gethostname())}", folder)


def _problem(directory: str) -> tuple[str, str] | None:
    """The reason why nothing can be made in a directory, and what to do."""
    user = os.geteuid()
    try:
        found = os.stat(directory)
    except OSError as error:
        return (
            f"{directory!r}: {error.strerror}",
            f"make it for user id {user}, or name another in {_VARIABLE}",
        )
    if not stat.S_ISDIR(found.st_mode):
        return f"{directory!r} is no directory", f"name a directory in {_VARIABLE}"
    if not os.access(
        directory, os.R_OK | os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids
    ):
        text = (
            f"user id {user} may not write to {directory!r} "
            f"(of user id {found.st_uid}, group id {found.st_gid}, mode {stat.S_IMODE(found.st_mode):04o})"
        )
        return (
            text,
            "chown it to the user of the workers, and run the doctor as that user; in Kubernetes: fsGroup",
        )
    return None


def _problem_of_mode(directory: str) -> tuple[str, str] | None:
    """The reason why a directory itself will not do, where a folder in it would, and what to do."""
    mode = stat.S_IMODE(os.stat(directory).st_mode)
    if not mode & stat.S_IWOTH or mode & stat.S_ISVTX:
        return None
    text = f"anybody may write to {directory!r} (mode {mode:04o}), and could put batches there"
    return text, "chmod o-w, or chmod +t, or name a folder in it: a Kubernetes emptyDir is always like that"


def _problem_of_service(folder: str) -> tuple[str, str] | None:
    """The reason why the folder of the service cannot be used, where it is there, and what to do."""
    user = os.geteuid()
    try:
        found = os.lstat(folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{folder!r}: {error.strerror}", "run the doctor as the user of the workers"
    if not stat.S_ISDIR(found.st_mode):
        return f"{folder!r} is a link or no folder", "remove it: workers make a folder there"
    if found.st_uid != user:
        text = f"{folder!r} belongs to user id {found.st_uid}, and the doctor runs as {user}"
        return text, "where the workers run as the former, run the doctor so too; else remove the folder"
    if found.st_mode & stat.S_IRWXO:
        text = f"others may enter {folder!r} (mode {stat.S_IMODE(found.st_mode):04o})"
        return text, "look whether its files are yours, then chmod 700"
    return None


def _leave_out(error: OSError) -> None:
    """Of another user, or gone: nothing to tell."""
