"""Values that travel from the collector's process to the test: counts, items of signals and envelopes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReceivedCounts:
    """Numbers of what a collector has received since it was last cleared, all of one moment.

    Attributes:
        spans: Span records taken, those of the same span counted each time.
        duplicates: Records of a span (trace id and span id) that had been taken before at the same address:
            what goes to the collector and to Sentry is no duplicate.
        log_records: Log records taken, each as often as it came.
        duplicate_log_records: Those that had been taken before with the same bytes, times included.
        data_points: Data points taken, likewise.
        duplicate_data_points: Those that had been taken before, likewise.
        requests: Export requests that began, with any outcome, Sentry's envelopes included. gRPC requests are
            counted before the fault applies, so those in a blackhole count.
        connections: Connections accepted.
        open_connections: Connections open now.
    """

    spans: int
    duplicates: int
    log_records: int
    duplicate_log_records: int
    data_points: int
    duplicate_data_points: int
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
class ReceivedLogRecord:
    """One log record as it came over the wire.

    Attributes:
        body: Its body: text, or any other value an attribute may have.
        severity_number: 1 to 24; 9 is INFO, 13 WARN, 17 ERROR; 0 for none.
        severity_text: The level's name at its source.
        event_name: The name of the event that it is, or ``None``.
        trace_id: 32 hex digits, or ``None`` outside any span.
        span_id: 16 hex digits, likewise.
        time_unix_nano: Time of the event in nanoseconds since the Unix epoch; 0 for none.
        observed_time_unix_nano: Time at which it was collected, likewise.
        scope: The name of the instrumentation scope, which for Python's ``logging`` is the logger's.
        resource: The resource's attributes; a ``bytes`` value is shown as hex digits.
        attributes: The record's attributes, likewise.
    """

    body: object
    severity_number: int
    severity_text: str
    event_name: str | None
    trace_id: str | None
    span_id: str | None
    time_unix_nano: int
    observed_time_unix_nano: int
    scope: str
    resource: Mapping[str, object]
    attributes: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ReceivedDataPoint:
    """One data point of a metric as it came over the wire.

    Attributes:
        metric: The metric's name.
        kind: ``gauge``, ``sum``, ``histogram``, ``exponential_histogram`` or ``summary``.
        unit: The metric's unit, such as ``s``, or an empty string.
        temporality: ``delta``, ``cumulative`` or ``unspecified``; ``None`` for a gauge or a summary.
        is_monotonic: False for a sum that may fall; ``None`` for what is no sum.
        value: The number of a gauge's or a sum's point, else ``None``.
        count: Number of values in a point of any other kind, else ``None``.
        sum: Their sum, likewise.
        bucket_counts: Numbers of values in the buckets of a histogram, in order; else empty.
        start_time_unix_nano: Begin of the interval in nanoseconds since the Unix epoch; 0 for none.
        time_unix_nano: End of the interval, likewise.
        scope: The name of the instrumentation scope.
        resource: The resource's attributes; a ``bytes`` value is shown as hex digits.
        attributes: The point's attributes, likewise.
    """

    metric: str
    kind: str
    unit: str
    temporality: str | None
    is_monotonic: bool | None
    value: int | float | None
    count: int | None
    sum: float | None
    bucket_counts: Sequence[int]
    start_time_unix_nano: int
    time_unix_nano: int
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
