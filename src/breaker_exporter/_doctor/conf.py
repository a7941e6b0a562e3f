"""Gunicorn's configuration: evaluated in a child process, and what is wrong with it."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .._profiles import Profile
from .._sentry_settings import Sentry, SentryMode
from .._settings import Arguments
from . import wiring
from .exporters import needs_no_hooks
from .finding import Finding, Steps, broken, ok
from .listening import Given, Listening

_DEADLINE = 20.0
"""Seconds that a configuration may take."""
_GRACE = 0.5
"""Seconds for a process to end once it has said what it had to say, or was told to."""


@dataclass(frozen=True, slots=True)
class Conf:
    """What Gunicorn would run with.

    Attributes:
        path: The file; ``None`` where there is none.
        given: What it gives in code.
        changes: Variables that it sets or takes away.
        gevent: Whether workers are gevent's.
        seen: Gunicorn's settings, as far as they matter.
    """

    path: str | None = None
    given: Given = field(default_factory=Given)
    changes: dict[str, str | None] = field(default_factory=dict)
    gevent: bool = False
    seen: dict[str, Any] = field(default_factory=dict)


def examine(path: str | None, deadline: float = _DEADLINE) -> Steps[Conf]:
    """Evaluate the configuration, and look at what came of it."""
    seen = _evaluated(path, deadline)
    if seen is None:
        yield broken(
            "conf-hangs",
            f"{path or 'gunicorn.conf.py'} was not evaluated within {deadline:g} s",
            "Gunicorn waits for it too: take network calls and loops out of it",
        )
        return Conf(path)
    path = seen.get("path", path)
    yield from _problems(path, seen)
    if "missing" in seen or "error" in seen:
        return Conf(path)
    is_gevent = wiring.is_gevent(seen)
    if path is None:
        yield ok("conf-none", "no gunicorn.conf.py here: hooks are not looked at", "name it with --conf PATH")
    if "worker_class" in seen and (path is not None or seen["worker_named"]):
        yield from wiring.check_worker(seen)
    if path is not None:
        yield from wiring.check_slots(path, seen, needs_no_hooks(Listening()))
        yield from wiring.check_order(seen)
        yield from wiring.check_names(seen)
    return Conf(path, _given(seen.get("telemetry")), seen.get("changes", {}), is_gevent, seen)


def _evaluated(path: str | None, deadline: float) -> dict[str, Any] | None:
    """What the child says; ``None`` where it says nothing in time."""
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
    finally:
        os.close(reading)
        _end(child)
    if is_late:
        return None
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


def _problems(path: str | None, seen: dict[str, Any]) -> Iterator[Finding]:
    """What keeps Gunicorn from starting."""
    if seen.get("missing"):
        yield broken("conf-missing", f"{path} does not exist", "give the file that Gunicorn is started with")
    elif "error" in seen:
        yield broken(
            "conf-raises",
            f"{path or 'the configuration'} fails: {seen['error']}",
            "Gunicorn does not start with it",
        )
    elif path is not None and "gunicorn_error" in seen:
        yield broken(
            "gunicorn-missing",
            f"Gunicorn cannot be imported: {seen['gunicorn_error']}",
            'pip install "breaker-exporter[gunicorn]"',
        )
    if "settings_error" in seen:
        yield broken("conf-setting", seen["settings_error"], "Gunicorn does not start with it")


def _given(said: dict[str, Any] | None) -> Given:
    if said is None:
        return Given()
    told = dict(said)
    sentry, service_name, profile = told.pop("sentry"), told.pop("service_name"), told.pop("profile")
    if sentry is not None:
        mode = sentry["mode"]
        sentry = Sentry(
            dsn=sentry["dsn"],
            mode=SentryMode(mode) if mode else None,
            traces_sample_rate=sentry["traces_sample_rate"],
        )
    return Given(Arguments(**told, profile=Profile(profile) if profile else None), service_name, sentry)
