"""Remarks of a backend on items that it takes: logged when they begin, and at most once a minute."""

from __future__ import annotations

import logging
import time

from .._base.log import say

_PAUSE = 60.0
"""Seconds."""


class Remarks:
    """Those of one destination.

    Args:
        destination: Scheme, host and port.
    """

    def __init__(self, destination: str) -> None:
        self._destination = destination
        self._is_said = False
        self._quiet_until = 0.0

    def note(self, remark: str) -> None:
        """Say `remark` unless the answer before had one too; empty: the answer has none."""
        before, self._is_said = self._is_said, bool(remark)
        if remark and not before and time.monotonic() >= self._quiet_until:
            self._quiet_until = time.monotonic() + _PAUSE
            say(logging.WARNING, "%s: %s", self._destination, remark)
