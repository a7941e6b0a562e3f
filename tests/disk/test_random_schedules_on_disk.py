"""Random schedules with a directory: sums, memory, and that each item has one end (K12).

``BREAKER_EXPORTER_SCHEDULES=8000`` runs that many new ones; without it a small lot, the same each time.
"""

from __future__ import annotations

import os

import pytest

from ..semantics._random_schedules import SCHEDULES, try_schedules
from ._random_schedules import DiskMachine

_LONG = bool(os.environ.get(SCHEDULES))
pytestmark = [pytest.mark.long, *([pytest.mark.timeout(0)] if _LONG else [])]


def test_threads_with_a_disk_keep_the_sums() -> None:
    try_schedules(DiskMachine)
