"""Requests compared by what a collector reads in them, and the official encoder's view of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from breaker_exporter.otlp._encode.spans import BatchEncoder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan


def read(body: bytes) -> bytes:
    """Return ``body`` as protobuf writes what it read: comparable; NaN, -0.0 and unknown fields too."""
    return bytes(ExportTraceServiceRequest.FromString(body).SerializeToString(deterministic=True))


def encodable(spans: Iterable[ReadableSpan]) -> list[ReadableSpan]:
    """Return the spans that the official encoder can encode, each tried alone."""
    good = []
    for span in spans:
        try:
            encode_spans([span]).SerializeToString()
        except Exception:
            continue
        good.append(span)
    return good


def encoded(spans: Iterable[ReadableSpan]) -> BatchEncoder:
    """Return an encoder that was given ``spans``."""
    encoder = BatchEncoder()
    encoder.add(spans)
    return encoder


def official(spans: Sequence[ReadableSpan]) -> bytes:
    """Return what the official encoder makes of ``spans``."""
    return bytes(encode_spans(spans).SerializeToString())


def assert_like_the_official(spans: Sequence[ReadableSpan]) -> None:
    """Encode both ways, and compare by decoding; what is official's to leave out costs only itself."""
    good = encodable(spans)
    encoder = encoded(spans)
    assert read(encoder.body()) == read(official(good))
    assert (encoder.count, encoder.left_out) == (len(good), len(spans) - len(good))
