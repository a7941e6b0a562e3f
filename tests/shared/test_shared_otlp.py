"""The OTLP exporters of this package on one shared circuit, against a real collector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from breaker_exporter import CircuitBreakerSpanExporter, SharedCircuit
from breaker_exporter.otlp import CooperativeOTLPSpanExporter, OTLPGrpcSpanExporter
from breaker_exporter.testing import Fault

from ._sharing import CLOSED, OPEN, succeeds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from breaker_exporter.testing import FaultyCollector, ManualClock

    Wrapped = tuple[CooperativeOTLPSpanExporter, OTLPGrpcSpanExporter]
    Exporters = tuple[CircuitBreakerSpanExporter, CircuitBreakerSpanExporter]


@pytest.fixture
def wrapped(collector: FaultyCollector) -> Wrapped:
    """By HTTP, and by gRPC."""
    return (
        CooperativeOTLPSpanExporter(collector.http_endpoint, timeout=5),
        OTLPGrpcSpanExporter(collector.grpc_endpoint, timeout=5),
    )


@pytest.fixture
def exporters(shared: SharedCircuit, wrapped: Wrapped) -> Iterator[Exporters]:
    one, other = (CircuitBreakerSpanExporter(each, circuit=shared) for each in wrapped)
    yield one, other
    one.shutdown()
    other.shutdown()


@pytest.mark.parametrize("fault", [Fault.REFUSE, Fault.BLACKHOLE])
def test_a_collector_that_is_gone_is_gone_for_all(
    shared: SharedCircuit,
    wrapped: Wrapped,
    exporters: Exporters,
    collector: FaultyCollector,
    clock: ManualClock,
    fault: Fault,
) -> None:
    for each in wrapped:
        each._timeout = 0.3
    collector.fault = fault

    assert [succeeds(each) for each in exporters] == [False, False]

    assert shared.state is OPEN
    collector.fault = Fault.NONE
    assert [succeeds(each) for each in exporters] == [False, False]
    assert [each.health().failed for each in exporters] == [1, 1]
    clock.advance(10)
    for each in wrapped:
        each._timeout = 5
    assert [succeeds(each) for each in exporters] == [True, True]


def test_a_status_is_the_exporters_own(
    shared: SharedCircuit, exporters: Exporters, collector: FaultyCollector
) -> None:
    by_http, by_grpc = exporters
    collector.set_fault(Fault.STATUS, status=404)
    assert not succeeds(by_http)
    collector.fault = Fault.NONE

    assert (by_http.state, by_grpc.state, shared.state) == (OPEN, CLOSED, CLOSED)
    assert not succeeds(by_http)
    assert succeeds(by_grpc)
