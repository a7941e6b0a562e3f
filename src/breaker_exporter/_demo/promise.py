"""A promise of ours, as a run confirms or breaks it."""

from __future__ import annotations

from dataclasses import dataclass

LAST_MOMENTS = 3.0
"""Seconds of spans that a killed worker may hold: a batch of the SDK's queue, one second in which ``export``
may wait for an answer, one until what is kept is on disk."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise.

    Attributes:
        text: The promise.
        kept: True if the run confirms it.
        measured: The figures.
    """

    text: str
    kept: bool
    measured: str
