"""Runs a scenario in a fresh process: one that gevent patches first, or one that may end or hang."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .._strict import STRICT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PATCH = """
# Native threads are started behind threading's back: without this, no coverage tool sees what they do.
import _thread, os, sys, threading
def _start_traced(function, args, kwargs={}, start=_thread.start_new_thread):
    if error := getattr(sys, "start_error", None):  # set by a scenario in which no thread can start
        raise error
    return start(lambda: (sys.settrace(threading.gettrace()), function(*args, **kwargs)), ())
_thread.start_new_thread = _start_traced
# In a forked child it makes its lock anew: gevent's by then, over which a thread and a greenlet get stuck.
def _give_coverage_a_native_lock(allocate=_thread.allocate_lock):
    coverage = sys.modules.get("coverage")
    collector = coverage and getattr(coverage.Coverage.current(), "_collector", None)
    if getattr(collector, "data_lock", None):
        collector.data_lock = allocate()
os.register_at_fork(after_in_child=_give_coverage_a_native_lock)
from gevent import monkey
monkey.patch_all()
"""
_WATCH = """
import faulthandler
faulthandler.dump_traceback_later({patience}, exit=True)
"""
_LOAD = """
import importlib
scenario = getattr(importlib.import_module({module!r}), {function!r})
"""
_BATCH = """
import importlib
importlib.import_module({batch!r}).run({module!r}, {names!r})
"""

_IMPORTS = 60.0
"""Seconds that a busy machine may take for the imports, which are no part of a scenario."""


def run_patched(scenario: Callable[[], None], *, patience: float = 40.0) -> str:
    """Run ``scenario`` in a process that gevent patched before anything else; return its output.

    It has `patience` seconds from its start to the end of its process.
    """
    return _run(_PATCH, scenario, patience)


def run_plain(scenario: Callable[[], None], *, patience: float = 40.0) -> str:
    """Run ``scenario`` in a process of its own that nobody has patched; return its output.

    It has `patience` seconds from its start to the end of its process.
    """
    return _run("", scenario, patience)


def run_code(code: str, *, path: Path | None = None, patience: float = 40.0) -> str:
    """Run ``code`` in a fresh process, with ``path`` first on its import path; return its output."""
    roots = [str(path)] if path else []
    return _finish(code, roots, patience)


def run_patched_batch(scenarios: Sequence[Callable[[], None]], *, patience: float = 100.0) -> dict[str, str]:
    """Run scenarios of one module in one patched process, up to the first that fails.

    Returns:
        The traceback of each that has run, by name; empty text where it passed. One that was not run, or
        at which the process ended or hung, is missing.
    """
    module = scenarios[0].__module__
    names = [scenario.__name__ for scenario in scenarios]
    code = (
        _PATCH
        + _WATCH.format(patience=patience)
        + _BATCH.format(batch=f"{__package__}._scenario_runner", module=module, names=names)
    )
    said = _execute(code, [_root()], patience).stdout
    lines = [line for line in said.splitlines() if line.startswith("[")]
    return dict(json.loads(line) for line in lines)


def _run(prelude: str, scenario: Callable[[], None], patience: float) -> str:
    code = prelude + _LOAD.format(module=scenario.__module__, function=scenario.__qualname__)
    code += _WATCH.format(patience=patience) + "scenario()\n"
    return _finish(code, [_root()], _IMPORTS + patience)


def _root() -> str:
    return str(Path(__file__).parents[__name__.count(".")])


def _finish(code: str, roots: list[str], patience: float) -> str:
    done = _execute(code, roots, patience)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def _execute(code: str, roots: list[str], patience: float) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ)
    inherited = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = os.pathsep.join([*roots, *([inherited] if inherited else [])])
    return subprocess.run(
        [sys.executable, *STRICT, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=patience + 10,
        check=False,
    )
