"""L3 with everything real: log exporters, a collector, and transports that log and are instrumented.

It runs in a process of its own, plain or patched.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    LogRecordExporter,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.resources import Resource

from breaker_exporter import CircuitBreakerLogRecordExporter, CircuitState, Retention
from breaker_exporter.testing import Fault, FaultyCollector, Signal

from ._exported_logs import handler_kinds, make_handler, on_root
from ._waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

foreign = logging.getLogger("foreign")
ours = logging.getLogger("breaker_exporter")


def all_exporters_export_the_applications_records_and_the_transitions_alone() -> None:
    """Through an outage, by eight exporters at once: what one of them logs would be exported by all."""
    _instrument_transports()
    seen = _Seen()
    with FaultyCollector() as collector, contextlib.ExitStack() as attached:
        attached.enter_context(on_root(seen))
        pipelines = [
            _Pipeline(f"{name} {processor.__name__}", make, processor)
            for name, make in _exporters(collector).items()
            for processor in (_simple, _batch)
        ]
        for pipeline in pipelines:
            attached.enter_context(on_root(pipeline.handler))
        for fault in (Fault.NONE, Fault.SLOW, Fault.REFUSE, Fault.NONE):
            collector.set_fault(fault, seconds=0.1 if fault is Fault.SLOW else None)
            for number in range(3):
                foreign.debug("%s %d %d", fault.value, number, len(seen.lines))
            for pipeline in pipelines:
                pipeline.provider.force_flush()
                if fault is Fault.REFUSE:
                    until(lambda pipeline=pipeline: CircuitState.OPEN in pipeline.states)  # type: ignore[misc]
        for pipeline in pipelines:
            until(lambda pipeline=pipeline: pipeline.states[-1] is CircuitState.CLOSED)  # type: ignore[misc]
        until(seen.all_are_closed)  # listeners are told before the line is logged
        for pipeline in pipelines:
            pipeline.provider.shutdown()

        received: dict[object, list[str]] = {}
        for record in collector.latest_log_records:
            received.setdefault(record.resource["service.name"], []).append(str(record.body))
        assert seen.others > len(seen.lines)
        assert len(seen.lines) >= 12 + 2 * len(pipelines)
        assert received.keys() == {pipeline.name for pipeline in pipelines}
        for name, lines in received.items():
            assert set(lines) == set(seen.lines), name
            # An answer may have been lost with its connection: then its records are sent again (K2).
            assert not Counter(seen.lines) - Counter(lines), name


class _Pipeline:
    """A provider with one exporter, and the handler before it."""

    def __init__(
        self, name: str, make: Callable[[], LogRecordExporter], processor: Callable[..., Any]
    ) -> None:
        self.name = name
        self.states: list[CircuitState] = []
        exporter = CircuitBreakerLogRecordExporter(
            make(),
            name=name,
            failure_threshold=1,
            cooldown=0.2,
            listeners=[lambda transition: self.states.append(transition.new)],
            retention=Retention(),
        )
        self.provider = LoggerProvider(Resource({"service.name": name}), shutdown_on_exit=False)
        self.provider.add_log_record_processor(processor(exporter))
        self.handler = make_handler(handler_kinds()[-1], self.provider)


def _simple(exporter: LogRecordExporter) -> SimpleLogRecordProcessor:
    return SimpleLogRecordProcessor(exporter)


def _batch(exporter: LogRecordExporter) -> BatchLogRecordProcessor:
    return BatchLogRecordProcessor(exporter, schedule_delay_millis=20)


def _exporters(collector: FaultyCollector) -> dict[str, Callable[[], LogRecordExporter]]:
    from opentelemetry.exporter.otlp.proto.grpc import _log_exporter as official_grpc
    from opentelemetry.exporter.otlp.proto.http import _log_exporter as official_http

    from breaker_exporter.otlp import CooperativeOTLPLogRecordExporter, OTLPGrpcLogRecordExporter

    http, grpc = collector.http_endpoint_of(Signal.LOGS), collector.grpc_endpoint
    return {
        "ours by HTTP": lambda: CooperativeOTLPLogRecordExporter(http, timeout=3),
        "ours by gRPC": lambda: OTLPGrpcLogRecordExporter(grpc, insecure=True, timeout=3),
        "official by HTTP": lambda: official_http.OTLPLogExporter(http, timeout=3),
        "official by gRPC": lambda: official_grpc.OTLPLogExporter(grpc, insecure=True, timeout=3),
    }


def _instrument_transports() -> None:
    for module, name in (
        ("opentelemetry.instrumentation.requests", "RequestsInstrumentor"),
        ("opentelemetry.instrumentation.urllib3", "URLLib3Instrumentor"),
        ("opentelemetry.instrumentation.grpc", "GrpcInstrumentorClient"),
    ):
        with contextlib.suppress(ImportError):  # they are not there with each version of the SDK
            vars(importlib.import_module(module))[name]().instrument()


class _Seen(logging.Handler):
    """Sees what is logged.

    Attributes:
        lines: The application's lines, and those of transitions: what is to be exported.
        others: Number of all other lines.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.others = 0

    def all_are_closed(self) -> bool:
        """Return whether each line about a circuit that opened is followed by one about its end."""
        opened, closed = (
            sum(f"circuit {what}" in line for line in self.lines) for what in ("opened", "closed")
        )
        return opened == closed

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        is_transition = record.name == ours.name and ("circuit opened" in line or "circuit closed" in line)
        if record.name == foreign.name or is_transition:
            self.lines.append(line)
        else:
            self.others += 1
