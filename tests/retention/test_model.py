"""Random schedules with retention against the model: accounts, order, budget, forks and shutdowns (K12).

``BREAKER_EXPORTER_SCHEDULES=8000`` runs that many new ones; without it a small lot, the same each time.
One that fails names its seed, and ``BREAKER_EXPORTER_SEED`` runs the same schedules again.
"""

from __future__ import annotations

import os

import pytest

from ..semantics._processes import run_patched
from ..semantics._random_schedules import SCHEDULES, try_schedules
from ._random_schedules import SteppingMachine
from ._running import RunningMachine

_LONG = bool(os.environ.get(SCHEDULES))
pytestmark = [pytest.mark.long, *([pytest.mark.timeout(0)] if _LONG else [])]


@pytest.mark.parametrize("machine", [SteppingMachine, RunningMachine])
def test_threads_agree_with_the_model(machine: type[SteppingMachine | RunningMachine]) -> None:
    try_schedules(machine)


@pytest.mark.parametrize("name", ["step", "run"])
def test_greenlets_agree_with_the_model(name: str) -> None:
    pytest.importorskip("gevent")
    from . import gevent_random_schedules

    run_patched(getattr(gevent_random_schedules, name), patience=86_400 if _LONG else 100)
