"""A pause in long work on the caller's side, such as packing a batch."""

from __future__ import annotations

from .._concurrency import hub
from .._concurrency.thrown import waiting


def rest() -> None:
    """Let others run between two pieces of work."""
    with waiting():
        hub.yield_to_hub()
