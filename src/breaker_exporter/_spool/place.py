"""The place of a spool below the user's directory: the names of its folders, which are made and opened."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import ExitStack

from .cannot_use import CannotUse, cannot_use
from .folders import Folders, our_folder, users_directory
from .mounts import network_file_system
from .names import folder_name

HOST = "host@"
"""The beginning of a folder's name on network file systems; no service has one such."""


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
            directory = users_directory(self._directory, make=make)
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
                service, above = above, our_folder(name, above, path, make=make)
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
