"""The contract of log record exporters: results of before, and OpenTelemetry's processors (L2)."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider, export
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    LogRecordExportResult,
    SimpleLogRecordProcessor,
)

from breaker_exporter import CircuitBreakerLogRecordExporter, CircuitState
from breaker_exporter.testing import ScriptedExporter, fail, hang

from .._signals import PlayingLogs, log_records
from ._waiting import start, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Emit = Callable[[Any], Callable[[], None]]


@pytest.fixture
def emitter_over() -> Iterator[Emit]:
    """Makes a function that emits one log record through a processor."""
    providers = []

    def new(processor: Any) -> Callable[[], None]:
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(processor)
        providers.append(provider)
        logger = provider.get_logger("tests")
        return lambda: logger.emit(LogRecord(observed_timestamp=1, body="sold"))

    yield new
    for provider in providers:
        provider.shutdown()


def test_the_results_of_exporters_from_before_are_understood() -> None:
    """SDK 1.39 brought new names; the old type is still there, and old exporters return it."""
    with warnings.catch_warnings(action="ignore"):
        old: Any = export.LogExportResult
    exporter = CircuitBreakerLogRecordExporter(
        PlayingLogs(ScriptedExporter([lambda _: old.SUCCESS, lambda _: old.FAILURE]))
    )

    results = [exporter.export(log_records(1)) for _ in range(2)]

    assert results == [LogRecordExportResult.SUCCESS, LogRecordExportResult.FAILURE]
    assert (exporter.health().exported, exporter.health().failed) == (1, 1)
    assert exporter.health().last_error == "returned FAILURE"


def test_a_batch_processor_delivers_through_it(emitter_over: Emit) -> None:
    script = ScriptedExporter()
    exporter = CircuitBreakerLogRecordExporter(PlayingLogs(script))
    processor = BatchLogRecordProcessor(exporter, schedule_delay_millis=60_000)
    emit = emitter_over(processor)
    for _ in range(3):
        emit()

    assert processor.force_flush()

    assert exporter.health().exported == 3
    assert [record.log_record.body for record in script.spans] == ["sold"] * 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), GeneratorExit(), RuntimeError("no")])
def test_the_worker_of_a_batch_processor_survives_what_the_wrapped_exporter_raises(
    emitter_over: Emit, error: BaseException
) -> None:
    """C3."""
    exporter = CircuitBreakerLogRecordExporter(PlayingLogs(ScriptedExporter([error])))
    emit = emitter_over(BatchLogRecordProcessor(exporter, schedule_delay_millis=10))

    emit()
    until(lambda: exporter.health().failed == 1)
    emit()

    until(lambda: exporter.health().exported == 1)


def test_a_simple_processor_costs_its_caller_nothing_once_the_circuit_is_open(emitter_over: Emit) -> None:
    """P2."""
    script = ScriptedExporter(default=fail)
    exporter = CircuitBreakerLogRecordExporter(PlayingLogs(script), failure_threshold=2)
    emit = emitter_over(SimpleLogRecordProcessor(exporter))

    for _ in range(5):
        emit()

    health = exporter.health()
    assert (health.state, health.failed, health.refused) == (CircuitState.OPEN, 2, 3)
    assert len(script.calls) == 2


def test_a_batch_processors_drain_ends_with_begin_shutdowns_deadline(emitter_over: Emit) -> None:
    """S4."""
    script = ScriptedExporter(default=hang, on_shutdown=hang)
    exporter = CircuitBreakerLogRecordExporter(PlayingLogs(script), export_timeout=60)
    processor = BatchLogRecordProcessor(exporter, schedule_delay_millis=60_000)
    emit = emitter_over(processor)
    emit()
    exporter.begin_shutdown(0.1)

    start(processor.shutdown).result(15)

    assert exporter.health().in_flight == 0
    script.release()
