"""The folders of a spool: made and checked, so that nobody else can put batches there or read them."""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from .mounts import network_file_system
from .names import folder_name

HOST = "host@"
"""The beginning of a folder's name on network file systems; no service has one such."""
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


class Place:
    """The place of one exporter's batches below a directory of the user's.

    Args:
        directory: A directory that may be anybody's, and a link.
        service: ``namespace/name`` of the service, or its name.
        signal: The name of the signal.
        exporter: The exporter's name.
    """

    def __init__(self, directory: str, service: str, signal: str, exporter: str) -> None:
        self._directory = os.path.abspath(directory)
        self._names = [folder_name(service), folder_name(f"{signal}-{exporter}")]
        self._is_found = False
        self.path = os.path.join(self._directory, *self._names)

    @classmethod
    def at(cls, directory: str, path: str) -> Place:
        """The place of batches that were found, be they of another host.

        Args:
            directory: The user's.
            path: Of the folder with the batches, somewhere in it.
        """
        place = cls(directory, "", "", "")
        place.path = os.path.abspath(path)
        place._names = os.path.relpath(place.path, place._directory).split(os.sep)
        place._is_found = True
        return place

    def made(self) -> Folders:
        """Open the folders, and make those that are missing: ours, and the last one of the directory's path.

        Raises:
            CannotUse: They cannot be used.
        """
        try:
            return self._opened(make=True)
        except (OSError, ValueError) as error:  # a null character
            raise cannot_use(self.path, error) from error

    def check(self) -> None:
        """Find out whether :meth:`made` would fail, as far as can be seen without making anything.

        Raises:
            CannotUse: It would.
        """
        try:
            try:
                self._opened(make=False).close()
            except FileNotFoundError:
                _check_makeable(self.path, os.path.dirname(self._directory))
        except (OSError, ValueError) as error:
            raise cannot_use(self.path, error) from error

    def found(self) -> Folders | None:
        """Open the folders; ``None`` where one is missing or cannot be used. Makes nothing."""
        try:
            return self._opened(make=False)
        except (OSError, ValueError, CannotUse):
            return None

    def _opened(self, *, make: bool) -> Folders:
        with ExitStack() as open_ones:
            directory = _directory(self._directory, make)
            open_ones.callback(os.close, directory)
            path, above, warning = self._directory, directory, None
            kind = network_file_system(os.fstat(directory).st_dev)
            names = list(self._names)
            if kind is not None and not self._is_found:
                warning = f"{path!r} is on a network file system ({kind}): each host has a folder of its own"
                names.insert(0, f"{HOST}{folder_name(socket.gethostname())}")
            service = directory
            for name in names:
                path = os.path.join(path, name)
                service, above = above, _ours(name, above, path, make)
                open_ones.callback(os.close, above)
            return Folders(os.dup(service), os.dup(above), self._names[-1], path, warning)


def _check_makeable(path: str, least: str) -> None:
    """Raise where a folder that is missing cannot be made, in one that is `least` or below it."""
    while not os.path.lexists(path):
        if path == least:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        path = os.path.dirname(path)
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    if not os.access(path, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _directory(path: str, make: bool) -> int:
    """Open the user's directory."""
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


def _ours(name: str, above: int, path: str, make: bool) -> int:
    """Open a folder of ours in an open one."""
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
