"""The cores of a measurement: one for the worker, the others for load and backend."""

from __future__ import annotations

import os


def cores() -> tuple[int, frozenset[int]] | None:
    """Return the worker's core and the others; ``None`` where there is only one, or none can be chosen."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    first, *others = sorted(os.sched_getaffinity(0))
    return (first, frozenset(others)) if others else None
