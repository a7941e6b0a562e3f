"""Encoded batches as one: what a service exports in small ones is kept as a large one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ._encode.request import Request
from ._payload import EncodedPayload, unpacked


def joined(payloads: Iterable[EncodedPayload], limit: int, rest: Callable[[], None]) -> EncodedPayload:
    """Return a packed payload with all items of `payloads`, in the same order.

    The bytes of a request may be those of several, one behind the other: all of its fields are repeated ones
    (https://protobuf.dev/programming-guides/encoding/#last-one-wins).

    Args:
        payloads: What to join.
        limit: Bytes of a request at most, 0: any number.
        rest: Called between two pieces of work: lets others run.
    """
    requests: list[Request] = []
    parts: list[Request] = []
    size = 0
    for kept in [request for payload in payloads for request in payload.requests]:
        rest()
        part = unpacked(kept, rest)
        is_full = 0 < limit < size + len(part.body)
        if parts and (is_full or part.levels != parts[0].levels):
            requests.append(_whole(parts))
            parts, size = [], 0
        parts.append(part)
        size += len(part.body)
    if parts:
        requests.append(_whole(parts))
    return EncodedPayload(tuple(requests)).packed(rest)


def _whole(parts: list[Request]) -> Request:
    items = sum(part.items for part in parts)
    return Request(b"".join([part.body for part in parts]), items, parts[0].levels)
