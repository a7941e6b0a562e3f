"""A pause in long work on the caller's side, such as packing a batch."""

from __future__ import annotations

from .._concurrency import hub
from .._concurrency.thrown import waiting

_PAUSE = 0.001
"""Seconds. A request takes several turns of the hub: with a piece of work in each it would wait for many."""


def rest() -> None:
    """Let others run between two pieces of work."""
    with waiting():
        hub.yield_to_hub(_PAUSE)
