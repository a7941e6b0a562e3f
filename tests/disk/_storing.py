"""A fake exporter whose payloads can lie on disk, and what tests ask of a spool."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from breaker_exporter import CircuitBreakerSpanExporter, Retention
from breaker_exporter._spool.record import Record

from ..retention._retaining import Encoded, Encoding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from opentelemetry.sdk.trace.export import SpanExporter

    from breaker_exporter import ExporterHealth


class Storing(Encoding):
    """Writes the names of a batch as JSON."""

    signal = "spans"
    largest = 1 << 20

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.released: list[tuple[str, ...]] = []

    def encode_batch(self, batch: Any) -> Encoded:
        return super().encode_batch(batch)

    def send_payload(self, payload: Encoded) -> Any:
        return super().send_payload(payload)

    def drop_payload(self, payload: Encoded) -> None:
        super().drop_payload(payload)

    def join_payloads(self, payloads: Sequence[Encoded], rest: Callable[[], None]) -> Encoded:
        rest()
        return Encoded(tuple(name for each in payloads for name in each.names), item_size=10)

    def dump_payload(self, payload: Encoded) -> bytes:
        if payload.items > self.largest:
            raise ValueError("too large")
        return json.dumps(payload.names).encode()

    def release_payload(self, payload: Encoded) -> None:
        self.released.append(payload.names)

    def load_payload(self, data: bytes, rest: Callable[[], None]) -> Encoded:
        rest()
        return Encoded(tuple(json.loads(data)), item_size=10)


def files(directory: Path) -> list[Path]:
    """The batches below `directory`, oldest first."""
    return sorted(directory.rglob("*.batch"))


def names_on(directory: Path) -> list[str]:
    """The names of all items that lie below `directory`."""
    payloads = [Record.parsed(file.read_bytes()).payload for file in files(directory)]
    return [name for payload in payloads for name in json.loads(payload)]


def sum_agrees(health: ExporterHealth) -> bool:
    """Return whether K12 holds."""
    settled = health.exported + health.failed + health.refused + health.dropped
    kept = health.retained + health.spooled + health.in_flight
    return health.received + health.recovered == settled + kept


def exporter_on(
    directory: Path, inner: object, *, kind: type = CircuitBreakerSpanExporter, **arguments: Any
) -> CircuitBreakerSpanExporter:
    """An exporter that keeps on disk."""
    retention = Retention(directory=directory, **arguments.pop("of_retention", {}))
    settings: dict[str, Any] = {"retention": retention, "jitter": 0, "cooldown": 60, **arguments}
    exporter: CircuitBreakerSpanExporter = kind(cast("SpanExporter", inner), **settings)
    return exporter
