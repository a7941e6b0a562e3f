"""The bytes of a file with one batch: a header, and the payload as the exporter has encoded it."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass

from .stamp import MOST_NS, Stamp

VERSION = 1
LARGEST = 128 << 20
"""Bytes of the largest payload."""

_MAGIC = b"BRKSPOOL"
_START = struct.Struct(">8sH")
"""Magic, version: each version's files begin with these."""
_FIELDS = struct.Struct(">8sH16sHIII16sQQ")
"""Magic, version, signal, flags, items, length and CRC-32 of the payload, boot id, ns since boot, unix ns."""
_MAY_BE_THERE = 1
"""The one flag."""
_CHECK = struct.Struct(">I")
"""CRC-32 of the fields: items can be counted without reading the payload."""
_MOST_ITEMS = 2**32 - 1
_SIGNAL = re.compile("[a-z]{1,16}")

HEADER = _FIELDS.size + _CHECK.size
"""Bytes of a header."""


class Damaged(ValueError):
    """A file that is none of ours, or no longer what was written."""


class Newer(Exception):
    """A file that a newer version of this package has written."""


@dataclass(frozen=True, slots=True)
class Header:
    """The part of a file that says what follows.

    Attributes:
        signal: Name of the signal.
        items: Number of items, 1 or more.
        length: Bytes of the payload, as many as there are items or more.
        check: CRC-32 of the payload.
        written: The moment from which its age is counted.
        may_be_there: True where the backend may have it: nobody knows what became of a call with it.
    """

    signal: str
    items: int
    length: int
    check: int
    written: Stamp
    may_be_there: bool = False

    @classmethod
    def parsed(cls, data: bytes, size: int) -> Header:
        """Read the header of a file.

        Args:
            data: The first bytes of the file, ``HEADER`` of them or more.
            size: Bytes of the whole file.

        Raises:
            Damaged: These bytes are no header of a file of that size.
            Newer: The version is above ours.
        """
        if len(data) < _START.size or not data.startswith(_MAGIC):
            raise Damaged("it does not begin as a batch does")
        _, version = _START.unpack_from(data)
        if version > VERSION:
            raise Newer(f"version {version}")
        if len(data) < HEADER:
            raise Damaged("it ends within its header")
        (check,) = _CHECK.unpack_from(data, _FIELDS.size)
        if version != VERSION or zlib.crc32(data[: _FIELDS.size]) != check:
            raise Damaged("its header has changed")
        _, _, signal, flags, items, length, payload_check, *written = _FIELDS.unpack_from(data)
        name = signal.rstrip(b"\0").decode("latin-1")
        if not _SIGNAL.fullmatch(name) or not 1 <= items <= length <= LARGEST:
            raise Damaged("its header makes no sense")
        if size != HEADER + length:
            raise Damaged(f"it has {size} bytes and not {HEADER + length}")
        return cls(name, items, length, payload_check, Stamp(*written), bool(flags & _MAY_BE_THERE))

    def to_bytes(self) -> bytes:
        fields = _FIELDS.pack(
            _MAGIC,
            VERSION,
            self.signal.encode("ascii"),
            _MAY_BE_THERE if self.may_be_there else 0,
            self.items,
            self.length,
            self.check,
            self.written.boot,
            self.written.since_boot,
            self.written.unix,
        )
        return fields + _CHECK.pack(zlib.crc32(fields))


@dataclass(frozen=True, slots=True)
class Record:
    """One batch.

    Attributes:
        items: Number of items, at least 1 and at most the bytes of the payload.
        payload: The encoded batch, at most ``LARGEST`` bytes.
        written: The moment from which its age is counted.
        signal: Name of the signal: up to 16 small letters.
        may_be_there: True where the backend may have it.

    Raises:
        ValueError: A value is out of its range.
    """

    items: int
    payload: bytes
    written: Stamp
    signal: str
    may_be_there: bool = False

    def __post_init__(self) -> None:
        if not _SIGNAL.fullmatch(self.signal):
            raise ValueError(f"signal must be 1 to 16 small letters, not {self.signal!r}")
        if not 1 <= self.items <= min(len(self.payload), _MOST_ITEMS) or len(self.payload) > LARGEST:
            raise ValueError(
                f"a batch has 1 byte or more for each item and {LARGEST} at most, "
                f"not {len(self.payload)} for {self.items} items"
            )
        clocks = self.written.since_boot, self.written.unix
        if min(clocks) < 0 or max(clocks) > MOST_NS:
            raise ValueError(f"written must be a moment since 1970, not {self.written}")

    def to_bytes(self) -> bytes:
        check = zlib.crc32(self.payload)
        header = Header(self.signal, self.items, len(self.payload), check, self.written, self.may_be_there)
        return header.to_bytes() + self.payload

    @classmethod
    def parsed(cls, data: bytes) -> Record:
        """Read a whole file.

        Raises:
            Damaged: It is none of ours, or has changed since it was written.
            Newer: A newer version of this package has written it.
        """
        header = Header.parsed(data[:HEADER], len(data))
        payload = data[HEADER:]
        if zlib.crc32(payload) != header.check:
            raise Damaged("its payload has changed")
        return cls(header.items, payload, header.written, header.signal, header.may_be_there)
