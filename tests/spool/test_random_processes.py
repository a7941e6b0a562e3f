"""Processes that share a spool and die at any step: what was written and not removed is there (K7, K9).

``BREAKER_EXPORTER_SCHEDULES`` and ``BREAKER_EXPORTER_SEED`` do what they do for the other models.
"""

from __future__ import annotations

import os

import pytest

from ..semantics._random_schedules import SCHEDULES, try_schedules
from ._random_processes import ProcessesMachine

pytestmark = [pytest.mark.long, *([pytest.mark.timeout(0)] if os.environ.get(SCHEDULES) else [])]


def test_processes_agree_with_the_model() -> None:
    try_schedules(ProcessesMachine)
