"""Fixtures of the tests of shared circuits: a clock to move, a circuit on it, and its exporters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from breaker_exporter import SharedCircuit

from ..retention.conftest import make
from ..semantics.conftest import batches, clock, deadlines, handle_when, no_error_is_logged

if TYPE_CHECKING:
    from breaker_exporter.testing import ManualClock

__all__ = ["batches", "clock", "deadlines", "handle_when", "make", "no_error_is_logged"]


@pytest.fixture
def shared(clock: ManualClock) -> SharedCircuit:
    """Opens by two failures, for ten seconds at first."""
    return SharedCircuit(failure_threshold=2, cooldown=10, max_cooldown=40, jitter=0, clock=clock)
