"""Files of batches as the package itself makes and reads them, and the ids of the spans in them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from breaker_exporter._spool.files import no_rest
from breaker_exporter._spool.record import Damaged, Newer, Record
from breaker_exporter._spool.spool import Spool
from breaker_exporter._spool.stamp import Stamp
from breaker_exporter.otlp._encode.request import BY_SCOPE, Request
from breaker_exporter.otlp._payload import EncodedPayload
from breaker_exporter.otlp._stored import dumped, loaded

SERVICE, EXPORTER, SIGNAL = "shop", "collector", "spans"
"""Of the services of the matrix."""
_ROOM = 1 << 30
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The batches that lie in a directory.

    Attributes:
        files: Number of files that are whole.
        ids: Of the spans in them, as often as they lie there.
        damaged: Number of files that are not, those that were set aside among them.
    """

    files: int
    ids: tuple[str, ...]
    damaged: int


NOTHING = Contents(0, (), 0)


def contents(directories: Iterable[Path]) -> Contents:
    """Return what lies in directories, which need not be there; links are not followed."""
    files, ids, directories = 0, list[str](), list(directories)
    damaged = sum(len(list(directory.rglob("*.damaged"))) for directory in directories)
    for path in (path for directory in directories for path in directory.rglob("*.batch")):
        try:
            record = Record.parsed(path.read_bytes())
            ids += _ids(record.payload) if record.signal == SIGNAL else ()
            files += 1
        except Newer:
            pass
        except (Damaged, OSError):
            damaged += 1
    return Contents(files, tuple(ids), damaged)


def write_batches(directory: Path, files: int) -> list[str]:
    """Write so many files with one span each, as a process of the service would; return the ids."""
    spool = Spool(str(directory), SERVICE, SIGNAL, EXPORTER, limit=_ROOM, keep_newest=True)
    spool.open()
    ids = [secrets.token_hex(8) for _ in range(files)]
    for span_id in ids:
        spool.write(payload_of([span_id]), 1, Stamp.now())
    spool.close()
    return ids


def payload_of(ids: Iterable[str]) -> bytes:
    """Return the bytes of a batch of spans with these ids."""
    spans = [Span(trace_id=b"\1" * 16, span_id=bytes.fromhex(each), name="GET /") for each in ids]
    request = ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])]
    ).SerializeToString()
    return dumped(EncodedPayload((Request(request, len(spans), BY_SCOPE),)))


def _ids(payload: bytes) -> Iterator[str]:
    for request in loaded(payload, 0, no_rest).requests:
        found = ExportTraceServiceRequest.FromString(request.body)
        for resource in found.resource_spans:
            for scope in resource.scope_spans:
                yield from (span.span_id.hex() for span in scope.spans)
