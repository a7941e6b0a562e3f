"""Bytes that all files of a service take, as the holder of a lease counted them for all processes."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from .stamp import Stamp

_FIELDS = struct.Struct(">QQ16sQ")
"""Bytes, unix ns, boot id, ns since boot."""
_CHECK = struct.Struct(">I")
SIZE = _FIELDS.size + _CHECK.size


@dataclass(frozen=True, slots=True)
class Figure:
    """A sum and its moment.

    Attributes:
        total: Bytes.
        at: The moment at which counting began.
    """

    total: int
    at: Stamp

    def is_fresh_at(self, now: Stamp, seconds: float) -> bool:
        """True where it was counted in this boot, at most so many seconds ago."""
        return self.at.boot == now.boot and self.at.age_at(now) <= seconds

    def to_bytes(self) -> bytes:
        fields = _FIELDS.pack(self.total, self.at.unix, self.at.boot, self.at.since_boot)
        return fields + _CHECK.pack(zlib.crc32(fields))

    @classmethod
    def parsed(cls, data: bytes) -> Figure | None:
        """Read a figure; ``None`` where there is none, or half of one."""
        if len(data) != SIZE or zlib.crc32(data[: _FIELDS.size]) != _CHECK.unpack_from(data, _FIELDS.size)[0]:
            return None
        total, unix, boot, since_boot = _FIELDS.unpack_from(data)
        return cls(total, Stamp(boot, since_boot, unix))
