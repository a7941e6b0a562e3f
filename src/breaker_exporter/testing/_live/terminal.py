"""The terminal of standard output: keys come one by one, writing never waits, and its mode is given back."""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
import termios
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .keys import pressed

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_LAST_WORDS = 1.0
"""Seconds that a terminal has to take what restores its display; one that hangs is left as it is."""
_LFLAG, _CC = 3, 6
"""Places in the list that ``termios.tcgetattr`` returns."""
_CHUNK = 4096


class Terminal(io.RawIOBase):
    """A terminal, as a file of bytes.

    It is opened anew, so that writing without waiting is a matter of this file alone and not of the shell's:
    a terminal that is stopped with Ctrl-S, or whose other end hangs, must not stop the collector.

    Args:
        path: The path of its device.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._pending = bytearray()
        self._before: list[Any] | None = None

    @classmethod
    def of_standard_output(cls) -> Terminal | None:
        """Return the terminal of standard output, or ``None`` where it cannot be opened by its name."""
        try:
            return cls(os.ttyname(sys.stdout.fileno()))
        except OSError:  # in a container, its name may be one of the host
            return None

    def fileno(self) -> int:
        """Its file descriptor."""
        return self._fd

    def close(self) -> None:
        """Close it."""
        if not self.closed:
            os.close(self._fd)
        super().close()

    @property
    def is_ours(self) -> bool:
        """Whether this process is in the foreground: in the background, the terminal is the shell's."""
        try:
            return os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:  # not the terminal of this session: no shell shares it out
            return True

    @property
    def size(self) -> tuple[int, int]:
        """Its columns and lines; 80 x 24 where it does not tell."""
        columns, lines = os.get_terminal_size(self._fd)
        return columns or 80, lines or 24

    @property
    def is_behind(self) -> bool:
        """Whether it has not yet taken all that was written."""
        return bool(self._pending)

    def enter(self) -> None:
        """Have keys come one by one and without an echo; Ctrl-C and Ctrl-Z stay signals.

        Raises:
            OSError: The terminal is gone.
        """
        with _termios_errors():
            self._before = termios.tcgetattr(self._fd)
            mode = termios.tcgetattr(self._fd)
            mode[_LFLAG] &= ~(termios.ICANON | termios.ECHO)
            mode[_CC][termios.VMIN], mode[_CC][termios.VTIME] = 1, 0
            termios.tcsetattr(self._fd, termios.TCSANOW, mode)

    def leave(self) -> None:
        """Undo `enter`, and write what is still to be written; does nothing in the background.

        Raises:
            OSError: The terminal is gone.
        """
        before, self._before = self._before, None
        if before is None or not self.is_ours:
            self._pending.clear()
            return
        with _termios_errors():
            for action in (termios.TCOOFF, termios.TCOON):  # together they undo Ctrl-S
                termios.tcflow(self._fd, action)
            self.push(_LAST_WORDS)
            self._pending.clear()
            termios.tcsetattr(self._fd, termios.TCSANOW, before)

    def keys(self) -> str | None:
        """Return the keys pressed since the last call; ``None`` once the terminal is gone."""
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return ""
        except OSError:
            return None
        return pressed(data) if data else None

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, data: ReadableBuffer) -> int:
        """Write `data` as far as the terminal takes it, and keep the rest for `push`.

        In the background it is dropped.

        Raises:
            OSError: The terminal is gone.
        """
        if self.is_ours:
            self._pending += data
            self.push()
        return memoryview(data).nbytes

    def push(self, timeout: float = 0.0) -> None:
        """Write what is kept, as far as the terminal takes it within `timeout` seconds.

        Raises:
            OSError: The terminal is gone.
        """
        writable = select.poll()
        writable.register(self._fd, select.POLLOUT)
        while self._pending and writable.poll(timeout * 1_000):
            try:
                del self._pending[: os.write(self._fd, self._pending)]
            except BlockingIOError:
                return


@contextlib.contextmanager
def _termios_errors() -> Iterator[None]:
    """Raise an error of ``termios`` as the `OSError` that it is not."""
    try:
        yield
    except termios.error as error:
        raise OSError(*error.args) from None
