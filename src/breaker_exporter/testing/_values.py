"""Values that travel from the collector's process to the test: counts, spans, items of envelopes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReceivedCounts:
    """Numbers of what a collector has received since it was last cleared, all of one moment.

    Attributes:
        spans: Span records taken, those of the same span counted each time.
        duplicates: Records of a span (trace id and span id) that had been taken before.
        requests: Export requests that began, with any outcome, Sentry's envelopes included. gRPC requests are
            counted before the fault applies, so those in a blackhole count.
        connections: Connections accepted.
        open_connections: Connections open now.
    """

    spans: int
    duplicates: int
    requests: int
    connections: int
    open_connections: int


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """One span record as it came over the wire.

    Attributes:
        trace_id: 32 hex digits.
        span_id: 16 hex digits.
        parent_span_id: 16 hex digits, or ``None`` for a root span.
        name: The span's name.
        kind: ``internal``, ``server``, ``client``, ``producer``, ``consumer`` or ``unspecified``.
        status: ``unset``, ``ok`` or ``error``.
        start_time_unix_nano: Start in nanoseconds since the Unix epoch.
        end_time_unix_nano: End, likewise.
        scope: The name of the instrumentation scope.
        resource: The resource's attributes; a ``bytes`` value is shown as hex digits.
        attributes: The span's attributes, likewise.
    """

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    kind: str
    status: str
    start_time_unix_nano: int
    end_time_unix_nano: int
    scope: str
    resource: Mapping[str, object]
    attributes: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ReceivedSentryItem:
    """One item of an envelope that a Sentry client has sent.

    Attributes:
        kind: The item's ``type``: ``event``, ``transaction``, ``session``, ``client_report`` and so on.
        event_id: The event id in the envelope's header, as it was sent, or ``None``.
        headers: The item's header, as it was sent.
        length: Bytes of the payload.
        payload: The payload, for kinds whose payload is a JSON object; else ``None`` (attachments).
    """

    kind: str
    event_id: str | None
    headers: Mapping[str, object]
    length: int
    payload: Mapping[str, object] | None
