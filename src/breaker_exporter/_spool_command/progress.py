"""The progress of sending: a bar that is drawn anew on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TextIO

_WIDTH = 24
_EVERY = 0.1
"""Seconds between two bars."""
_LINE_EVERY = 10.0
"""Seconds between two lines, where no terminal shows a bar."""


class Progress:
    """Shows how much is done, while it is entered.

    Args:
        stream: Where to.
        unit: The name of what is counted, in the plural.
        total: Number of items; more may come.
    """

    def __init__(self, stream: TextIO, unit: str, total: int) -> None:
        self._stream = stream
        self._unit = unit
        self._total = total
        self._done = 0
        self._is_bar = stream.isatty()
        self._began_at = time.monotonic()
        self._shown_at = self._began_at
        self._length = 0

    def add(self, items: int) -> None:
        """So many more are done."""
        self._done += items
        self._total = max(self._total, self._done)
        now = time.monotonic()
        if now - self._shown_at >= (_EVERY if self._is_bar else _LINE_EVERY):
            self._shown_at = now
            self._show(self._text(now - self._began_at))

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def clear(self) -> None:
        """Remove the bar, until it is drawn again."""
        if self._length:
            self._stream.write(f"\r{' ' * self._length}\r")
            self._stream.flush()
            self._length = 0

    def _text(self, seconds: float) -> str:
        share = self._done / self._total if self._total else 1.0
        speed = self._done / seconds if seconds else 0.0
        left = f", {(self._total - self._done) / speed:,.0f} s left" if speed else ""
        text = f"{share:4.0%}  {self._done:,} of {self._total:,} {self._unit}, {speed:,.0f}/s{left}"
        if not self._is_bar:
            return text
        full = round(share * _WIDTH)
        return f"[{'#' * full}{'.' * (_WIDTH - full)}] {text}"

    def _show(self, text: str) -> None:
        if self._is_bar:
            self._stream.write(f"\r{text.ljust(self._length)}")
            self._length = len(text)
        else:
            self._stream.write(f"{text}\n")
        self._stream.flush()
