"""A user's tests with the package and pytest alone: the fakes work, the collector says what it needs."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState
from breaker_exporter.testing import FaultyCollector, ManualClock, ScriptedExporter, fail


def test_the_fakes_need_nothing_else() -> None:
    clock = ManualClock()
    exporter = CircuitBreakerSpanExporter(ScriptedExporter([fail]), failure_threshold=1, clock=clock)

    assert exporter.export(()) is SpanExportResult.SUCCESS
    assert exporter.state is CircuitState.CLOSED


def test_the_collector_names_the_extra_that_it_needs() -> None:
    with pytest.raises(RuntimeError, match=r"breaker-exporter\[otlp\]"):
        FaultyCollector().start()


def test_the_fixture_is_there(request: pytest.FixtureRequest) -> None:
    with pytest.raises(RuntimeError, match=r"breaker-exporter\[otlp\]"):
        request.getfixturevalue("faulty_collector")
