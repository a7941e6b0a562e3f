"""The exporters for ``opentelemetry-instrument``, each signal in this process."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import types
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any

import pytest
from opentelemetry.sdk._logs.export import LogRecordExporter
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation
from opentelemetry.sdk.trace.export import SpanExporter

from breaker_exporter import CircuitState, _zero_code
from breaker_exporter._zero_code import (
    HTTPLogRecordExporter,
    HTTPMetricExporter,
    HTTPSpanExporter,
    late,
    process,
)
from breaker_exporter._zero_code import metrics_in_child as in_child
from breaker_exporter._zero_code.copied_thread import end_copied_thread
from breaker_exporter._zero_code.fork_gate import ForkGate
from breaker_exporter.testing import Fault, FaultyCollector

from .._signals import EACH_SIGNAL, LOGS, METRICS, SPANS, Signal
from ..semantics._children import in_child as check_in_child
from .test_zero_code import run

KINDS: dict[str, Any] = {
    SPANS.unit: (HTTPSpanExporter, SpanExporter, "traces", "collector"),
    LOGS.unit: (HTTPLogRecordExporter, LogRecordExporter, "logs", "collector logs"),
    METRICS.unit: (HTTPMetricExporter, MetricExporter, "metrics", "collector metrics"),
}
NAMES = ("breaker_otlp_proto_http", "breaker_otlp_proto_grpc")
WORKER = "gunicorn.workers.ggevent"


@pytest.fixture(autouse=True)
def _endpoint(collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.http_base)
    monkeypatch.setenv("BREAKER_EXPORTER_RETAIN_MEMORY", "0")


def received(collector: FaultyCollector) -> dict[str, int]:
    counts = collector.counts()
    return {SPANS.unit: counts.spans, LOGS.unit: counts.log_records, METRICS.unit: counts.data_points}


@EACH_SIGNAL
@pytest.mark.parametrize("name", NAMES)
def test_opentelemetry_finds_an_exporter_of_each_signal_that_exports_to_its_variables(
    collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch, signal: Signal, name: str
) -> None:
    _, base, group, circuit = KINDS[signal.unit]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    endpoint = collector.grpc_endpoint if name.endswith("grpc") else f"{collector.http_base}/v1/{group}"
    monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{group.upper()}_ENDPOINT", endpoint)
    monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{group.upper()}_TIMEOUT", "4")
    (entry_point,) = entry_points(group=f"opentelemetry_{group}_exporter", name=name)
    exporter: Any = entry_point.load()()

    assert isinstance(exporter, base)
    assert not exporter.breaker
    assert exporter.settings.timeout == 4
    assert exporter.export(signal.batch(3)) is signal.result.SUCCESS
    assert received(collector) == {unit: 3 if unit == signal.unit else 0 for unit in KINDS}
    health = exporter.breaker.health()
    assert (health.name, health.exported) == (circuit, 3)
    assert exporter.force_flush()
    exporter.shutdown()
    assert exporter.export(signal.batch(1)) is signal.result.FAILURE


@EACH_SIGNAL
def test_an_exporter_that_cannot_be_made_is_one_warning_of_its_signal(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, signal: Signal
) -> None:
    kind, _, _, circuit = KINDS[signal.unit]
    exporter = kind()
    monkeypatch.setitem(sys.modules, "breaker_exporter.otlp", None)

    for _ in range(2):
        assert exporter.export(signal.batch(1)) is signal.result.FAILURE

    (record,) = caplog.records
    assert f"no {signal.unit} go to {circuit}: " in record.getMessage()


def test_a_mistake_that_all_signals_share_is_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("BREAKER_EXPORTER_COOLDOWN", "soon")

    made = [kind() for kind, *_ in KINDS.values()]

    assert len(made) == 3
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_all_signals_that_are_named_share_a_circuit(
    collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L7"""
    for signal in ("TRACES", "LOGS"):
        monkeypatch.setenv(f"OTEL_{signal}_EXPORTER", NAMES[0])
    monkeypatch.setenv("BREAKER_EXPORTER_FAILURE_THRESHOLD", "1")
    monkeypatch.setenv("BREAKER_EXPORTER_RETAIN_MEMORY", "0")
    spans, logs = HTTPSpanExporter(), HTTPLogRecordExporter()
    spans.make()
    logs.make()
    collector.fault = Fault.REFUSE

    spans.export(SPANS.batch(1))

    assert logs.breaker is not None
    assert logs.breaker.state is CircuitState.OPEN


def test_a_service_with_traces_alone_loads_nothing_of_the_others() -> None:
    run(
        "import sys\n"
        "from breaker_exporter import _zero_code\n"
        "_zero_code.HTTPSpanExporter().make()\n"
        "others = ('opentelemetry.sdk._logs', 'opentelemetry.sdk.metrics',\n"
        "    'breaker_exporter._zero_code.logs', 'breaker_exporter._zero_code.metrics')\n"
        "assert not [name for name in others if name in sys.modules]\n"
    )


def test_names_are_told_and_others_are_none() -> None:
    assert set(_zero_code.__all__) < set(dir(_zero_code))
    with pytest.raises(AttributeError, match="no attribute 'SMTPSpanExporter'"):
        _ = _zero_code.SMTPSpanExporter


def test_what_metrics_prefer_is_told_before_their_exporter_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """L2: OpenTelemetry's reader asks at once."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")
    monkeypatch.setenv(
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "base2_exponential_bucket_histogram"
    )
    exporter: Any = HTTPMetricExporter()

    assert exporter.breaker is None
    assert exporter._preferred_temporality[Counter] is AggregationTemporality.DELTA
    assert isinstance(exporter._preferred_aggregation[Histogram], ExponentialBucketHistogramAggregation)


def test_an_id_that_was_given_is_told_apart_by_process_in_metrics_alone(
    collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L6"""
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=pod-1")
    exporter = HTTPMetricExporter()

    def export() -> None:
        assert exporter.export(METRICS.batch(1)) is METRICS.result.SUCCESS
        assert exporter.export(METRICS.batch(1)) is METRICS.result.SUCCESS

    export()
    check_in_child(export)

    ids = [point.resource["service.instance.id"] for point in collector.latest_data_points]
    assert ids[:2] == [f"pod-1-{os.getpid()}"] * 2
    assert ids[2] == ids[3]
    assert str(ids[2]).startswith("pod-1-")
    assert ids[2] != ids[0]


def test_what_is_no_metrics_fails_and_a_shutdown_may_come_too_late() -> None:
    exporter = HTTPMetricExporter()

    assert exporter.export(object()) is METRICS.result.FAILURE  # type: ignore[arg-type]
    exporter.shutdown(timeout=-3)
    assert exporter.export(METRICS.batch(1)) is METRICS.result.FAILURE


class Counting:
    """An SDK that counts, with an exporter of ours."""

    def __init__(self) -> None:
        self.exporter = HTTPMetricExporter()
        self.reader = PeriodicExportingMetricReader(self.exporter, float("inf"))
        self.provider = MeterProvider([self.reader], shutdown_on_exit=False)
        self.counter = self.provider.get_meter("shop").create_counter("sold")

    def exported(self, collector: FaultyCollector) -> list[object]:
        collector.clear()
        self.reader.collect()
        return [point.value for point in collector.latest_data_points]


@pytest.fixture
def counting() -> Iterator[Counting]:
    made = Counting()
    yield made
    made.provider.shutdown()


def test_in_a_child_sums_begin_at_zero_and_no_lock_is_held(
    collector: FaultyCollector, counting: Counting
) -> None:
    """L5"""
    counting.counter.add(1000)
    assert counting.exported(collector) == [1000]

    def check() -> None:
        counting.counter.add(3)
        assert counting.exported(collector) == [3]

    with counting.reader._export_lock, counting.provider._measurement_consumer._lock:
        check_in_child(check)
    counting.counter.add(1)
    assert counting.exported(collector) == [1001]


@pytest.mark.parametrize("missing", ["_all_metric_readers", "_export_lock"])
def test_an_sdk_that_does_not_let_a_child_begin_at_zero_is_one_warning_with_advice(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, counting: Counting, missing: str
) -> None:
    if missing == "_export_lock":
        del counting.reader._export_lock
    else:
        monkeypatch.delattr(MeterProvider, missing)

    in_child._begin_at_zero()
    for _ in range(2):
        counting.exporter.export(METRICS.batch(1))

    assert [record.message for record in caplog.records if record.message == in_child.ADVICE] == [
        in_child.ADVICE
    ]


def test_at_exit_each_has_its_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_exporters", [])
    monkeypatch.setenv("BREAKER_EXPORTER_SHUTDOWN_TIMEOUT", "3000")
    made = [kind() for kind, *_ in KINDS.values()]

    process.bound_exit()

    # OpenTelemetry shuts down the one made last first.
    assert [round(exporter._left(), -2) for exporter in made] == [3000, 2000, 1000]


def start(work: Any) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def until(done: Any) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_fork_waits_for_imports_and_exports_and_these_wait_for_it() -> None:
    gate, go_on = ForkGate(), threading.Event()

    def first() -> None:
        with gate.passing(), gate.importing():
            go_on.wait(20)

    exporting = start(first)
    until(lambda: gate._importing)
    closing = start(gate.close)
    until(lambda: gate._is_closed)
    passed: list[int] = []

    def second() -> None:
        with gate.passing():
            passed.append(gate._out)

    waiting = start(second)
    assert closing.is_alive()
    go_on.set()
    exporting.join(20)
    closing.join(20)
    assert not passed
    gate.open()
    waiting.join(20)
    assert passed == [1]


def test_where_gunicorn_will_patch_a_thread_exports_after_the_patch_or_at_the_end(
    collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I1: in the arbiter the first export would import ssl, and later workers are forked from it."""
    monkeypatch.setitem(sys.modules, WORKER, types.ModuleType(WORKER))
    ending, patched, by_main = HTTPSpanExporter(), HTTPLogRecordExporter(), HTTPMetricExporter()
    at_the_end = start(lambda: ending.export(SPANS.batch(1)))
    after_the_patch = start(lambda: patched.export(LOGS.batch(1)))

    assert by_main.export(METRICS.batch(1)) is METRICS.result.SUCCESS  # the application asks for it
    assert collector.counts().spans == collector.counts().log_records == 0

    def check() -> None:  # its threads are gone, and it has one of its own
        thread = start(lambda: patched.export(LOGS.batch(2)))
        assert collector.counts().log_records == 0
        patched.prepare()
        thread.join(20)

    check_in_child(check)
    assert collector.counts().log_records == 2
    patched.prepare()
    ending.begin_shutdown(20)
    for thread in (at_the_end, after_the_patch):
        thread.join(20)
    assert (collector.counts().spans, collector.counts().log_records) == (1, 3)
    check_in_child(patched._await_start)  # what was prepared stays so


def ends(name: str) -> bool:
    """True where a thread of that name ends after an export in this process."""
    ended: list[bool] = []

    def export() -> None:
        try:
            for _ in range(2):
                end_copied_thread()
        except SystemExit:
            ended.append(True)

    thread = threading.Thread(target=export, name=name)
    thread.start()
    thread.join()
    return bool(ended)


def test_a_thread_of_opentelemetrys_that_a_fork_has_copied_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under gevent; the application's own go on there, and so do those that the child has started."""
    end_copied_thread()
    assert not ends("OtelPeriodicExportingMetricReader")

    monkeypatch.setattr(threading, "enumerate", list)

    assert ends("OtelPeriodicExportingMetricReader")
    assert not ends("sweeper")


def test_it_ends_after_its_first_export(monkeypatch: pytest.MonkeyPatch, collector: FaultyCollector) -> None:
    exporter = HTTPSpanExporter()
    asked: list[int] = []
    monkeypatch.setattr(late, "is_patched", lambda: True)
    monkeypatch.setattr(late, "end_copied_thread", lambda: asked.append(collector.counts().spans))

    exporter.export(SPANS.batch(1))
    assert asked == []
    exporter._made_in = 0
    exporter.export(SPANS.batch(1))

    assert asked == [2]
