"""Logs and metrics through OpenTelemetry's own processor and reader in a patched process (P1, R1, C3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gevent
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

from breaker_exporter import CircuitBreakerLogRecordExporter, CircuitBreakerMetricExporter
from breaker_exporter.testing import ScriptedExporter, hang, succeed, take, throw

from .._signals import PlayingLogs, PlayingMetrics
from ._heartbeat import Heartbeat, assert_no_stall, quiet_gap
from ._waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from breaker_exporter import ExporterHealth


def a_log_exporter_that_blocks_exits_and_hangs_holds_no_hub() -> None:
    script = _script()
    exporter = CircuitBreakerLogRecordExporter(PlayingLogs(script), failure_threshold=9)
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter, schedule_delay_millis=10))
    logger = provider.get_logger("tests")

    def work() -> None:
        logger.emit(LogRecord(observed_timestamp=1, body="sold"))

    _assert_no_stall(script, work, exporter.health)
    exporter.begin_shutdown(0.2)
    with gevent.Timeout(15):
        provider.shutdown()
    script.release()


def a_metric_exporter_that_blocks_exits_and_hangs_holds_no_hub() -> None:
    script = _script()
    exporter = CircuitBreakerMetricExporter(PlayingMetrics(script), failure_threshold=9)
    provider = MeterProvider([PeriodicExportingMetricReader(exporter, 10)], shutdown_on_exit=False)
    sold = provider.get_meter("tests").create_counter("sold")

    def work() -> None:
        sold.add(1)

    _assert_no_stall(script, work, exporter.health)
    exporter.begin_shutdown(0.2)
    with gevent.Timeout(15):
        provider.shutdown(1_000)
    script.release()


def _script() -> ScriptedExporter:
    return ScriptedExporter([take(0.4), throw(SystemExit(1)), succeed, hang], on_shutdown=hang)


def _assert_no_stall(
    script: ScriptedExporter, work: Callable[[], None], health: Callable[[], ExporterHealth]
) -> None:
    quiet = quiet_gap()
    with Heartbeat() as heartbeat:
        for calls in range(1, 5):
            work()
            until(lambda calls=calls: len(script.calls) >= calls)  # type: ignore[misc]
            if calls < 4:
                until(lambda calls=calls: health().exported + health().failed >= calls)  # type: ignore[misc]
        gevent.sleep(0.2)
    assert_no_stall(heartbeat, quiet)
    assert (health().exported, health().failed) == (2, 1)
