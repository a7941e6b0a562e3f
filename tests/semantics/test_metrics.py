"""The contract of metric exporters: time, preferences, and OpenTelemetry's reader (L2)."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExportResult,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import LastValueAggregation

from breaker_exporter import CircuitBreakerMetricExporter, CircuitState, Retention
from breaker_exporter._core import intake
from breaker_exporter.testing import ScriptedExporter, hang

from .._signals import PlayingMetrics, data_points
from ._children import in_child
from ._exporters import Gated
from ._waiting import start, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.metrics.export import MetricsData

    from breaker_exporter._core import intake
from breaker_exporter.testing import ManualClock

SUCCESS, FAILURE = MetricExportResult.SUCCESS, MetricExportResult.FAILURE


def _sum(data: Any) -> int:
    (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
    return sum(point.value for point in metric.data.data_points)


class Old:
    """An exporter from before an export had a time."""

    def export(self, metrics_data: MetricsData) -> MetricExportResult:
        return SUCCESS


def test_the_wrapped_exporter_is_told_what_is_left_of_the_shorter_time(deadlines: ManualClock) -> None:
    inner = PlayingMetrics(ScriptedExporter())
    exporter = CircuitBreakerMetricExporter(inner, export_timeout=3.0)

    assert exporter.export(data_points(1), timeout_millis=2_000) is SUCCESS
    assert exporter.export(data_points(1), timeout_millis=4_000, priority="low") is SUCCESS
    assert exporter.export(data_points(1), math.inf) is SUCCESS
    assert exporter.export(data_points(1)) is SUCCESS

    assert [given["timeout_millis"] for given in inner.given] == [
        pytest.approx(millis) for millis in (2_000, 3_000, 3_000, 3_000)
    ]
    assert inner.given[1]["priority"] == "low"


def test_what_waits_for_its_turn_has_less_time_left(deadlines: ManualClock) -> None:
    script = Gated()
    inner = PlayingMetrics(script)
    exporter = CircuitBreakerMetricExporter(inner)
    first = start(lambda: exporter.export(data_points(1)))
    script.entered(1)
    second = start(lambda: exporter.export(data_points(1), timeout_millis=5_000))
    until(lambda: exporter.health().in_flight == 2)
    until(lambda: exporter._guarded.guard._runner._turns.are_awaited)

    deadlines.advance(2)
    script.let_all_out()

    assert (first.result(20), second.result(20)) == (SUCCESS, SUCCESS)
    assert inner.given[1]["timeout_millis"] == pytest.approx(3_000)


@pytest.mark.parametrize("exporter", [Old(), PlayingMetrics(ScriptedExporter())])
def test_an_exporter_that_takes_no_time_is_not_told_any(exporter: Any) -> None:
    breaker = CircuitBreakerMetricExporter(exporter)

    assert breaker.export(data_points(1), timeout_millis=500) is SUCCESS


def test_a_caller_with_little_time_goes_and_the_call_is_not_hung_by_that() -> None:
    """R2: its items count as failed; what the call comes to settles the circuit."""
    script = Gated()
    exporter = CircuitBreakerMetricExporter(PlayingMetrics(script), failure_threshold=1)

    assert exporter.export(data_points(2), timeout_millis=20) is FAILURE

    health = exporter.health()
    assert (health.failed, health.hung_calls, health.state) == (2, 0, CircuitState.CLOSED)
    script.let_all_out()
    until(lambda: exporter.export(data_points(1)) is SUCCESS)


@pytest.mark.parametrize("millis", [0, -5, math.nan, None, "5"])
def test_without_any_time_nothing_is_called(millis: Any) -> None:
    script = ScriptedExporter()
    exporter = CircuitBreakerMetricExporter(PlayingMetrics(script))

    assert exporter.export(data_points(2), timeout_millis=millis) is FAILURE

    assert (exporter.health().refused, exporter.state, script.calls) == (2, CircuitState.CLOSED, [])


def test_a_caller_with_little_time_hands_over_what_is_kept() -> None:
    """K1."""
    script = Gated()
    exporter = CircuitBreakerMetricExporter(PlayingMetrics(script), retention=Retention())

    began = time.monotonic()
    assert exporter.export(data_points(2), timeout_millis=20) is SUCCESS

    assert time.monotonic() - began < 0.9
    script.let_all_out()
    until(lambda: exporter.health().exported == 2)


def test_what_is_kept_has_the_time_of_an_attempt(deadlines: ManualClock) -> None:
    inner = PlayingMetrics(ScriptedExporter())
    exporter = CircuitBreakerMetricExporter(inner, retention=Retention(), export_timeout=3.0)

    assert exporter.export(data_points(2), timeout_millis=20_000) is SUCCESS

    assert inner.given == [{"timeout_millis": pytest.approx(3_000)}]


def test_the_reader_asks_what_the_wrapped_exporter_prefers() -> None:
    inner = PlayingMetrics(
        ScriptedExporter(),
        preferred_temporality={Counter: AggregationTemporality.DELTA},
        preferred_aggregation={Histogram: LastValueAggregation()},
    )
    reader = PeriodicExportingMetricReader(CircuitBreakerMetricExporter(inner), math.inf)
    provider = MeterProvider([reader], shutdown_on_exit=False)
    sold = provider.get_meter("m").create_counter("sold")

    for _ in range(2):
        sold.add(3)
        provider.force_flush()

    assert [_sum(call.spans[0]) for call in inner.script.calls] == [3, 3]
    assert inner.script.flush_calls == 2


def test_a_preference_that_is_set_late_is_seen_and_none_is_none() -> None:
    """In zero code the exporter is made when it is first needed."""
    inner = PlayingMetrics(ScriptedExporter())
    exporter = CircuitBreakerMetricExporter(inner)
    seen = [exporter._preferred_temporality]

    inner._preferred_temporality = {Counter: AggregationTemporality.DELTA}

    seen.append(exporter._preferred_temporality)
    assert seen == [None, {Counter: AggregationTemporality.DELTA}]
    old: Any = Old()
    without = CircuitBreakerMetricExporter(old)
    assert (without._preferred_temporality, without._preferred_aggregation) == (None, None)


@pytest.mark.parametrize("timeout", [100, 0, -50_000])
def test_the_readers_own_word_for_the_time_of_a_shutdown_is_understood(timeout: float) -> None:
    script = ScriptedExporter(on_shutdown=hang)
    exporter = CircuitBreakerMetricExporter(PlayingMetrics(script))

    began = time.monotonic()
    start(lambda: exporter.shutdown(timeout=timeout)).result(15)

    assert time.monotonic() - began < 12
    until(lambda: script.shutdown_calls == 1)
    script.release()


@pytest.fixture
def provider_over() -> Iterator[Any]:
    """Makes a provider whose reader exports each 20 ms through a circuit breaker around a script."""
    made: list[tuple[MeterProvider, ScriptedExporter]] = []

    def new(script: ScriptedExporter, **arguments: Any) -> tuple[MeterProvider, CircuitBreakerMetricExporter]:
        exporter = CircuitBreakerMetricExporter(PlayingMetrics(script), **arguments)
        provider = MeterProvider([PeriodicExportingMetricReader(exporter, 20)], shutdown_on_exit=False)
        provider.get_meter("m").create_counter("sold").add(3)
        made.append((provider, script))
        return provider, exporter

    yield new
    for provider, script in made:
        script.release()
        provider.shutdown(2_000)


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), GeneratorExit(), RuntimeError("no")])
def test_the_readers_ticker_survives_whatever_the_wrapped_exporter_raises(
    provider_over: Any, error: BaseException
) -> None:
    """C3, L2."""
    script = ScriptedExporter([error])
    _, exporter = provider_over(script)

    until(lambda: exporter.health().exported >= 2)

    assert exporter.health().failed == 1


def test_a_provider_shuts_down_in_time_though_the_wrapped_exporter_hangs(provider_over: Any) -> None:
    """S1, S4: the reader gives the exporter what it has left, less than nothing at times."""
    script = ScriptedExporter(default=hang, on_shutdown=hang)
    provider, exporter = provider_over(script, export_timeout=60)
    assert script.wait_for_calls(1)
    exporter.begin_shutdown(0.2)

    start(lambda: provider.shutdown(400)).result(15)

    assert exporter.health().in_flight == 0


def test_a_reader_forked_while_the_backend_hangs_exports_in_the_child(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """L5: with retention the reader's lock, held in an export, is held for a second at most."""
    monkeypatch.setattr(intake, "_ANSWER_WITHIN", 0.02)
    script = ScriptedExporter([hang], on_flush=hang)
    exporter = CircuitBreakerMetricExporter(PlayingMetrics(script), retention=Retention())
    reader = PeriodicExportingMetricReader(exporter, math.inf)
    provider = MeterProvider([reader], shutdown_on_exit=False)
    provider.get_meter("m").create_counter("sold").add(3)
    reader.collect()  # back from the call that hangs

    def check() -> None:
        assert exporter.health().received == 0
        reader.collect()
        until(lambda: exporter.health().exported == 1)

    in_child(check)
    script.release()
    until(lambda: exporter.health().exported == 1)
