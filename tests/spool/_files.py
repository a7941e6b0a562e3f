"""What lies in a spool's folder, seen and put there from outside."""

from __future__ import annotations

import os
import resource
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from breaker_exporter._spool.names import BATCH, FileName
from breaker_exporter._spool.record import Record
from breaker_exporter._spool.stamp import Stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from breaker_exporter._spool.spool import Spool


ANOTHER_USER = 65_534 if os.geteuid() != 65_534 else 65_533


def no_rest() -> None:
    pass


def fill(spool: Spool, batches: int, *, payload: bytes = b"p" * 3_000, items: int = 5) -> list[str]:
    """Write batches of a block each, and return their names."""
    return [spool.write(payload, items, spool._now()) for _ in range(batches)]


def found(spool: Spool, suffix: str = BATCH) -> list[str]:
    return sorted(name for name in os.listdir(spool.path) if name.endswith(suffix))


def put(spool: Spool, data: bytes, written: Stamp | None = None, suffix: str = BATCH) -> str:
    """Put a file among the batches."""
    name = str(FileName.new(written or Stamp.now(), suffix))
    path = Path(spool.path, name)
    path.write_bytes(data)
    path.chmod(0o600)
    return name


@contextmanager
def limited(kind: int, number: int) -> Iterator[None]:
    """Limit what this process may use."""
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (number, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


def record(payload: bytes = b"payload", items: int = 3, *, signal: str = "traces") -> Record:
    return Record(items, payload, Stamp.now(), signal)
