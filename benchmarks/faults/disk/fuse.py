"""File systems of the kernel's own that answer nothing, or EIO: they are mounted by FUSE, and served here.

The protocol is that of ``linux/fuse.h``; more than its handshake is not needed for that.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import struct
import tempfile
import threading
from pathlib import Path

from .contents import NOTHING, Contents
from .directory import Directory

_REQUEST = struct.Struct("=IIQ")
"""Length, kind, number: the beginning of a request's header."""
_ANSWER = struct.Struct("=IiQ")
"""Length, error, number."""
_VERSION = struct.Struct("=II")
_VERSION_AT = 40
"""Bytes of a request's header."""
_INIT_ANSWER = struct.Struct("=IIIIHHIIHH32x")
_INIT, _FORGET, _INTERRUPT, _FORGET_MANY = 26, 2, 36, 42
_MAJOR, _MINOR = 7, 31
_LARGEST = 1 << 18
_DETACH = 2
_libc = ctypes.CDLL(None, use_errno=True)


class Fuse(Directory):
    """A mounted file system. Nothing of this process touches it: it would wait for itself."""

    needs = "mounting takes privileges, and FUSE"

    @classmethod
    def can_be(cls) -> bool:
        return _can_mount()

    def prepare(self) -> None:
        self.kept.mkdir()
        self._device = _mounted(self.kept)
        _shake_hands(self._device)

    def undo(self) -> None:
        _unmount(self.kept)
        os.close(self._device)

    def files(self) -> set[str]:
        return set()

    def contents(self) -> Contents:
        return NOTHING


class HangsInKernel(Fuse):
    """Nobody answers: each call waits in the kernel for good, and can be killed there."""

    warnings = ("the disk does not answer",)


class FailsInKernel(Fuse):
    """Each call ends with EIO."""

    warnings = ("in memory alone",)

    def prepare(self) -> None:
        super().prepare()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def undo(self) -> None:
        _unmount(self.kept)
        self._thread.join()
        os.close(self._device)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # unmounted
            while True:
                _, kind, number = _REQUEST.unpack_from(os.read(self._device, _LARGEST))
                if kind not in (_FORGET, _FORGET_MANY, _INTERRUPT):
                    os.write(self._device, _ANSWER.pack(_ANSWER.size, -errno.EIO, number))


def _mounted(place: Path) -> int:
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={device},rootmode=40700,user_id={os.getuid()},group_id={os.getgid()}"
    if _libc.mount(b"faulty", os.fsencode(place), b"fuse", 0, options.encode()):
        os.close(device)
        raise OSError(ctypes.get_errno(), "cannot mount by FUSE")
    return device


def _shake_hands(device: int) -> None:
    request = os.read(device, _LARGEST)
    _, kind, number = _REQUEST.unpack_from(request)
    assert kind == _INIT
    _, minor = _VERSION.unpack_from(request, _VERSION_AT)
    body = _INIT_ANSWER.pack(_MAJOR, min(minor, _MINOR), 0, 0, 16, 12, 1 << 16, 1, 0, 0)
    os.write(device, _ANSWER.pack(_ANSWER.size + len(body), 0, number) + body)


def _unmount(place: Path) -> None:
    if _libc.umount2(os.fsencode(place), _DETACH):
        raise OSError(ctypes.get_errno(), "cannot unmount", str(place))


@functools.cache
def _can_mount() -> bool:
    with tempfile.TemporaryDirectory(prefix="breaker-exporter-fuse-") as folder:
        try:
            device = _mounted(Path(folder))
        except OSError:
            return False
        _unmount(Path(folder))
        os.close(device)
    return True
