"""Batches on disk, as an exporter leaves them there, and the command run over them."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest

from breaker_exporter.__main__ import main
from breaker_exporter._spool.spool import Spool
from breaker_exporter._spool.stamp import Stamp
from breaker_exporter.otlp import CooperativeOTLPSpanExporter

from ..semantics._spans import spans
from ..spool._files import no_rest

if TYPE_CHECKING:
    from pathlib import Path

ITEMS = 4
"""In each batch."""


def keep(
    directory: Path,
    batches: int = 3,
    *,
    items: int = ITEMS,
    service: str = "shop/checkout",
    signal: str = "spans",
    exporter: str = "collector",
    age: float = 0.0,
) -> Spool:
    """Keep batches of new spans, written `age` s ago; return their spool, closed."""
    encoder = CooperativeOTLPSpanExporter("http://127.0.0.1:9/v1/traces")
    spool = Spool(str(directory), service, signal, exporter, limit=1 << 30, keep_newest=True)
    spool.open()
    now, ns = Stamp.now(), int(age * 1e9)
    written = Stamp(bytes(16), 0, now.unix - ns) if ns else now  # of no boot: by the wall clock
    for _ in range(batches):
        payload = encoder.encode_batch(spans(items)).packed(no_rest)
        spool.write(encoder.dump_payload(payload), items, written)
    spool.close()
    return spool


@dataclasses.dataclass(frozen=True)
class Ran:
    """What came of the command."""

    status: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.out)
        return rows


def run(capsys: pytest.CaptureFixture[str], directory: Path | str, *arguments: str) -> Ran:
    """Run the command in this process."""
    capsys.readouterr()
    status = main(["spool", str(directory), *arguments])
    said = capsys.readouterr()
    return Ran(status, said.out, said.err)
