"""Exemplars of data points: a measurement, when it was taken, and in which span."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from .attributes import Attributes
from .numeric import double, fixed64, sfixed64
from .wire import NotEncodable, varint

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import Exemplar

_attributes = Attributes(b"\x3a", 8)


def write_exemplars(tag: bytes, exemplars: Iterable[Exemplar], append: Callable[[bytes], object]) -> None:
    """Append a repeated field of ``Exemplar`` messages.

    Raises:
        Exception: There is something in one of them that OTLP has no place for.
    """
    for exemplar in exemplars:
        data = _exemplar(exemplar)
        append(tag + varint(len(data)))
        append(data)


def _exemplar(exemplar: Exemplar) -> bytes:
    value: object = exemplar.value
    parts = [fixed64(b"\x11", exemplar.time_unix_nano)]
    if isinstance(value, float):
        parts.append(double(b"\x19", value))
    elif isinstance(value, int):
        parts.append(sfixed64(b"\x31", value))
    else:
        raise NotEncodable(type(value).__name__)
    if exemplar.span_id is not None and exemplar.trace_id is not None:
        parts += (
            b"\x22\x08",
            exemplar.span_id.to_bytes(8, "big"),
            b"\x2a\x10",
            exemplar.trace_id.to_bytes(16, "big"),
        )
    _attributes.write(exemplar.filtered_attributes, parts.append)
    return b"".join(parts)
