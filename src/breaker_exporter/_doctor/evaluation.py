"""Runs the child process that evaluates a configuration, and leaves nothing of it behind."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_GRACE = 0.5
"""Seconds for a process to end once it has said what it had to say, or was told to."""
_CHILD = Path(__file__).with_name("child.py")
_FRAME = re.compile(r'  File "(.+)", line (\d+)')


def evaluated(path: str | None, deadline: float) -> dict[str, Any]:
    """What the child says; where it says nothing in time, ``hangs`` has the line that it is at, if known."""
    reading, writing = os.pipe()
    command = [
        sys.executable,
        "-m",
        "breaker_exporter._doctor.child",
        str(writing),
        *([path] if path else []),
    ]
    child = subprocess.Popen(
        command,
        pass_fds=(writing,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # whatever the configuration prints is no part of the report
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(writing)
    try:
        said = b"".join(_read(reading, deadline))
        is_late = not said and not _ends(child, _GRACE)
        if is_late:
            child.send_signal(signal.SIGUSR1)
            said = b"".join(_read(reading, _GRACE))
    finally:
        os.close(reading)
        _end(child)
    if is_late:
        return {"hangs": _place_in(said.decode(errors="replace"))}
    try:
        seen: dict[str, Any] = json.loads(said)
    except ValueError:
        return {"error": f"it ends the process, with status {child.returncode}", "path": path}
    return seen


def _ends(child: subprocess.Popen[bytes], seconds: float) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(seconds)
    return child.returncode is not None


def _end(child: subprocess.Popen[bytes]) -> None:
    """Leave nothing behind, what the configuration started included."""
    _ends(child, _GRACE)
    if _signalled(child, signal.SIGTERM):
        deadline = time.monotonic() + _GRACE
        while _signalled(child, 0) and time.monotonic() < deadline:
            time.sleep(0.01)
        _signalled(child, signal.SIGKILL)
    child.wait()


def _signalled(child: subprocess.Popen[bytes], number: int) -> bool:
    """Whether there was somebody to take the signal: the child, or what it started."""
    child.poll()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)
        return True
    return False


def _read(descriptor: int, seconds: float) -> Iterator[bytes]:
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            if not (data := os.read(descriptor, 1 << 16)):
                return
            yield data


def _place_in(stack: str) -> str:
    """The line of the configuration, and the innermost one, in what ``faulthandler`` wrote."""
    frames = [(Path(path), line) for path, line in _FRAME.findall(stack)]
    theirs = list(itertools.takewhile(lambda frame: frame[0] != _CHILD, frames))
    told = [f"{path.name}:{line}" for path, line in (theirs[-1:] + theirs[:1])]
    return " in ".join(dict.fromkeys(told))
