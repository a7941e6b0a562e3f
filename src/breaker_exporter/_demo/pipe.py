"""Lines of JSON from a child to the demo: both ends of the pipe."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

FD_VARIABLE = "BREAKER_EXPORTER_DEMO_FD"
"""Names the child's end."""
_CHUNK = 1 << 16


def say(line: Mapping[str, object]) -> None:
    """Write a line, from the child.

    Raises:
        BlockingIOError: The pipe is full, and was made not to block.
        BrokenPipeError: The demo is gone.
    """
    os.write(int(os.environ[FD_VARIABLE]), json.dumps(line).encode() + b"\n")


class Lines:
    """The demo's end.

    Attributes:
        writing: The child's end, until the child has it and it is closed here.
    """

    def __init__(self) -> None:
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._rest = b""

    def fileno(self) -> int:
        """For a selector."""
        return self._reading

    def read(self) -> list[dict[str, Any]] | None:
        """The lines that have come since the last call, or ``None`` after the last one."""
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
