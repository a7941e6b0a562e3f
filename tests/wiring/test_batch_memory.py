"""A batch that failed is freed at once: the garbage collector would stop everybody for milliseconds."""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import Callable, Iterator, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext, TraceFlags

from breaker_exporter import CircuitBreakerSpanExporter
from breaker_exporter._concurrency.memory import let_go
from breaker_exporter.otlp import CooperativeOTLPSpanExporter, OTLPGrpcSpanExporter
from breaker_exporter.testing import Fault, FaultyCollector

from ..otlp._server import answer, reset, serving

pytestmark = pytest.mark.usefixtures("no_variables_from_outside")
Make = Callable[[FaultyCollector], SpanExporter]


@pytest.fixture
def no_collections() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Raising(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        raise OSError


def watched(left: list[weakref.ref[ReadableSpan]]) -> list[ReadableSpan]:
    span = ReadableSpan("freed", SpanContext(1, 1, is_remote=False, trace_flags=TraceFlags(1)))
    left.append(weakref.ref(span))
    return [span]


@pytest.mark.parametrize(
    "fault",
    [
        Fault.NONE,
        Fault.BLACKHOLE,
        Fault.REFUSE,
        Fault.RESET,
        Fault.TAKEN_THEN_RESET,
        Fault.GARBAGE,
        Fault.UNAVAILABLE,
    ],
)
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda at: CooperativeOTLPSpanExporter(at.http_endpoint, timeout=0.3), id="http"),
        pytest.param(lambda at: OTLPGrpcSpanExporter(at.grpc_endpoint, timeout=1), id="grpc"),
        pytest.param(lambda at: Raising(), id="raises"),
    ],
)
def test_a_failed_batch_is_freed_at_once(
    collector: FaultyCollector, no_collections: None, make: Make, fault: Fault
) -> None:
    exporter = CircuitBreakerSpanExporter(make(collector))
    collector.fault = fault
    left: list[weakref.ref[ReadableSpan]] = []

    exporter.export(watched(left))

    assert left[0]() is None
    exporter.shutdown()


def test_a_batch_whose_connection_was_reset_is_freed_at_once(no_collections: None) -> None:
    with serving(answer(200), reset) as server:
        exporter = CooperativeOTLPSpanExporter(server.url)
        left: list[weakref.ref[ReadableSpan]] = []
        for result in (SpanExportResult.SUCCESS, SpanExportResult.FAILURE):
            assert exporter.export(watched(left)) is result
        exporter.shutdown()
    assert [span() for span in left] == [None, None]


def test_errors_in_each_others_context_are_freed_too() -> None:
    """By hand one can make a circle of them."""
    first, second = OSError(), ValueError()
    for error in (first, second):
        with contextlib.suppress(OSError, ValueError):
            raise error
    first.__context__, second.__context__ = second, first

    let_go(first)

    assert first.__traceback__ is second.__traceback__ is None


def test_the_cause_of_an_error_is_freed_too() -> None:
    """``raise ... from`` outside of an ``except`` sets no context."""
    error, cause = OSError(), ValueError()
    with contextlib.suppress(ValueError):
        raise cause
    with contextlib.suppress(OSError):
        raise error from cause

    let_go(error)

    assert error.__context__ is None
    assert error.__traceback__ is cause.__traceback__ is None
