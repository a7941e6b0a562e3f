"""The bytes of a file (K7): what was written is read, and nothing else ever is."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breaker_exporter._spool.record import HEADER, LARGEST, Damaged, Header, Newer, Record
from breaker_exporter._spool.stamp import Stamp

from ._files import record

NUMBERS = st.integers(0, 2**64 - 1)
STAMPS = st.builds(Stamp, st.binary(min_size=16, max_size=16), NUMBERS, NUMBERS)


@st.composite
def records(draw: st.DrawFn) -> Record:
    payload = draw(st.binary(min_size=1, max_size=200))
    signal = draw(st.from_regex("[a-z]{1,16}", fullmatch=True))
    return Record(
        draw(st.integers(1, len(payload))), payload, draw(STAMPS), signal, may_be_there=draw(st.booleans())
    )


def read(data: bytes) -> Record | None:
    try:
        return Record.parsed(data)
    except (Damaged, Newer):
        return None


@settings(deadline=None, derandomize=True)
@given(records())
def test_what_was_written_is_read(written: Record) -> None:
    assert Record.parsed(written.to_bytes()) == written


@settings(deadline=None, derandomize=True)
@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_a_record_or_are_turned_down(data: bytes, begins_well: bool) -> None:
    assert read(record().to_bytes()[:10] + data if begins_well else data) is None


@settings(deadline=None, derandomize=True)
@given(records(), st.data())
def test_a_changed_byte_is_never_accepted(written: Record, data: st.DataObject) -> None:
    whole = bytearray(written.to_bytes())
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))

    assert read(bytes(whole)) is None


@settings(deadline=None, derandomize=True)
@given(records(), st.data())
def test_a_file_with_more_or_fewer_bytes_is_damaged(written: Record, data: st.DataObject) -> None:
    whole = written.to_bytes()

    with pytest.raises(Damaged):
        Record.parsed(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(Damaged):
        Record.parsed(whole + data.draw(st.binary(min_size=1, max_size=200)))


def forged(**changes: int | bytes) -> bytes:
    """Return a file whose header is right in itself, and says what it should not."""
    fields: dict[str, int | bytes] = {"magic": b"BRKSPOOL", "version": 1, "signal": b"traces", "flags": 0}
    fields |= {
        "items": 3,
        "length": 7,
        "check": zlib.crc32(b"payload"),
        "boot": bytes(16),
        "since": 1,
        "unix": 1,
    }
    header = struct.pack(">8sH16sHIII16sQQ", *(fields | changes).values())
    return header + struct.pack(">I", zlib.crc32(header)) + b"payload"


def test_the_format_is_what_this_test_says() -> None:
    """Files of this version are there after an upgrade."""
    written = Record(3, b"payload", Stamp(bytes(16), 1, 1), "traces")
    assert Record.parsed(forged()) == written
    assert Record.parsed(forged(flags=1)) == replace(written, may_be_there=True)
    assert Record.parsed(forged(flags=2)) == written, "one flag is known"


@pytest.mark.parametrize(
    "changes",
    [
        {"items": 0},
        {"items": 8},
        {"items": 2**32 - 1},
        {"length": 6},
        {"length": 2**32 - 1, "items": 2**32 - 1},
        {"signal": b""},
        {"signal": b"Traces"},
        {"signal": b"tr\0ces"},
        {"signal": b"../../../../etc/"},
        {"signal": b"\xff" * 16},
        {"version": 0},
        {"magic": b"BRKSPOOK"},
        {"check": 1},
    ],
)
def test_a_header_that_makes_no_sense_is_damaged(changes: dict[str, int | bytes]) -> None:
    with pytest.raises(Damaged):
        Record.parsed(forged(**changes))


@pytest.mark.parametrize("version", [2, 65_535])
def test_a_newer_version_is_told_from_damage_whatever_follows(version: int) -> None:
    whole = forged(version=version)

    for data in (whole, whole[:10], whole + b"more"):
        with pytest.raises(Newer):
            Record.parsed(data)


def test_items_are_counted_without_the_payload() -> None:
    whole = record(b"payload", 3).to_bytes()

    assert Header.parsed(whole[:HEADER], len(whole)).items == 3


@pytest.mark.parametrize(
    ("items", "payload", "signal"),
    [
        (0, b"payload", "traces"),
        (8, b"payload", "traces"),
        (1, b"", "traces"),
        (1, b"payload", "Traces"),
        (1, b"payload", ""),
        (1, b"payload", "a" * 17),
    ],
)
def test_a_record_that_nobody_could_read_is_not_made(items: int, payload: bytes, signal: str) -> None:
    with pytest.raises(ValueError, match=r"signal|batch"):
        Record(items, payload, Stamp.now(), signal)


@pytest.mark.parametrize("stamp", [Stamp(bytes(16), -1, 0), Stamp(bytes(16), 0, 2**64)])
def test_a_moment_that_does_not_fit_is_refused(stamp: Stamp) -> None:
    with pytest.raises(ValueError, match="moment"):
        Record(1, b"payload", stamp, "traces")


def test_a_payload_has_a_largest_size() -> None:
    with pytest.raises(ValueError, match=str(LARGEST)):
        Record(1, bytes(LARGEST + 1), Stamp.now(), "traces")
