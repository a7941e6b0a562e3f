"""R1-R5, R7, C3, K13, S1-S5 in processes that gevent patches; the scenario modules have what runs there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("gevent")

from . import (
    exit_scenarios,
    gevent_cancellation_scenarios,
    gevent_cooperative_scenarios,
    gevent_disk_scenarios,
    gevent_exit_scenarios,
    gevent_interruption_scenarios,
    gevent_lifetime_scenarios,
    gevent_log_scenarios,
    gevent_scenarios,
    gevent_signal_scenarios,
    late_patch_scenarios,
    switching_scenarios,
)
from ._batches import scenarios
from ._processes import run_patched, run_plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._batches import Batches


@pytest.mark.parametrize(
    "scenario",
    scenarios(
        gevent_scenarios,
        gevent_cooperative_scenarios,
        gevent_disk_scenarios,
        gevent_cancellation_scenarios,
        gevent_interruption_scenarios,
        gevent_lifetime_scenarios,
        gevent_log_scenarios,
        gevent_signal_scenarios,
        switching_scenarios,
    ),
)
def test_in_a_patched_process(scenario: Callable[[], None], batches: Batches) -> None:
    """A scenario that did not run in the shared process, or hung there, gets a process of its own."""
    failure = batches.became(scenario)
    if failure is None:
        run_patched(scenario)
    else:
        assert not failure, failure


@pytest.mark.parametrize("scenario", scenarios(exit_scenarios, gevent_exit_scenarios))
def test_a_patched_process_ends(scenario: Callable[[], None]) -> None:
    """R4, S5."""
    run_patched(scenario, patience=20)


@pytest.mark.parametrize("scenario", scenarios(late_patch_scenarios))
def test_in_a_process_that_is_patched_late(scenario: Callable[[], None]) -> None:
    """R1."""
    run_plain(scenario)
