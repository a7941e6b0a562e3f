"""The values that the command takes: a duration, a rate."""

from __future__ import annotations

import argparse
import re

from .._base.argument_types import number

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smhd])")
FASTEST = 1_000_000
"""Items a second."""


def duration(text: str) -> float:
    """Seconds of a duration such as ``90s``, ``15m``, ``2h`` or ``7d``.

    Raises:
        ArgumentTypeError: It is none.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"must be a duration such as 90s, 15m, 2h or 7d, not {text!r}")
    return float(found[1]) * _UNITS[found[2]]


def rate(text: str) -> float:
    """Items a second.

    Raises:
        ArgumentTypeError: It is no such number.
    """
    return number("items a second", FASTEST, text)
