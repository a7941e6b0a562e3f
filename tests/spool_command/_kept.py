"""Batches on disk, as an exporter leaves them there, and the command run over them."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest

from breaker_exporter.__main__ import main
from breaker_exporter._spool.spool import Spool
from breaker_exporter._spool.stamp import Stamp
from breaker_exporter.otlp import (
    CooperativeOTLPLogRecordExporter,
    CooperativeOTLPMetricExporter,
    CooperativeOTLPSpanExporter,
)

from .._signals import LOGS, METRICS, SPANS
from ..spool._files import no_rest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ITEMS = 4
"""In each batch."""
_BY_SIGNAL: dict[str, tuple[Callable[[str], Any], Callable[[int], Any]]] = {
    "spans": (CooperativeOTLPSpanExporter, SPANS.batch),
    "logs": (CooperativeOTLPLogRecordExporter, LOGS.batch),
    "metrics": (CooperativeOTLPMetricExporter, METRICS.batch),
}
"""What encodes a signal's batches, and what makes them."""


def keep(
    directory: Path,
    batches: int = 3,
    *,
    items: int = ITEMS,
    service: str = "shop/checkout",
    signal: str = "spans",
    exporter: str | None = None,
    age: float = 0.0,
) -> Spool:
    """Keep batches of new items, written `age` s ago; return their spool, closed.

    Without `exporter`, it has the name that the hooks give to that of the signal.
    """
    make, batch = _BY_SIGNAL.get(signal, _BY_SIGNAL["spans"])
    encoder = make("http://127.0.0.1:9/v1/any")
    name = exporter or ("collector" if signal == "spans" else f"collector {signal}")
    spool = Spool(str(directory), service, signal, name, limit=1 << 30, keep_newest=True)
    spool.open()
    now, ns = Stamp.now(), int(age * 1e9)
    written = Stamp(bytes(16), 0, now.unix - ns) if ns else now  # of no boot: by the wall clock
    for _ in range(batches):
        payload = encoder.encode_batch(batch(items)).packed(no_rest)
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
