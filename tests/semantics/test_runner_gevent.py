"""R1-R5, R7, C3 and S1-S5 in processes that gevent patches; the scenario modules have what runs there."""

from __future__ import annotations

import fcntl
import inspect
import json
import os
from typing import TYPE_CHECKING, cast

import pytest

pytest.importorskip("gevent")

from . import (
    exit_scenarios,
    gevent_cancellation_scenarios,
    gevent_cooperative_scenarios,
    gevent_exit_scenarios,
    gevent_interruption_scenarios,
    gevent_lifetime_scenarios,
    gevent_log_scenarios,
    gevent_scenarios,
    late_patch_scenarios,
    switching_scenarios,
)
from ._processes import run_patched, run_patched_batch, run_plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType


def _scenarios(*modules: ModuleType) -> list[object]:
    return [
        pytest.param(scenario, id=name)
        for module in modules
        for name, scenario in vars(module).items()
        if inspect.isfunction(scenario) and scenario.__module__ == module.__name__ and name[0] != "_"
    ]


class _Batches:
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


@pytest.fixture(scope="session")
def batches(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> _Batches:
    folder = tmp_path_factory.getbasetemp()
    return _Batches(request.session.items, folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)


@pytest.mark.parametrize(
    "scenario",
    _scenarios(
        gevent_scenarios,
        gevent_cooperative_scenarios,
        gevent_cancellation_scenarios,
        gevent_interruption_scenarios,
        gevent_lifetime_scenarios,
        gevent_log_scenarios,
        switching_scenarios,
    ),
)
def test_in_a_patched_process(scenario: Callable[[], None], batches: _Batches) -> None:
    """A scenario that did not run in the shared process, or hung there, gets a process of its own."""
    failure = batches.became(scenario)
    if failure is None:
        run_patched(scenario)
    else:
        assert not failure, failure


@pytest.mark.parametrize("scenario", _scenarios(exit_scenarios, gevent_exit_scenarios))
def test_a_patched_process_ends(scenario: Callable[[], None]) -> None:
    """R4, S5."""
    run_patched(scenario, patience=20)


@pytest.mark.parametrize("scenario", _scenarios(late_patch_scenarios))
def test_in_a_process_that_is_patched_late(scenario: Callable[[], None]) -> None:
    """R1."""
    run_plain(scenario)
