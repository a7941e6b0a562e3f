"""The scripted exporters of log records and metrics, given to the SDK that calls them."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExportResult, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExportResult,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import LastValueAggregation

from breaker_exporter.testing import (
    ScriptedExporter,
    ScriptedLogRecordExporter,
    ScriptedMetricExporter,
    fail,
    hang,
    hang_then,
    succeed,
    take,
    throw,
)

from ._items import log_records, metrics_data

RunPython = Callable[..., "subprocess.CompletedProcess[str]"]
MAKERS: list[tuple[Any, Callable[[int], Any], Any]] = [
    (ScriptedLogRecordExporter, log_records, LogRecordExportResult),
    (ScriptedMetricExporter, metrics_data, MetricExportResult),
]
EACH = pytest.mark.parametrize(("make", "items", "results"), MAKERS, ids=["logs", "metrics"])


@EACH
def test_the_same_script_is_played_with_the_results_of_the_signal(
    make: Any, items: Callable[[int], Any], results: Any
) -> None:
    exporter = make([succeed, fail, take(0.0, fail), results.FAILURE, throw(KeyError), len], default=fail)
    batch = items(1)

    answers = [exporter.export(batch) for _ in range(4)]

    assert answers == [results.SUCCESS, results.FAILURE, results.FAILURE, results.FAILURE]
    with pytest.raises(KeyError):
        exporter.export(batch)
    assert repr(exporter).startswith(f"<{make.__name__} [succeed, fail, take(0.0, fail), {results.FAILURE},")
    assert [call.spans for call in exporter.calls] == [()] * 5
    assert not exporter.overlapped


@EACH
def test_a_hang_lasts_until_it_is_released(make: Any, items: Callable[[int], Any], results: Any) -> None:
    exporter = make([hang, hang_then(fail)])
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(exporter.export(items(1))), daemon=True)
    thread.start()

    assert exporter.wait_for_calls(1)
    assert exporter.calls[0].ended is None
    exporter.release()
    thread.join(5.0)

    assert answers == [results.SUCCESS]
    assert exporter.export(items(1)) is results.FAILURE


@EACH
def test_shutdown_and_flush_are_scripted_too(make: Any, items: object, results: Any) -> None:
    exporter = make(on_shutdown=KeyError, on_flush=results.FAILURE)

    assert exporter.force_flush() is False
    with pytest.raises(KeyError):
        exporter.shutdown()

    assert (exporter.flush_calls, exporter.shutdown_calls) == (1, 1)
    assert make().force_flush() is True


def test_log_records_of_an_application_are_recorded() -> None:
    exporter = ScriptedLogRecordExporter([succeed, fail])
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = provider.get_logger("shop")
    logger.emit(body="sold")
    logger.emit(body="lost")
    provider.shutdown()

    assert [record.log_record.body for record in exporter.log_records] == ["sold"]
    assert [len(call.log_records) for call in exporter.calls] == [1, 1]
    assert exporter.shutdown_calls == 1


def test_metrics_of_an_application_are_recorded_with_the_preferences_of_the_exporter() -> None:
    exporter = ScriptedMetricExporter(
        [succeed, succeed, fail],
        preferred_temporality={Counter: AggregationTemporality.DELTA},
        preferred_aggregation={Histogram: LastValueAggregation()},
    )
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=float("inf"))
    provider = MeterProvider([reader], shutdown_on_exit=False)
    meter = provider.get_meter("shop")
    counter, histogram = meter.create_counter("sold"), meter.create_histogram("price")
    for sold in (2, 3, 4):
        counter.add(sold)
        histogram.record(sold)
        provider.force_flush()
    provider.shutdown()

    taken = exporter.metrics_data
    assert [call.metrics_data for call in exporter.calls[:2]] == taken, "the third was not taken"
    metrics = [data.resource_metrics[0].scope_metrics[0].metrics for data in taken]
    values = [[metric.data.data_points[0].value for metric in each] for each in metrics]  # type: ignore[union-attr]
    assert values == [[2, 2], [3, 3]]
    first = exporter.calls[0]
    assert first.timeout_millis is not None
    assert 0 < first.timeout_millis <= 10_000
    assert first.log_records == ()
    assert exporter.flush_calls == 3


def test_a_script_takes_the_results_of_any_signal_and_of_nothing_else() -> None:
    exporter = ScriptedExporter([MetricExportResult.FAILURE])

    assert exporter.export(()) is MetricExportResult.FAILURE  # type: ignore[comparison-overlap]
    other: Any = AggregationTemporality.DELTA
    with pytest.raises(TypeError, match="a result such as SpanExportResult"):
        ScriptedExporter([other])


def test_who_scripts_spans_alone_loads_neither_logs_nor_metrics(run_python: RunPython) -> None:
    done = run_python(
        """
import sys
import opentelemetry.sdk.trace.export
before = set(sys.modules)
from breaker_exporter.testing import ScriptedExporter
ScriptedExporter().export(())
print([name for name in set(sys.modules) - before if name.startswith("opentelemetry")])
"""
    )

    assert (done.stdout, done.stderr) == ("[]\n", "")
