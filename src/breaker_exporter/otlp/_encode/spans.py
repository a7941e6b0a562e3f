"""A batch of spans as requests (ExportTraceServiceRequest). One that nobody can encode is left out, alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..._base.log import say
from .batch import AT_ONCE, Encoded
from .groups import Groups, item_head
from .span import span_bytes

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_said: list[str] = []
"""The error that kept the first span out, in this process."""


def encode_spans(spans: Sequence[ReadableSpan], limit: int, rest: Callable[[], None]) -> Encoded:
    """Encode a batch.

    As the official encoder does it: one ResourceSpans for each resource, in it one ScopeSpans for each scope,
    all in the order in which they were first seen.

    Args:
        spans: The batch.
        limit: Bytes of a request at most; 0: any number.
        rest: Called between any few spans, and before they are joined: lets others run.
    """
    groups = Groups()
    latest: tuple[object, object] = (groups, None)
    place: list[bytes] = []
    left_out = 0
    for start in range(0, len(spans), AT_ONCE):
        if start:
            rest()
        for span in spans[start : start + AT_ONCE]:
            try:
                data = span_bytes(span)
                resource, scope = span.resource, span.instrumentation_scope
                if resource is not latest[0] or scope is not latest[1]:
                    place = groups.place(resource, scope)
                    latest = resource, scope
                place.append(item_head(len(data)))
                place.append(data)
            except Exception as error:
                left_out += 1
                _say_once(error)
    rest()
    return Encoded.of(groups.request(len(spans) - left_out), limit, left_out)


def _say_once(error: Exception) -> None:
    if not _said:
        _said.append(type(error).__name__)
        # The type alone: the text of such an error quotes the span.
        say(
            logging.WARNING,
            "a span cannot be encoded (%s): it is left out of its batch; later ones are only counted",
            *_said,
        )
