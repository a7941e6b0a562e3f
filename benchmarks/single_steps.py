"""The time that single steps take, measured by pytest-benchmark with the tests in ``micro/``."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_HERE = Path(__file__).parent
ESTIMATE = 20.0
"""Seconds the single steps take, about."""


def single_steps(check: Callable[[], None]) -> dict[str, float]:
    """Return the seconds that each step takes, by its name.

    Args:
        check: Called ten times a second; an exception of it ends the run.

    Raises:
        CalledProcessError: A step failed.
    """
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "micro.json"
        command = [
            sys.executable,
            "-m",
            "pytest",
            str(_HERE / "micro"),
            "-q",
            "--no-header",
            "-p",
            "no:xdist",
        ]
        _run([*command, f"--benchmark-json={path}"], check)
        found: dict[str, float] = {}
        for benchmark in json.loads(path.read_text())["benchmarks"]:
            seconds = benchmark["extra_info"].get("seconds", benchmark["stats"]["median"])
            found[benchmark["name"].removeprefix("test_")] = seconds
    return found


def _run(command: Sequence[str], check: Callable[[], None]) -> None:
    """Run a command in a process group of its own, and end the whole group."""
    process = subprocess.Popen(command, cwd=_HERE.parent, start_new_session=True)
    try:
        while process.poll() is None:
            check()
            time.sleep(0.1)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
