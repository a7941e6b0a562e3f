"""What every command line of this package does when its reader goes away, as in ``... | head``."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable

_BROKEN_PIPE = 141
"""The exit status that a shell shows for a process ended by SIGPIPE."""


def until_nobody_reads(main: Callable[[], int]) -> int:
    """Run `main`; its exit status, or 141 without a word once standard output or error is closed."""
    try:
        try:
            return main()
        finally:
            sys.stdout.flush()  # else the interpreter does it at exit, and reports the error
    except BrokenPipeError:
        if not _discarded():
            raise
        return _BROKEN_PIPE


def _discarded() -> bool:
    """Send what is left of output that nobody reads to the null device; true if there was such output."""
    gone = [stream.fileno() for stream in (sys.stdout, sys.stderr) if _nobody_reads(stream.fileno())]
    for descriptor in gone:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, descriptor)
        os.close(null)
    return bool(gone)


def _nobody_reads(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, 0)  # errors are always told
    return bool(poll.poll(0))
