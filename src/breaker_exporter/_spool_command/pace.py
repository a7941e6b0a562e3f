"""The pace of sending by hand: so many items a second, and the lease left to others in between."""

from __future__ import annotations

import time

RATE = 5_000.0
"""Items a second. A backend takes more of one busy worker: that of 1,500 spans/s replays up to 6,000."""
_SHARE_OF_OTHERS = 0.25
"""Of the time that the lease was held, it is free then: workers get it, however slow the backend."""


class Pace:
    """Says how long to wait between two batches.

    Args:
        rate: Items a second.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._free_at = 0.0

    def after(self, items: int, began_at: float) -> float:
        """Seconds to wait after a batch of so many items.

        Args:
            items: Number of items; 0 where nothing was sent.
            began_at: Monotonic seconds since which the lease was held.
        """
        now = time.monotonic()
        self._free_at = max(began_at, self._free_at) + items / self._rate
        return max(self._free_at - now, (now - began_at) * _SHARE_OF_OTHERS)
