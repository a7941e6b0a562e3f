"""The OTLP exporters of this package on one shared circuit, against a real collector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from breaker_exporter import Cause, CircuitBreakerSpanExporter, SharedCircuit, Verdict
from breaker_exporter.otlp import CooperativeOTLPSpanExporter, OTLPGrpcSpanExporter
from breaker_exporter.testing import Fault

from ..semantics._spans import spans
from ._sharing import CLOSED, OPEN, succeeds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


@pytest.mark.parametrize("kind", [CooperativeOTLPSpanExporter, OTLPGrpcSpanExporter])
@pytest.mark.parametrize("variables", [["CERTIFICATE"], ["CLIENT_CERTIFICATE", "CLIENT_KEY"]])
@pytest.mark.parametrize("content", [None, b""])
def test_a_missing_certificate_is_the_exporters_own(
    shared: SharedCircuit,
    exporters: Exporters,
    collector: FaultyCollector,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    kind: type[CooperativeOTLPSpanExporter | OTLPGrpcSpanExporter],
    variables: list[str],
    content: bytes | None,
) -> None:
    """It says nothing about the backend, to which the other signals go on."""
    file = tmp_path / "one.pem"
    if content is not None:
        file.write_bytes(content)
    for variable in variables:
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{variable}", str(file))
    wrapped = kind(collector.http_base.replace("http:", "https:"), timeout=5)
    one = CircuitBreakerSpanExporter(wrapped, circuit=shared)

    report = wrapped.export_and_report(spans(1))
    for _ in range(5):
        assert not succeeds(one)

    assert (report.verdict, report.cause) == (Verdict.MISCONFIGURED, Cause.LOCAL)
    assert "one.pem" in report.reason or "TLS with 127.0.0.1" in report.reason
    assert (one.state, shared.state) == (OPEN, CLOSED)
    assert [succeeds(each) for each in exporters] == [True, True]
    one.shutdown()
