"""Loss that opens no circuit, as the log tells it: how much it is, and since when (G3).

All times are seconds on the circuit's clock.
"""

from __future__ import annotations

import logging

from .._base.log import Line, counted

SUMMARY_EVERY = 60.0
"""Seconds."""


class Pending:
    """Failures while the circuit is closed: it may still open, and then they are part of that outage."""

    def __init__(self) -> None:
        self.since: float | None = None
        self._items = 0
        self._reason = ""

    def add(self, items: int, reason: str, now: float) -> None:
        self.since = now if self.since is None else self.since
        self._items += items
        self._reason = reason

    def taken(self) -> tuple[int, str]:
        taken = self._items, self._reason
        self.since, self._items, self._reason = None, 0, ""
        return taken


class Summary:
    """Loss that opens no circuit: a line as it begins, one a minute while it lasts, one when it is over."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._items = 0
        self._reason = ""
        self._told = 0
        self._began: float | None = None
        self._last_at = 0.0
        self._said_at = 0.0

    def add(self, items: int, reason: str, now: float) -> None:
        if items:
            self._items += items
            self._reason = reason
            self._last_at = now

    def due(self, now: float, *, in_outage: bool) -> Line | None:
        if self._began is None:
            if not self._items:
                return None
            self._began = now
            effect = "" if in_outage else "this opens no circuit, "
            text = "%s lost: %s; %sa line a minute follows while it lasts"
            return self._line(now, text, counted(self._items, self._unit), self._reason, effect)
        elapsed = now - self._said_at
        if elapsed < SUMMARY_EVERY:
            return None
        if self._items:
            text = "%s lost in the last %.0f s, %d since this began %.0f s ago; the last reason: %s"
            lost, total = counted(self._items, self._unit), self._told + self._items
            return self._line(now, text, lost, elapsed, total, now - self._began, self._reason)
        text = "the loss that opened no circuit is over: %s lost in %.0f s; the last reason: %s"
        lost = counted(self._told, self._unit)
        line = self._line(now, text, lost, self._last_at - self._began, self._reason)
        self._told, self._began = 0, None
        return line

    def _line(self, now: float, text: str, *args: object) -> Line:
        self._told += self._items
        self._items = 0
        self._said_at = now
        return Line(logging.WARNING, text, args)
