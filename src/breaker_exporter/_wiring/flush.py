"""One call of ``force_flush``: the spans that it waits for, and the wait."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .._concurrency.parker import new_parker
from .._concurrency.thrown import passing_on

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


class Flush:
    """Waits until every span that had ended before it is exported, refused or dropped.

    Args:
        seconds: The longest wait.
    """

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        # Ids of objects, alive or gone: an earlier span that is still queued cannot have the same id.
        self._later: set[int] = set()
        self._exported: bool | None = None
        self._parker = new_parker()

    @property
    def is_over(self) -> bool:
        """True once it has ended, or its time is over."""
        return self._exported is not None or time.monotonic() >= self._deadline

    @property
    def left(self) -> float:
        """Seconds that are left of its time."""
        return max(0.0, self._deadline - time.monotonic())

    def ignore(self, span: ReadableSpan) -> None:
        """Not wait for a span that ends only now."""
        if not self.is_over:
            self._later.add(id(span))

    def ignores(self, span: ReadableSpan) -> bool:
        """True where the span ended after the flush had begun."""
        return id(span) in self._later

    def end(self, *, exported: bool) -> None:
        """Wake the caller. The first call counts."""
        if self._exported is None:
            self._exported = exported
            self._parker.unpark()

    def wait(self) -> bool:
        """Wait for the end; true where the spans were exported in time."""
        with passing_on():
            while self._exported is None and self.left > 0:
                self._parker.park(self.left)
        return self._exported is True
