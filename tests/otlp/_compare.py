"""Requests compared by what a collector reads in them, and the official encoder's view of a batch."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from breaker_exporter.otlp._encode.batch import Encoded
from breaker_exporter.otlp._encode.log_records import encode_log_records
from breaker_exporter.otlp._encode.spans import encode_spans as encode_directly

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan

Item = TypeVar("Item")


class _ByIdentity:
    """A resource whose hash cannot be taken: JSON has no place for one of its attributes, such as bytes."""

    def __init__(self, resource: Resource) -> None:
        self.attributes = resource.attributes
        self.schema_url = resource.schema_url


@dataclass(frozen=True)
class Encoders(Generic[Item]):
    """Both encoders of one signal."""

    request: Any
    officially: Callable[[Sequence[Item]], Any]
    directly: Callable[[Sequence[Item], int, Callable[[], None]], Encoded]
    with_resource: Callable[[Item, Any], Item]
    mended: Callable[[Item], Item] = lambda item: item
    """Returns an item as ours sends it where the official encoder cannot."""

    def read(self, body: bytes) -> bytes:
        """Return ``body`` as protobuf writes what it read: comparable; NaN, -0.0 and unknown fields too."""
        return bytes(self.request.FromString(body).SerializeToString(deterministic=True))

    def encodable(self, items: Iterable[Item]) -> list[Item]:
        """Return the items that the official encoder can encode, each tried alone.

        Ours goes further where a resource has no hash: there, the official one gets another with the same
        data.
        """
        good = []
        twins: dict[int, _ByIdentity] = {}
        for item in items:
            resource: Any = getattr(item, "resource", None)
            try:
                hash(resource)
            except TypeError:
                item = self.with_resource(item, twins.setdefault(id(resource), _ByIdentity(resource)))  # noqa: PLW2901
            except Exception:
                continue
            good += next(([each] for each in (item, self.mended(item)) if self._can(each)), [])
        return good

    def _can(self, item: Item) -> bool:
        try:
            self.officially([item]).SerializeToString()
        except Exception:
            return False
        return True

    def encoded(self, items: Sequence[Item], limit: int = 0) -> Encoded:
        """Return ``items`` encoded by this package."""
        return self.directly(items, limit, lambda: None)

    def body_of(self, items: Sequence[Item]) -> bytes:
        """Return the body of their one request; empty where there is none."""
        return b"".join([request.body for request in self.encoded(items).requests])

    def official(self, items: Sequence[Item]) -> bytes:
        """Return what the official encoder makes of ``items``."""
        return bytes(self.officially(items).SerializeToString())

    def assert_alike(self, items: Sequence[Item]) -> None:
        """Encode both ways, and compare by decoding; what is official's to leave out costs only itself."""
        good = self.encodable(items)
        batch = self.encoded(items)
        assert self.read(self.body_of(items)) == self.read(self.official(good))
        assert (batch.items, batch.left_out) == (len(good), len(items) - len(good))


def _span_with_resource(span: ReadableSpan, resource: Any) -> ReadableSpan:
    other = copy.copy(span)
    other._resource = resource
    return other


def _record_with_resource(record: ReadableLogRecord, resource: Any) -> ReadableLogRecord:
    return dataclasses.replace(record, resource=resource)


def _record_with_text(record: ReadableLogRecord) -> ReadableLogRecord:
    """Return the record with the text of its body."""
    written = copy.copy(getattr(record, "log_record", None))
    if written is None:
        return record
    body = written.body
    text = body if isinstance(body, str) else str(body)[:8192]
    written.body = str.encode(text, "utf-8", "backslashreplace").decode()
    return dataclasses.replace(record, log_record=written)


SPANS = Encoders(ExportTraceServiceRequest, encode_spans, encode_directly, _span_with_resource)
LOG_RECORDS = Encoders(
    ExportLogsServiceRequest, encode_logs, encode_log_records, _record_with_resource, _record_with_text
)

read = SPANS.read
encodable = SPANS.encodable
encoded = SPANS.encoded
body_of = SPANS.body_of
official = SPANS.official
assert_like_the_official = SPANS.assert_alike
