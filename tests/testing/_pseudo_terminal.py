"""A program on a pseudo-terminal of its own, which the test types on and reads."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

_WAIT = 30.0
"""Seconds that a program has for what the test waits for."""
_CONTROLLING = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup has it ignored, which children inherit
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_LFLAG = 3


class PseudoTerminal:
    """Runs `command` as the leader of a session whose terminal this is."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], columns: int = 80, lines: int = 24
    ) -> None:
        self._ours, self._theirs = os.openpty()
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.before = termios.tcgetattr(self._theirs)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _CONTROLLING, *command],
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            env={"TERM": "xterm", **environment},
            start_new_session=True,
        )
        self.raw = ""
        self._read = 0

    def __enter__(self) -> PseudoTerminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)

    @property
    def text(self) -> str:
        """All that was shown so far, without escape sequences, with one blank between any two words."""
        return re.sub(r"\s+", " ", _ESCAPES.sub("", self.raw))

    @property
    def mode(self) -> list[object]:
        """The terminal's mode, as ``termios`` has it."""
        return termios.tcgetattr(self._theirs)

    def echoes(self) -> bool:
        """Return whether keys are collected to lines and echoed, as a shell's are."""
        return self.mode[_LFLAG] & (termios.ICANON | termios.ECHO) != 0  # type: ignore[operator]

    def type(self, keys: str) -> None:
        """Press these keys; what `until` then waits for has to come after them."""
        self._read = len(self.raw)
        os.write(self._ours, keys.encode())

    def until(self, pattern: str) -> re.Match[str]:
        """Wait until what was shown since the latest keys matches `pattern`."""
        deadline = time.monotonic() + _WAIT
        while True:
            shown = re.sub(r"\s+", " ", _ESCAPES.sub("", self.raw[self._read :]))
            if found := re.search(pattern, shown):
                return found
            if not self._readable(deadline - time.monotonic()):
                raise AssertionError(f"{pattern!r} was not shown: {shown[-3_000:]}")
            self.raw += os.read(self._ours, 65_536).decode("utf-8", "replace")

    def end(self) -> int:
        """Wait for the end of the program, and return its exit status."""
        deadline = time.monotonic() + _WAIT
        while self.process.poll() is None:
            if self._readable(0.05):
                self.raw += os.read(self._ours, 65_536).decode("utf-8", "replace")
            assert time.monotonic() < deadline, self.text[-3_000:]
        while self._readable(0):
            self.raw += os.read(self._ours, 65_536).decode("utf-8", "replace")
        return self.process.returncode

    def hang_up(self) -> None:
        """Close it, as a window that is closed does."""
        os.close(self._theirs)
        os.close(self._ours)
        self._ours, self._theirs = os.openpty()

    def _readable(self, timeout: float) -> bool:
        return bool(select.select([self._ours], [], [], max(0.0, timeout))[0])
