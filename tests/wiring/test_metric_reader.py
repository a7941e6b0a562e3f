"""The reader of metrics: what it collects and exports, and when; and what ends its thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.resources import Resource

from breaker_exporter import CircuitBreakerMetricExporter
from breaker_exporter._wiring.batch_settings import Reading
from breaker_exporter._wiring.metric_reader import IntervalReader

from ..semantics._waiting import PATIENCE, until
from .conftest import Run

NEVER = 3600.0


class Keeping(MetricExporter):
    """Keeps the sums that it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.sums: list[float] = []
        self.shutdowns = 0

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> Any:
        for resource in metrics_data.resource_metrics:
            for scope in resource.scope_metrics:
                self.sums += [point.value for metric in scope.metrics for point in metric.data.data_points]  # type: ignore[union-attr]
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        self.shutdowns += 1


Make = Callable[..., tuple[IntervalReader, MeterProvider]]


@pytest.fixture
def kept() -> Keeping:
    return Keeping()


@pytest.fixture
def make(kept: Keeping) -> Iterator[Make]:
    """Makes a reader, and a provider that it collects from."""
    made: list[IntervalReader] = []

    def make_reader(interval: float = NEVER, timeout: float = 10.0) -> tuple[IntervalReader, MeterProvider]:
        reader = IntervalReader(CircuitBreakerMetricExporter(kept), Reading(interval, timeout))
        made.append(reader)
        return reader, MeterProvider([reader], Resource({}), shutdown_on_exit=False)

    yield make_reader
    for reader in made:
        reader.shutdown()


def said(caplog: pytest.LogCaptureFixture, text: str) -> int:
    ours = [record for record in caplog.records if record.name == "breaker_exporter"]
    return sum(text in record.getMessage() for record in ours if record.levelno == logging.WARNING)


def test_it_exports_at_intervals_and_once_more_at_its_shutdown(make: Make, kept: Keeping) -> None:
    reader, provider = make(interval=0.01)
    counter = provider.get_meter("tests").create_counter("sold")
    counter.add(1)
    until(lambda: 1 in kept.sums)

    counter.add(1)
    reader.shutdown()
    reader.shutdown()
    exports = len(kept.sums)

    assert kept.sums[-1] == 2
    assert kept.shutdowns == 1
    assert not reader.force_flush()
    assert len(kept.sums) == exports


def test_a_flush_exports_at_once(make: Make, kept: Keeping) -> None:
    _, provider = make()
    provider.get_meter("tests").create_counter("sold").add(3)

    assert provider.force_flush()

    assert kept.sums == [3]


def test_a_collection_that_fails_is_said_once_and_the_next_one_goes_on(
    make: Make, kept: Keeping, caplog: pytest.LogCaptureFixture
) -> None:
    warnings: list[int] = []

    def observe(options: CallbackOptions) -> Sequence[Observation]:
        if len(warnings) < 3:
            warnings.append(said(caplog, "metrics were not collected, and are not exported"))
            time.sleep(0.05)  # longer than a collection may take
        return [Observation(1)]

    _, provider = make(interval=0.001, timeout=0.04)
    for name in ("late", "next"):  # the SDK looks at the time before each
        provider.get_meter("tests").create_observable_gauge(name, [observe])

    until(lambda: bool(kept.sums))

    assert warnings == [0, 1, 1]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_ends_its_thread_is_said(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """gevent's own timeouts, which a callback may let out, are no Exception."""

    class Timeout(BaseException):
        pass

    def observe(options: CallbackOptions) -> Sequence[Observation]:
        raise Timeout

    reader, provider = make(interval=0.001)
    provider.get_meter("tests").create_observable_gauge("late", [observe])

    until(lambda: said(caplog, "metrics are not exported any more: Timeout() ended their thread") == 1)

    began = time.monotonic()
    reader.shutdown()
    assert time.monotonic() - began < PATIENCE


def test_a_shutdown_does_not_wait_for_a_callback_that_hangs(make: Make) -> None:
    hangs, release = threading.Event(), threading.Event()

    def observe(options: CallbackOptions) -> Sequence[Observation]:
        hangs.set()
        release.wait(60)
        return []

    reader, provider = make(interval=0.001)
    provider.get_meter("tests").create_observable_gauge("stuck", [observe])
    assert hangs.wait(PATIENCE)

    began = time.monotonic()
    reader.shutdown(timeout_millis=50)
    took = time.monotonic() - began
    release.set()

    assert took < PATIENCE


def test_a_forked_child_exports_nothing_of_its_parents(run: Run) -> None:
    """L5: the SDK's own reader goes on there, from the sums of the parent."""
    output = run(
        """
import os, sys, time
from breaker_exporter import CircuitBreakerMetricExporter
from breaker_exporter._wiring.batch_settings import Reading
from breaker_exporter._wiring.metric_reader import IntervalReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter

parent = os.getpid()

def shown(data):
    return "exported in the parent\\n" if os.getpid() == parent else "exported in the child\\n"

exporter = CircuitBreakerMetricExporter(ConsoleMetricExporter(formatter=shown))
reader = IntervalReader(exporter, Reading(0.02, 1))
provider = MeterProvider([reader])
provider.get_meter("tests").create_counter("sold").add(1)
time.sleep(0.1)
sys.stdout.flush()
if not os.fork():
    time.sleep(0.2)
    assert not reader.force_flush()
    sys.stdout.flush()
    os._exit(0)
assert os.wait()[1] == 0
"""
    )

    assert "exported in the parent" in output
    assert "exported in the child" not in output
