"""R1-R5, R7, C3 and S1-S5 in processes that gevent patches; what runs there is in the scenario modules."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("gevent")

from . import (
    exit_scenarios,
    gevent_log_scenarios,
    gevent_scenarios,
    late_patch_scenarios,
)
from ._processes import run_patched, run_patched_batch, run_plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


def _scenarios(*modules: ModuleType) -> list[object]:
    return [
        pytest.param(scenario, id=name)
        for module in modules
        for name, scenario in vars(module).items()
        if inspect.isfunction(scenario) and scenario.__module__ == module.__name__ and name[0] != "_"
    ]


@pytest.fixture(scope="module")
def batch(request: pytest.FixtureRequest) -> dict[str, str]:
    """What became of the scenarios that can share a process, as far as they were asked for in this run."""
    chosen: dict[str, list[Callable[[], None]]] = {}
    for item in request.session.items:
        if isinstance(item, pytest.Function) and "batch" in item.fixturenames:
            scenario: Callable[[], None] = item.callspec.params["scenario"]  # type: ignore[assignment]
            chosen.setdefault(scenario.__module__, []).append(scenario)
    ended: dict[str, str] = {}
    for scenarios in chosen.values():
        ended.update(run_patched_batch(scenarios))
    return ended


@pytest.mark.parametrize("scenario", _scenarios(gevent_scenarios, gevent_log_scenarios))
def test_in_a_patched_process(scenario: Callable[[], None], batch: dict[str, str]) -> None:
    """One that did not get its turn in the shared process, or got that stuck, has one of its own."""
    failure = batch.get(scenario.__name__)
    if failure is None:
        run_patched(scenario)
    else:
        assert not failure, failure


@pytest.mark.parametrize("scenario", _scenarios(exit_scenarios))
def test_a_patched_process_ends(scenario: Callable[[], None]) -> None:
    """R4, S5."""
    run_patched(scenario, patience=20)


@pytest.mark.parametrize("scenario", _scenarios(late_patch_scenarios))
def test_in_a_process_that_is_patched_late(scenario: Callable[[], None]) -> None:
    """R1."""
    run_plain(scenario)
