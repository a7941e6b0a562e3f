"""The pipe from a measured process to the measuring one: both ends, and lines of JSON."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from typing import Any

FD_VARIABLE = "BREAKER_EXPORTER_DEMO_FD"
"""Variable with the descriptor of the child's end.

The value stays: ``benchmarks compare`` runs services of older commits, which know this one.
"""
_CHUNK = 1 << 16


def say(line: Mapping[str, object]) -> None:
    """Write a line, from the child.

    Raises:
        BlockingIOError: The pipe is full, and was made not to block.
        BrokenPipeError: The measuring process is gone.
    """
    os.write(_descriptor(), json.dumps(line).encode() + b"\n")


def say_or_end(line: Mapping[str, object]) -> None:
    """Write a line, from a service; a full pipe loses it, a pipe without a reader ends the service.

    Without a reader the measuring process is gone, and its services must not outlive it: SIGTERM goes to the
    whole process group.
    """
    try:
        say(line)
    except BlockingIOError:
        pass
    except BrokenPipeError:
        os.killpg(0, signal.SIGTERM)


def set_blocking(blocking: bool) -> None:
    """Choose what a full pipe does to the child: block it, or raise ``BlockingIOError``."""
    os.set_blocking(_descriptor(), blocking)


def _descriptor() -> int:
    return int(os.environ[FD_VARIABLE])


class Lines:
    """The end of the pipe in the measuring process.

    Attributes:
        writing: The child's end; closed here once the child has it.
    """

    def __init__(self) -> None:
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._rest = b""

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        return self._reading

    def read(self) -> list[dict[str, Any]] | None:
        """Return the lines that have come since the last call, or ``None`` after the last one."""
        try:
            chunk = os.read(self._reading, _CHUNK)
        except BlockingIOError:
            return []
        if not chunk:
            return None
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """Close this end."""
        os.close(self._reading)
