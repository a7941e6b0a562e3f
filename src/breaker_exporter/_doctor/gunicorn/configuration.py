"""Gunicorn's configuration, evaluated in a process of its own, of which nothing is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..report import Finding, Level, Steps, broken
from ..settings.given import Given
from .raised import failed

_DEADLINE = 20.0
"""Seconds that a configuration may take."""
_GRACE = 1.0
"""Seconds more for the process to say where it hangs."""
_CHILD = str(Path(__file__).with_name("child.py"))
_FRAME = re.compile(r'  File "(.+)", line (\d+)')


@dataclass(frozen=True, slots=True)
class Conf:
    """The configuration that Gunicorn would run with.

    Attributes:
        path: The configuration file; ``None`` where there is none.
        given: What the configuration gives to ``Telemetry`` in code.
        changes: Variables that the configuration sets, or with ``None`` takes away.
        gevent: True if workers are gevent's.
        graceful_timeout: Gunicorn's setting, in seconds.
        timeout: Gunicorn's setting, in seconds; 0 for none.
        workers: Gunicorn's setting; 0 where it is not known.
    """

    path: str | None = None
    given: Given = field(default_factory=Given)
    changes: dict[str, str | None] = field(default_factory=dict)
    gevent: bool = False
    graceful_timeout: float = 30
    timeout: float = 0
    workers: int = 0


def examine(path: str | None, deadline: float = _DEADLINE) -> Steps[Conf]:
    """Find what is wrong with the configuration, and return what Gunicorn makes of it."""
    written, status = _written_by_child(path, deadline)
    try:
        seen: dict[str, Any] = json.loads(written)
    except ValueError:
        if status is None or written:
            place = _place_in(written.decode(errors="replace"))
            text = f"{path or 'gunicorn.conf.py'} was not evaluated within {deadline:g} s{place}"
            yield broken("conf-hangs", text, "remove network calls and loops: Gunicorn waits for them too")
        else:
            yield failed(path, f"it ends the process, with status {status}")
        return Conf(path)
    for level, check, text, advice, brief, todo in seen.pop("findings"):
        yield Finding(Level(level), check, text, advice, brief, tuple(todo))
    return Conf(**{**seen, "given": Given.of_json(seen.get("given"))})


def _written_by_child(path: str | None, deadline: float) -> tuple[bytes, int | None]:
    """Return what the child wrote, and its exit status, which is ``None`` for one that was given up."""
    module, ends_at = __name__.rpartition(".")[0] + ".child", time.monotonic() + deadline
    with subprocess.Popen(
        [sys.executable, "-m", module, str(ends_at), *([path] if path else [])],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as child:
        try:
            return child.communicate(timeout=deadline + _GRACE)[0], child.returncode
        except subprocess.TimeoutExpired as late:
            return late.output or b"", None
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)  # the processes that the configuration started, too


def _place_in(stacks: str) -> str:
    """Return the line of the configuration and the innermost one, in what ``faulthandler`` wrote."""
    for stack in stacks.split("hread 0x"):
        frames = _FRAME.findall(stack)
        theirs = frames[: next((n for n, (file, _) in enumerate(frames) if file == _CHILD), 0)]
        if theirs:
            places = [f"{Path(file).name}:{line}" for file, line in (theirs[-1], theirs[0])]
            return f"; it is at {' in '.join(dict.fromkeys(places))}"
    return ""
