"""Shared circuits in processes that gevent patches; the scenario module has what runs there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("gevent")

from ..semantics._batches import scenarios
from ..semantics._processes import run_patched
from . import gevent_shared_scenarios

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..semantics._batches import Batches


@pytest.mark.parametrize("scenario", scenarios(gevent_shared_scenarios))
def test_in_a_patched_process(scenario: Callable[[], None], batches: Batches) -> None:
    """A scenario that did not run in the shared process, or hung there, gets a process of its own."""
    failure = batches.became(scenario)
    if failure is None:
        run_patched(scenario)
    else:
        assert not failure, failure
