"""Commands whose output ends early: a closed pipe, as in ``... | head``, and a full disk."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import sys
from collections.abc import Callable

_BROKEN_PIPE = 141
"""The exit status that a shell shows for a process ended by SIGPIPE."""
_NOT_WRITTEN = 74
"""EX_IOERR of sysexits.h; the doctor uses 1 and 2 for its findings."""


def until_nobody_reads(main: Callable[[], int]) -> int:
    """Run `main`; return its exit status, or 141 once standard output or error is a closed pipe.

    Output to one that was never open is discarded. A full disk is exit status 74.
    """
    with contextlib.ExitStack() as opened:
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:
                setattr(sys, name, opened.enter_context(open(os.devnull, "w")))
                opened.callback(setattr, sys, name, None)
        return _run(main)


def _run(main: Callable[[], int]) -> int:
    try:
        try:
            return main()
        finally:
            sys.stdout.flush()  # else the interpreter does it at exit, and reports the error
    except BrokenPipeError:
        if not _discarded():
            raise
        return _BROKEN_PIPE
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        with contextlib.suppress(OSError):
            sys.stderr.write(f"the output cannot be written: {error.strerror}\n")
            sys.stderr.flush()
        _discard(sys.stdout.fileno())
        return _NOT_WRITTEN


def _discarded() -> bool:
    """Send the rest of output that nobody reads to the null device; return whether there was any."""
    gone = [stream.fileno() for stream in (sys.stdout, sys.stderr) if _nobody_reads(stream.fileno())]
    for descriptor in gone:
        _discard(descriptor)
    return bool(gone)


def _discard(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)


def _nobody_reads(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, 0)  # errors are reported without being asked for
    return bool(poll.poll(0))
