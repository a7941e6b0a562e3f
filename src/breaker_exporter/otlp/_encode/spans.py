"""A batch of spans as requests (ExportTraceServiceRequest)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .groups import ResourceOf
from .items import encode_items
from .span import span_bytes

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from .batch import Encoded


def encode_spans(
    spans: Sequence[ReadableSpan],
    limit: int,
    rest: Callable[[], None],
    resource_of: ResourceOf | None = None,
) -> Encoded:
    """Encode a batch; one that nobody can encode is left out, alone.

    Args:
        spans: The batch.
        limit: Bytes of a request at most; 0: any number.
        rest: Called between any few spans, and before they are joined: lets others run.
        resource_of: Returns the resource that is written in place of one; ``None``: that itself.
    """
    return encode_items(spans, span_bytes, "a span", limit, rest, resource_of)
