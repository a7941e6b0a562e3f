"""Types of command-line arguments that several commands take."""

from __future__ import annotations

import argparse
import math


def number(of: str, most: float, text: str) -> float:
    """A number above 0.

    Args:
        of: The unit, for the error.
        most: The largest that is allowed.
        text: As given.

    Raises:
        ArgumentTypeError: It is no such number.
    """
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if 0 < found <= most:
        return found
    raise argparse.ArgumentTypeError(f"must be a number of {of}, above 0 and at most {most:,}, not {text!r}")
