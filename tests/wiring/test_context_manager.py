"""``with Telemetry(...)``: prepared and started at the beginning of the block, stopped at its end."""

from __future__ import annotations

import os

import pytest
from opentelemetry.sdk.trace import TracerProvider

from breaker_exporter.telemetry import Telemetry, TelemetryError
from breaker_exporter.testing import FaultyCollector


def sell(provider: TracerProvider) -> None:
    provider.get_tracer("tests").start_span("sell").end()


@pytest.fixture
def telemetry(collector: FaultyCollector, provider: TracerProvider) -> Telemetry:
    return Telemetry(provider=provider, endpoint=collector.http_base)


def test_the_block_gets_a_telemetry_that_is_started_and_its_spans_are_exported_at_the_end(
    telemetry: Telemetry, collector: FaultyCollector, provider: TracerProvider
) -> None:
    with telemetry as started:
        assert started is telemetry
        assert [exporter.health().name for exporter in telemetry.exporters] == ["collector"]
        sell(provider)

    assert telemetry.exporters == ()
    assert collector.spans_received == 1


def test_an_error_in_the_block_is_raised_and_the_spans_are_exported(
    telemetry: Telemetry, collector: FaultyCollector, provider: TracerProvider
) -> None:
    def fail_in_the_block() -> None:
        with telemetry:
            sell(provider)
            raise LookupError("sold out")

    with pytest.raises(LookupError, match="sold out"):
        fail_in_the_block()

    assert telemetry.exporters == ()
    assert collector.spans_received == 1


def test_one_block_may_follow_another(
    telemetry: Telemetry, collector: FaultyCollector, provider: TracerProvider
) -> None:
    for _ in range(2):
        with telemetry:
            sell(provider)

    assert collector.spans_received == 2


def test_the_end_of_the_block_after_a_stop_does_nothing(telemetry: Telemetry) -> None:
    with telemetry:
        telemetry.stop()


def test_a_child_that_leaves_the_block_does_not_stop_its_parents(
    telemetry: Telemetry, collector: FaultyCollector, provider: TracerProvider
) -> None:
    with telemetry:
        if (child := os.fork()) == 0:
            telemetry.__exit__(None, None, None)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        sell(provider)

    assert collector.spans_received == 1


def test_a_mistake_lets_the_block_run_and_where_strict_it_does_not(
    provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "no_such_exporter")
    ran = []
    with Telemetry(provider=provider):
        ran.append("open")
    monkeypatch.setenv("BREAKER_EXPORTER_STRICT", "1")
    with pytest.raises(TelemetryError, match="no_such_exporter"), Telemetry(provider=provider):
        ran.append("strict")

    assert ran == ["open"]


def test_it_says_in_the_repl_which_service_it_is_for_and_whether_it_runs(
    collector: FaultyCollector, provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Telemetry(service_name="shop")
    started = Telemetry(provider=provider, endpoint=collector.http_base)
    with started:
        running = repr(started)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    with Telemetry(provider=provider) as silent:
        assert repr(silent) == "<Telemetry, running, exporters: none>"

    assert repr(shop) == "<Telemetry of 'shop', not running>"
    assert running == "<Telemetry, running, exporters: collector>"
    assert repr(started) == "<Telemetry, not running>"
