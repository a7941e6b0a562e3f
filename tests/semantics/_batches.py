"""Scenarios of patched processes, run together where they can share one."""

from __future__ import annotations

import fcntl
import inspect
import json
from typing import TYPE_CHECKING, cast

import pytest

from ._processes import run_patched_batch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType


def scenarios(*modules: ModuleType) -> list[object]:
    """Return the scenarios of these modules, as parameters."""
    return [
        pytest.param(scenario, id=name)
        for module in modules
        for name, scenario in vars(module).items()
        if inspect.isfunction(scenario) and scenario.__module__ == module.__name__ and name[0] != "_"
    ]


class Batches:
    """The results of the scenarios that can share a process, as far as this run asks for them.

    Those of a module run together when the first of them is asked about; the workers of pytest-xdist share
    what one of them has run.
    """

    def __init__(self, items: list[pytest.Item], folder: Path) -> None:
        self._folder = folder
        self._ended: dict[str, dict[str, str]] = {}
        self._chosen: dict[str, list[Callable[[], None]]] = {}
        for item in items:
            if isinstance(item, pytest.Function) and "batches" in item.fixturenames:
                scenario: Callable[[], None] = item.callspec.params["scenario"]  # type: ignore[assignment]
                self._chosen.setdefault(scenario.__module__, []).append(scenario)

    def became(self, scenario: Callable[[], None]) -> str | None:
        """Return the traceback of ``scenario``, empty where it passed; ``None`` where it was not run."""
        module = scenario.__module__
        if module not in self._ended:
            self._ended[module] = self._run(module)
        return self._ended[module].get(scenario.__name__)

    def _run(self, module: str) -> dict[str, str]:
        ended = self._folder / f"{module}.json"
        with (self._folder / f"{module}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not ended.exists():
                ended.write_text(json.dumps(run_patched_batch(self._chosen[module])))
        return cast("dict[str, str]", json.loads(ended.read_text()))
