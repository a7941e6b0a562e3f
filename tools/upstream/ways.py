"""The ways to put something of ours into OpenTelemetry's tests, in the process that runs them."""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol

from opentelemetry.sdk._logs import export as logs
from opentelemetry.sdk.metrics import export as metrics
from opentelemetry.sdk.trace import export as traces

from breaker_exporter import (
    CircuitBreakerLogRecordExporter,
    CircuitBreakerMetricExporter,
    CircuitBreakerSpanExporter,
    Retention,
)
from breaker_exporter.otlp import (
    CooperativeOTLPLogRecordExporter,
    CooperativeOTLPMetricExporter,
    CooperativeOTLPSpanExporter,
)

Breaker = CircuitBreakerSpanExporter | CircuitBreakerLogRecordExporter | CircuitBreakerMetricExporter

TAKERS: Mapping[type, type[Breaker]] = {
    traces.SimpleSpanProcessor: CircuitBreakerSpanExporter,
    traces.BatchSpanProcessor: CircuitBreakerSpanExporter,
    logs.SimpleLogRecordProcessor: CircuitBreakerLogRecordExporter,
    logs.BatchLogRecordProcessor: CircuitBreakerLogRecordExporter,
    metrics.PeriodicExportingMetricReader: CircuitBreakerMetricExporter,
}
"""The classes that take an exporter as their first argument, and the circuit breaker for each."""

_BREAKERS: Mapping[type, type[Breaker]] = {
    traces.SpanExporter: CircuitBreakerSpanExporter,
    logs.LogRecordExporter: CircuitBreakerLogRecordExporter,
    metrics.MetricExporter: CircuitBreakerMetricExporter,
}
_HTTP: Mapping[type, type] = {
    traces.SpanExporter: CooperativeOTLPSpanExporter,
    logs.LogRecordExporter: CooperativeOTLPLogRecordExporter,
    metrics.MetricExporter: CooperativeOTLPMetricExporter,
}
_LAST_SECONDS = 0.5
"""Seconds that an exporter gets to end at the end of a test."""


class Way(Protocol):
    """A way to put something of ours into a test.

    Attributes:
        used: Number of times that a test has made or called what is ours.
    """

    used: int

    def install(self) -> None:
        """Change what tests import, before the first one is collected."""

    def change(self, module: ModuleType) -> None:
        """Change what a module of tests has in its names."""

    def check(self) -> None:
        """At the end of a test: fail where what is ours has broken a promise."""


class Wrapped:
    """Circuit breakers around what processors and readers get, and around the exporters that a test makes.

    Attributes:
        used: Number of circuit breakers made.
    """

    def __init__(self, *, retains: bool) -> None:
        self._retains = retains
        self._made: list[weakref.ref[Any]] = []  # some tests look at what is collected
        self.used = 0

    def install(self) -> None:
        """Let each processor and reader wrap its exporter."""
        for taker, breaker in TAKERS.items():
            self._wrap_what_is_taken(taker, breaker)

    def change(self, module: ModuleType) -> None:
        """Let each exporter of OTLP that the tests make be a wrapped one; they look at its inside, too."""
        for name, kind, base in _exporters_by_otlp(module):
            setattr(module, name, self._wrapped_class(kind, _BREAKERS[base]))

    def check(self) -> None:
        """Compare the sums of all exporters of this test, and end those that still send something."""
        made, self._made = self._made, []
        for breaker in (reference() for reference in made):
            if breaker is None:
                continue
            health = breaker.health()
            ended = health.exported + health.failed + health.refused + health.dropped + health.spooled
            left = health.retained + health.in_flight
            assert health.received + health.recovered == ended + left, f"the sums do not agree: {health}"
            if left:  # it is not to be sent to the server of the next test
                breaker.begin_shutdown(_LAST_SECONDS)
                breaker.shutdown(_LAST_SECONDS * 1000)

    def _wrap_what_is_taken(self, taker: Any, breaker: Any) -> None:
        make = taker.__init__

        @functools.wraps(make)
        def make_with_wrapped(taken: object, exporter: object, *args: object, **kwargs: object) -> None:
            if not (exporter is None or isinstance(exporter, Breaker)):
                exporter = self._record(breaker(exporter, **self._arguments))
            make(taken, exporter, *args, **kwargs)

        taker.__init__ = make_with_wrapped

    def _wrapped_class(self, kind: type, breaker: Any) -> type:
        def make(made: Any, *args: object, **kwargs: object) -> None:
            breaker.__init__(made, kind(*args, **kwargs), **self._arguments)
            self._record(made)

        def inside(made: Any, name: str) -> object:
            return getattr(made.__dict__["_exporter"], name)

        return type(kind.__name__, (breaker,), {"__init__": make, "__getattr__": inside})

    @property
    def _arguments(self) -> dict[str, Any]:
        return {"retention": Retention()} if self._retains else {}

    def _record(self, breaker: Any) -> Any:
        self._made.append(weakref.ref(breaker))
        self.used += 1
        return breaker


class Ours:
    """Our exporters by HTTP in place of OpenTelemetry's, and in the tests of its encoders our encoders.

    Not those by gRPC: 62 of the 67 tests in 1.45 cannot pass so, most since they use what is private there.

    Attributes:
        used: Number of exporters made, and of batches encoded.
    """

    def __init__(self) -> None:
        self.used = 0

    def install(self) -> None:
        """Let what the tests put in place of sockets do what our connections ask of a socket's file."""
        with contextlib.suppress(ImportError):
            import_module("mocket.io").MocketSocketIO.detach = lambda answer: answer

    def change(self, module: ModuleType) -> None:
        """Replace the exporters, and the encoders where they are what is tested."""
        for name, _, base in _exporters_by_otlp(module):
            setattr(module, name, self._counted_class(_HTTP[base]))
        if module.__name__.endswith("_encoder"):
            for name, encode in _encoders().items():
                if name in vars(module):
                    setattr(module, name, self._counted(encode))

    def check(self) -> None:
        """Nothing that the tests do not check."""

    def _counted_class(self, kind: Any) -> type:
        def make(made: object, *args: object, **kwargs: object) -> None:
            self.used += 1
            kind.__init__(made, *args, **kwargs)

        return type(kind.__name__, (kind,), {"__init__": make})

    def _counted(self, encode: Callable[[Any], object]) -> Callable[[Any], object]:
        def counted(batch: Any) -> object:
            self.used += 1
            return encode(batch)

        return counted


def _exporters_by_otlp(module: ModuleType) -> list[tuple[str, type, type]]:
    """Return those among a module's names: name, class, and base class of its signal."""
    return [
        (name, value, base)
        for name, value in vars(module).items()
        for base in _BREAKERS
        if isinstance(value, type) and issubclass(value, base) and (_is_by_http(value) or _is_by_grpc(value))
    ]


def _is_by_http(kind: type) -> bool:
    return kind.__module__.startswith("opentelemetry.exporter.otlp.proto.http.")


def _is_by_grpc(kind: type) -> bool:
    from opentelemetry.exporter.otlp.proto.grpc.exporter import OTLPExporterMixin

    return issubclass(kind, OTLPExporterMixin)


def _encoders() -> dict[str, Callable[[Any], object]]:
    """Return our encoders by the names of OpenTelemetry's, whose messages they return, too."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    from breaker_exporter.otlp._encode.log_records import encode_log_records
    from breaker_exporter.otlp._encode.metrics import encode_metrics
    from breaker_exporter.otlp._encode.spans import encode_spans

    def decoded(encode: Any, message: Any) -> Callable[[Any], object]:
        def encoded_and_decoded(batch: Any) -> object:
            requests = encode(batch, 0, lambda: None).requests
            return message.FromString(b"".join(request.body for request in requests))

        return encoded_and_decoded

    return {
        "encode_spans": decoded(encode_spans, ExportTraceServiceRequest),
        "encode_logs": decoded(encode_log_records, ExportLogsServiceRequest),
        "encode_metrics": decoded(encode_metrics, ExportMetricsServiceRequest),
    }


WAYS: Mapping[str, Callable[[], Way]] = {
    "wrapped": lambda: Wrapped(retains=False),
    "retained": lambda: Wrapped(retains=True),
    "ours": Ours,
}
