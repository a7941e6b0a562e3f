"""K14: a sender that is killed is started again. In processes that gevent patches first."""

from __future__ import annotations

import pytest

from ..semantics._processes import run_patched

pytest.importorskip("gevent")

from . import gevent_kill_scenarios as scenarios


def test_a_killed_sender_that_was_taken_for_alive_is_started_again() -> None:
    run_patched(scenarios.woken_before_its_end_was_noticed)


def test_a_sender_is_killed_without_a_word() -> None:
    run_patched(scenarios.without_a_word)
