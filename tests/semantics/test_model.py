"""Random schedules of exports, faults, cancellations, forks and shutdowns against the model.

``BREAKER_EXPORTER_SCHEDULES=8000`` runs that many new ones; without it a small lot, the same each time.
One that fails names its seed, and ``BREAKER_EXPORTER_SEED`` runs the same schedules again.
"""

from __future__ import annotations

import os

import pytest

from ._processes import run_patched
from ._random_schedules import SCHEDULES, HangingMachine, QueueingMachine, try_schedules

_LONG = bool(os.environ.get(SCHEDULES))
pytestmark = [pytest.mark.long, *([pytest.mark.timeout(0)] if _LONG else [])]


@pytest.mark.parametrize("machine", [HangingMachine, QueueingMachine])
def test_threads_agree_with_the_model(machine: type[HangingMachine | QueueingMachine]) -> None:
    try_schedules(machine)


@pytest.mark.parametrize("name", ["hang", "queue"])
def test_greenlets_agree_with_the_model(name: str) -> None:
    pytest.importorskip("gevent")
    from . import gevent_random_schedules

    run_patched(getattr(gevent_random_schedules, name), patience=86_400 if _LONG else 100)
