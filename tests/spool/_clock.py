"""The two clocks of a host, moved by the test."""

from __future__ import annotations

from breaker_exporter._spool.stamp import Stamp

DAY = 86_400


class Clock:
    """Gives stamps; a day after its boot as it begins."""

    def __init__(self) -> None:
        self._boots = 1
        self._since_boot = DAY * 10**9
        self._unix = 1_800_000_000 * 10**9

    def __call__(self) -> Stamp:
        self._since_boot += 1_000  # no two moments are the same
        self._unix += 1_000
        return Stamp(self._boots.to_bytes(16, "big"), self._since_boot, self._unix)

    def advance(self, seconds: float) -> None:
        self._since_boot += int(seconds * 1e9)
        self._unix += int(seconds * 1e9)

    def set_wall(self, seconds: float) -> None:
        """Somebody sets the wall clock forward or, below 0, back."""
        self._unix += int(seconds * 1e9)

    def reboot(self) -> None:
        self._boots += 1
        self._since_boot = 0
        self.advance(30)
