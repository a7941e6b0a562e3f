"""The moment at which something was written, which outlives its process and the host's boot."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

NO_BOOT = bytes(16)
"""The id of a boot on systems that do not tell it apart from others."""
MOST_NS = 2**64 - 1
_since_boot: Callable[[], int] = (
    functools.partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)
    if hasattr(time, "CLOCK_BOOTTIME")
    else time.monotonic_ns
)


@dataclass(frozen=True, slots=True)
class Stamp:
    """A moment by two clocks: nobody sets the first, and the second is there after a boot too.

    Attributes:
        boot: Id of the boot, 16 bytes.
        since_boot: Nanoseconds since that boot, those of a suspended machine included.
        unix: Nanoseconds of the wall clock since 1970.
    """

    boot: bytes
    since_boot: int
    unix: int

    @classmethod
    def now(cls) -> Stamp:
        return cls(boot_id(), _since_boot(), max(0, time.time_ns()))

    def age_at(self, now: Stamp) -> float:
        """Seconds from this moment to `now`: by the boot's clock within one boot, else by the wall clock.

        Returns:
            0 or more: what is from the future is from now.
        """
        if self.boot == now.boot != NO_BOOT:
            elapsed = now.since_boot - self.since_boot
        else:
            elapsed = now.unix - self.unix
        return max(0.0, elapsed / 1e9)


@functools.cache
def boot_id(file: Path = Path("/proc/sys/kernel/random/boot_id")) -> bytes:
    """The id of this boot; ``NO_BOOT`` where the system has none."""
    try:
        found = bytes.fromhex(file.read_text().strip().replace("-", ""))
    except (OSError, ValueError):
        return NO_BOOT
    return found if len(found) == len(NO_BOOT) else NO_BOOT
