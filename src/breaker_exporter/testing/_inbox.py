"""The spans and Sentry items that the collector has taken: it decodes and counts them."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from ._envelope import opened
from ._fault_settings import FaultSetting
from ._faults import Fault
from ._values import ReceivedSentryItem

_LATEST = 10_000
"""Number of span records, and of Sentry items, that are kept; of older ones only ids or counts are."""


class Malformed(Exception):
    """The bytes are no OTLP trace request, or no Sentry envelope."""


class Inbox:
    """Spans, items and counts; a change wakes all that wait for one. One event loop uses it, so no lock."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._ids: set[tuple[bytes, bytes]] = set()
        self._latest: deque[tuple[Any, Any, Any]] = deque(maxlen=_LATEST)
        self._latest_items: deque[ReceivedSentryItem] = deque(maxlen=_LATEST)
        self._items: Counter[str] = Counter()
        self._spans = 0
        self._requests = 0
        self._connections = 0

    def note_connection(self) -> None:
        """Count an accepted connection."""
        self._connections += 1
        self._wake()

    def note_requests(self, count: int) -> None:
        """Count export requests that began."""
        self._requests += count
        self._wake()

    def take(self, body: bytes, setting: FaultSetting) -> bytes:
        """Take the spans of a request, and return the response's message.

        Args:
            body: The request.
            setting: The fault in force; a partial success rejects some of the spans.

        Raises:
            Malformed: ``body`` is no such request; nothing was taken.
        """
        request = ExportTraceServiceRequest()
        try:
            request.ParseFromString(body)
        except DecodeError as error:
            raise Malformed(str(error)) from None
        records = [
            (resource_spans.resource, scope_spans.scope, span)
            for resource_spans in request.resource_spans
            for scope_spans in resource_spans.scope_spans
            for span in scope_spans.spans
        ]
        response = ExportTraceServiceResponse()
        if setting.fault is Fault.PARTIAL_SUCCESS:
            rejected = min(setting.rejected or 0, len(records))
            response.partial_success.rejected_spans = rejected
            response.partial_success.error_message = (
                f"{rejected} spans rejected by the fault of this collector"
            )
            records = records[: len(records) - rejected]
        self._spans += len(records)
        self._ids.update((span.trace_id, span.span_id) for _, _, span in records)
        self._latest.extend(records)
        self._wake()
        return response.SerializeToString()

    def take_envelope(self, body: bytes) -> str | None:
        """Take all items of a Sentry envelope, and return its event id if it has one.

        Raises:
            Malformed: ``body`` is no such envelope; nothing was taken.
        """
        try:
            envelope = opened(body)
        except ValueError as error:
            raise Malformed(str(error)) from None
        self._items.update(item.kind for item in envelope.items)
        self._latest_items.extend(envelope.items)
        self._wake()
        return envelope.event_id

    async def wait_for(self, what: str, count: int, timeout: float, kind: str | None = None) -> bool:
        """Wait until the count called ``what`` is at least ``count``; ``False`` after ``timeout`` seconds.

        Of ``sentry_items`` only those of ``kind`` count, where one is given.
        """
        counts: dict[str, Callable[[], int]] = {
            "spans": lambda: len(self._ids),
            "requests": lambda: self._requests,
            "connections": lambda: self._connections,
            "sentry_items": lambda: self._items.total() if kind is None else self._items[kind],
        }
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while counts[what]() < count:
            try:
                await asyncio.wait_for(self._changed.wait(), deadline - loop.time())
            except TimeoutError:
                return False
        return True

    def counts(self) -> dict[str, int]:
        """Return the counts alone."""
        return {
            "spans": self._spans,
            "duplicates": self._spans - len(self._ids),
            "requests": self._requests,
            "connections": self._connections,
            "sentry_items": self._items.total(),
        }

    def span_ids(self) -> list[str]:
        """Return the ids of all spans taken, in hex digits."""
        return list({span_id.hex() for _, span_id in self._ids})

    def latest_spans(self) -> list[dict[str, object]]:
        """Return the latest span records, oldest first, ready for JSON."""
        return [_described(*record) for record in self._latest]

    def latest_sentry_items(self) -> list[dict[str, object]]:
        """Return the latest items of Sentry envelopes, likewise."""
        return [asdict(item) for item in self._latest_items]

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _described(resource: Any, scope: Any, span: Any) -> dict[str, object]:
    return {
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_span_id": span.parent_span_id.hex() or None,
        "name": span.name,
        "kind": _name(span.SpanKind, span.kind, "SPAN_KIND_"),
        "status": _name(span.status.StatusCode, span.status.code, "STATUS_CODE_"),
        "start_time_unix_nano": span.start_time_unix_nano,
        "end_time_unix_nano": span.end_time_unix_nano,
        "scope": scope.name,
        "resource": {pair.key: _plain(pair.value) for pair in resource.attributes},
        "attributes": {pair.key: _plain(pair.value) for pair in span.attributes},
    }


def _name(kind: Any, number: int, prefix: str) -> str:
    # Enums are open in proto3: a newer client may send a number that has no name here.
    known: dict[int, str] = {value: name for name, value in kind.items()}
    return known[number].removeprefix(prefix).lower() if number in known else str(number)


def _plain(value: Any) -> object:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: _plain(pair.value) for pair in value.kvlist_value.values}
    if kind == "bytes_value":
        return value.bytes_value.hex()
    plain: object = getattr(value, kind)
    return plain
