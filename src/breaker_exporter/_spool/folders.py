"""Folders, opened so that nobody else can put batches there or read them."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from dataclasses import dataclass

from .cannot_use import CannotUse


@dataclass(frozen=True, slots=True)
class Folders:
    """The open folders of a spool.

    Attributes:
        service: Descriptor of the folder with all spools of the service.
        spool: Descriptor of the spool's own.
        name: Of the spool's folder.
        path: Of that folder, for messages.
        warning: Text about the file system, or ``None``.
    """

    service: int
    spool: int
    name: str
    path: str
    warning: str | None

    def close(self) -> None:
        os.close(self.service)
        os.close(self.spool)

    def still_there(self) -> bool:
        """True where the path still leads to the open folder."""
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self.spool))
        except OSError:
            return False


def users_directory(path: str, *, make: bool) -> int:
    """Open the user's directory, made where it is missing if `make` says so.

    Raises:
        CannotUse: Anybody could put batches there.
        OSError: It cannot be opened, or made.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        directory = os.open(path, flags)
    except FileNotFoundError:
        if not make:
            raise
        os.mkdir(path, 0o700)
        directory = os.open(path, flags)
    mode = os.fstat(directory).st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        os.close(directory)
        raise CannotUse(
            f"{path!r} cannot be used: anybody may write to it (mode {stat.S_IMODE(mode):04o}), "
            "and could put batches there; chmod o-w, or chmod +t, or name a folder in it"
        )
    return directory


def our_folder(name: str, above: int, path: str, *, make: bool) -> int:
    """Open a folder of ours in an open one, made where it is missing if `make` says so.

    Args:
        name: Its name there.
        above: Descriptor of the open one.
        path: For messages.
        make: True where it is made.

    Raises:
        CannotUse: It is not ours, or others may enter it.
        OSError: It cannot be opened, or made.
    """
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=above)
    try:
        folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise CannotUse(f"{path!r} cannot be used: it is a link or no folder; remove it") from error
        raise
    try:
        _check_ours(folder, path)
    except BaseException:
        os.close(folder)
        raise
    return folder


def _check_ours(folder: int, path: str) -> None:
    found, user = os.fstat(folder), os.geteuid()
    if found.st_uid != user:
        raise CannotUse(
            f"{path!r} cannot be used: it belongs to user id {found.st_uid} and this process runs as {user}; "
            f"run it as {found.st_uid}, or remove the folder"
        )
    if found.st_mode & 0o007:
        raise CannotUse(
            f"{path!r} cannot be used: others may enter it (mode {stat.S_IMODE(found.st_mode):04o}); "
            "look whether its files are yours, then chmod 700"
        )
    if found.st_mode & 0o070:  # Kubernetes' doing, each time a volume with an fsGroup is mounted
        os.fchmod(folder, 0o700)
