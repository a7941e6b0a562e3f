"""The faults that a collector can have, the signals that meet them, and the fate of open connections."""

from __future__ import annotations

import enum


class Fault(enum.Enum):
    """A fault of a collector, on its HTTP and its gRPC port alike, of all signals or of one alone.

    "Taken" says whether the items of a request that meets the fault (spans, log records, data points, or what
    is in an envelope) count as received. A fault of one protocol has its nearest relative in the other, named
    with each.

    A fault of one signal alone begins where the signal is known: by HTTP with the path, by gRPC with the
    call, so that nothing happens to a handshake. What breaks a connection breaks it for all calls on it;
    clients of gRPC in one process may share one.
    """

    NONE = "none"
    """Nothing. Taken."""
    REFUSE = "refuse"
    """The ports are closed, connecting is refused; later the same ports are opened again. Not taken.
    A fault of all signals only: they share the ports."""
    BLACKHOLE = "blackhole"
    """Connections are accepted and read, nothing is ever answered. Not taken. gRPC: below HTTP/2, so that
    neither the connection's handshake nor a request on an older connection gets through; of one signal
    alone, its calls are never answered."""
    DRIP = "drip"
    """The answer comes one byte in ``interval`` seconds (default 1.0). Taken, once the request is read.
    gRPC: all bytes of the server drip, so on a new connection the handshake does too, and no request comes
    before that is over."""
    RESET = "reset"
    """The connection is reset (RST) in the middle of the request's body. Not taken."""
    TAKEN_THEN_RESET = "taken_then_reset"
    """The connection is reset (RST) once the whole request is read, without an answer. Taken: a client that
    sends the request again delivers it twice. With ``Connections.KEEP`` those that are kept alive meet it."""
    TAKEN_THEN_CLOSED = "taken_then_closed"
    """The connection is closed in good order (FIN) once the whole request is read, without an answer, as a
    server does that stops in the middle of a call. Taken, as with ``TAKEN_THEN_RESET``.
    gRPC: GOAWAY without an error comes before the end."""
    GOAWAY = "goaway"
    """gRPC: GOAWAY (ENHANCE_YOUR_CALM) as soon as the client says anything, then the connection ends.
    HTTP: the connection is closed once the whole request is read, without an answer. Not taken."""
    GARBAGE = "garbage"
    """The answer is bytes that are neither HTTP nor HTTP/2, then the connection ends. Not taken.
    gRPC: the garbage is sent as soon as the client says anything."""
    SLOW = "slow"
    """The answer is good but comes ``seconds`` (default 3.0) late. Taken, before the wait."""
    STATUS = "status"
    """The answer has HTTP status ``status`` (100 to 599, default 503), with ``Retry-After`` where
    ``retry_after`` is given. Taken for 2xx alone. ``code`` names gRPC's status instead; by HTTP the default
    then is the one that ``google/rpc/code.proto`` maps it to.
    gRPC, as the OpenTelemetry Collector translates: 2xx OK, 400 INVALID_ARGUMENT, 401 UNAUTHENTICATED, 403
    PERMISSION_DENIED, 404 UNIMPLEMENTED, 413 and 429 RESOURCE_EXHAUSTED, 500 INTERNAL, 502, 503 and 504
    UNAVAILABLE, any other UNKNOWN; ``retry_after`` as in ``RESOURCE_EXHAUSTED``."""
    TRUNCATED = "truncated"
    """The answer ends in the middle of its body (``Content-Length`` says more than comes), and with it the
    connection. Taken: the collector has the items, its client does not know."""
    PARTIAL_SUCCESS = "partial_success"
    """A good answer whose ``partial_success`` says that ``rejected`` items (default 1, at most all of the
    request) were rejected. Taken but for the last ``rejected`` (a Sentry envelope: whole)."""
    UNAVAILABLE = "unavailable"
    """gRPC: UNAVAILABLE, ``retry_after`` as in ``RESOURCE_EXHAUSTED``. HTTP: 503. Not taken."""
    DEADLINE = "deadline"
    """gRPC: DEADLINE_EXCEEDED, answered at once by the server. HTTP: 504. Not taken."""
    RESOURCE_EXHAUSTED = "resource_exhausted"
    """gRPC: RESOURCE_EXHAUSTED, with a ``RetryInfo`` detail where ``retry_after`` is given.
    HTTP: 429, with ``Retry-After``. Not taken."""
    TOO_LARGE = "too_large"
    """A request of more than ``limit`` bytes (default 4 MiB, as gRPC servers have it), unpacked, is refused.
    gRPC: RESOURCE_EXHAUSTED in the words of gRPC's own server. HTTP: 413. Taken up to the limit."""


class Signal(enum.Enum):
    """A signal of OpenTelemetry, by its word in variables and in the paths of OTLP."""

    TRACES = "traces"
    """Its items are spans."""
    LOGS = "logs"
    """Its items are log records."""
    METRICS = "metrics"
    """Its items are data points."""


class Connections(enum.Enum):
    """The fate of open connections when the fault changes."""

    DROP = "drop"
    """They are closed, and requests on them fail."""
    KEEP = "keep"
    """They stay open. One that has met a fault stays under that fault for as long as it lives (what fell into
    a blackhole is never answered); one that has met none meets the new fault with the next bytes on it.
    But ``BLACKHOLE`` silences every one, and ``REFUSE`` is about new connections alone. While the signals do
    not all have the same fault, each request meets the one that its signal has then."""
