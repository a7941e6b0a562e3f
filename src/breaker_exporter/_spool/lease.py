"""The lease of a spool: of all processes of a host that share it, one at a time replays and tidies.

A record lock of POSIX on one file. It ends with its process, however that ends, and a forked child has no
part in it. But a process loses it when it closes any descriptor of the file: so each has one, in a registry.
"""

from __future__ import annotations

import errno
import os
import time
import weakref

from .._concurrency.native import new_lock
from .._concurrency.threads import start_thread
from .figure import SIZE, Figure
from .files import is_ours
from .waiter import Waiter

NAME = "lease"
_Key = tuple[int, int]


class NotOurs(OSError):
    """Something lies in the place of the lease's file."""

    def __init__(self) -> None:
        super().__init__(errno.EEXIST, "it is not ours")


def can_lock() -> bool:
    """True where the system has record locks."""
    try:
        import fcntl  # noqa: F401
    except ImportError:  # Windows
        return False
    return True


class LeaseFile:
    """This process's descriptor of a lease's file, shared by all of its spools on that folder.

    Attributes:
        key: Device and inode.
        users: The spools.
    """

    def __init__(self, file: int, key: _Key) -> None:
        self.key = key
        self.users: weakref.WeakSet[object] = weakref.WeakSet()
        self._file = file
        # The kernel's lock is the process's: this one is between its spools.
        self._claim = new_lock()
        self._waiter: Waiter | None = None

    def claim(self) -> bool:
        """Take the lease; false where another spool has it, of this process or of another.

        Raises:
            OSError: The file system cannot lock.
        """
        import fcntl

        if not self._claim.acquire(blocking=False):
            return False
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._claim.release()
            if error.errno in (errno.EACCES, errno.EAGAIN):
                return False
            raise
        return True

    def wait(self, seconds: float) -> bool:
        """Take the lease as soon as its holder gives it back; false where that takes more than `seconds`."""
        deadline = time.monotonic() + seconds
        if self._waiter is None or not self._waiter.join():
            if not self._claim.acquire(timeout=seconds):
                return False
            waiter = Waiter(self._lock_in_the_end, self.give_back, self._claim.release)
            start_thread(waiter.run)
            self._waiter = waiter
        if not self._waiter.wait(max(0.0, deadline - time.monotonic())):
            return False
        self._waiter = None
        return True

    def _lock_in_the_end(self) -> None:
        import fcntl

        fcntl.lockf(self._file, fcntl.LOCK_EX)

    def give_back(self) -> None:
        import fcntl

        fcntl.lockf(self._file, fcntl.LOCK_UN)
        self._claim.release()

    def is_in(self, folder: int) -> bool:
        """True where this is still the file in an open folder."""
        try:
            return _key_in(folder) == self.key
        except NotOurs:
            return False

    def leave(self, user: object) -> None:
        """One user less; the last one closes the file, if no thread waits for its lock any more."""
        self.users.discard(user)
        if not self.users and (self._waiter is None or self._waiter.is_over):
            del _registry()[self.key]
            os.close(self._file)

    def figure(self) -> Figure | None:
        """The shared figure, where there is one."""
        return Figure.parsed(os.pread(self._file, SIZE, 0))

    def set_figure(self, figure: Figure) -> None:
        """Replace the shared figure; the lease is held."""
        os.pwrite(self._file, figure.to_bytes(), 0)


_of_process: dict[int, dict[_Key, LeaseFile]] = {}


def _registry() -> dict[_Key, LeaseFile]:
    """The files of this process. A child starts with none, and closes none of its parent's."""
    pid = os.getpid()
    if pid not in _of_process:
        _of_process.clear()
    return _of_process.setdefault(pid, {})


def tidied_at(folder: int) -> float:
    """Unix seconds at which the holder of an open folder's lease has tidied last; 0 where none ever has."""
    try:
        return os.stat(NAME, dir_fd=folder, follow_symlinks=False).st_mtime
    except OSError:
        return 0.0


def lease_in(folder: int, user: object) -> LeaseFile:
    """The lease of an open folder, for one more user.

    Raises:
        NotOurs: What lies in its place is none of our files.
        OSError: Its file cannot be made.
    """
    known = _registry()
    key = _key_in(folder)
    lease = known.get(key) if key else None
    if lease is None:
        file, key = _opened(folder)
        lease = known.setdefault(key, LeaseFile(file, key))
    lease.users.add(user)
    return lease


def _opened(folder: int) -> tuple[int, _Key]:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    file = os.open(NAME, flags, 0o600, dir_fd=folder)
    found = os.fstat(file)
    if not is_ours(found):
        os.close(file)
        raise NotOurs
    return file, (found.st_dev, found.st_ino)


def _key_in(folder: int) -> _Key | None:
    """Device and inode of the file in an open folder, without opening it."""
    try:
        found = os.stat(NAME, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not is_ours(found):
        raise NotOurs
    return found.st_dev, found.st_ino
