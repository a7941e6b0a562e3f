"""Requests compared by what a collector reads in them, and the official encoder's view of a batch."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from breaker_exporter.otlp._encode.batch import Encoded
from breaker_exporter.otlp._encode.spans import encode_spans as encode_directly

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan


def read(body: bytes) -> bytes:
    """Return ``body`` as protobuf writes what it read: comparable; NaN, -0.0 and unknown fields too."""
    return bytes(ExportTraceServiceRequest.FromString(body).SerializeToString(deterministic=True))


class _ByIdentity:
    """A resource whose hash cannot be taken: JSON has no place for one of its attributes, such as bytes."""

    def __init__(self, resource: Resource) -> None:
        self.attributes = resource.attributes
        self.schema_url = resource.schema_url


def encodable(spans: Iterable[ReadableSpan]) -> list[ReadableSpan]:
    """Return the spans that the official encoder can encode, each tried alone.

    Ours goes further where a resource has no hash: there, the official one gets another with the same data.
    """
    good = []
    twins: dict[int, _ByIdentity] = {}
    for span in spans:
        try:
            hash(span.resource)
        except TypeError:
            resource, span = span.resource, copy.copy(span)  # noqa: PLW2901
            span._resource = twins.setdefault(id(resource), _ByIdentity(resource))  # type: ignore[assignment]
        except Exception:
            continue
        try:
            encode_spans([span]).SerializeToString()
        except Exception:
            continue
        good.append(span)
    return good


def encoded(spans: Sequence[ReadableSpan], limit: int = 0) -> Encoded:
    """Return ``spans`` encoded by this package."""
    return encode_directly(spans, limit, lambda: None)


def body_of(spans: Sequence[ReadableSpan]) -> bytes:
    """Return the body of their one request; empty where there is none."""
    return b"".join([request.body for request in encoded(spans).requests])


def official(spans: Sequence[ReadableSpan]) -> bytes:
    """Return what the official encoder makes of ``spans``."""
    return bytes(encode_spans(spans).SerializeToString())


def assert_like_the_official(spans: Sequence[ReadableSpan]) -> None:
    """Encode both ways, and compare by decoding; what is official's to leave out costs only itself."""
    good = encodable(spans)
    batch = encoded(spans)
    assert read(body_of(spans)) == read(official(good))
    assert (batch.items, batch.left_out) == (len(good), len(spans) - len(good))
