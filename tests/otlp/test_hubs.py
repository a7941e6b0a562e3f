"""Connections under gevent belong to one hub each; the scenario module has what runs there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("gevent")

from ..semantics._batches import scenarios
from ..semantics._processes import run_patched
from . import hub_scenarios


@pytest.mark.parametrize("scenario", scenarios(hub_scenarios))
def test_connections_cross_no_hub(scenario: Callable[[], None]) -> None:
    run_patched(scenario)
