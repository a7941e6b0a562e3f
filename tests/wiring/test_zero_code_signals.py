"""All signals without a line of code: in Gunicorn's workers, and over a fork at any moment."""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable

import pytest

from breaker_exporter.testing import Fault, FaultyCollector

from .._gunicorn import IN_TIME, GunicornService
from .test_zero_code import INSTRUMENT, PATCH_ALL, WITHOUT_SSL, needs_distro, run

APP = """
import itertools, logging, os
from flask import Flask
from opentelemetry import metrics

sold = metrics.get_meter("shop").create_counter("sold")
sold.add(1000)
numbers = itertools.count()
app = Flask("shop")


@app.get("/")
def sell():
    sale = f"{os.getpid()}-{next(numbers)}"
    sold.add(1)
    logging.getLogger("shop").warning("sale %s", sale)
    return sale
"""
CONF = "def post_worker_init(worker):\n    worker.log.info('worker %s is ready', worker.age)\n"
FAST = {
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": WITHOUT_SSL,
    "OTEL_BSP_SCHEDULE_DELAY": "50",
    "OTEL_BLRP_SCHEDULE_DELAY": "50",
    "OTEL_METRIC_EXPORT_INTERVAL": "100",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "0.5",
    "BREAKER_EXPORTER_FAILURE_THRESHOLD": "1",
    "BREAKER_EXPORTER_COOLDOWN": "0.2",
    "BREAKER_EXPORTER_MAX_COOLDOWN": "0.2",
}
ALL = "collector of traces, logs, metrics"
REDACTED = re.compile(r" \((http|grpc)://[^)]*\)")


def sums(collector: FaultyCollector) -> list[int]:
    """The latest sum of each process that counted, the smallest first."""
    points = sorted(
        (point for point in collector.latest_data_points if point.metric == "sold"),
        key=lambda point: point.time_unix_nano,
    )
    return sorted({point.resource["service.instance.id"]: int(point.value or 0) for point in points}.values())


def sold_points(collector: FaultyCollector) -> str:
    """Each point as it arrived, for the message of a failure: its process, time and value."""
    return "\n".join(
        f"{point.resource} {point.time_unix_nano} {point.value}"
        for point in collector.latest_data_points
        if point.metric == "sold"
    )


@needs_distro
@pytest.mark.parametrize(
    ("worker", "protocol", "args", "env"),
    [
        ("sync", "http", [], {}),
        ("gthread", "grpc", ["--preload"], {}),
        ("gevent", "http", ["--preload"], {}),
        ("gevent", "grpc", ["--preload"], PATCH_ALL),
    ],
)
def test_each_sale_is_a_span_a_log_record_and_one_more_in_the_sum_of_its_worker(
    collector: FaultyCollector, worker: str, protocol: str, args: list[str], env: dict[str, str]
) -> None:
    """L5, L6: through an outage; what is counted while a preloaded application loads is counted once."""
    pytest.importorskip("opentelemetry.instrumentation.logging.handler")
    names = {f"OTEL_{signal}_EXPORTER": f"breaker_otlp_proto_{protocol}" for signal in SIGNALS}
    endpoint = collector.grpc_endpoint if protocol == "grpc" else collector.http_base
    service = GunicornService(
        APP,
        conf=CONF,
        command=[str(INSTRUMENT), sys.executable, "-m", "gunicorn"],
        args=["-k", worker, "-w", "2", *args],
        env={**names, **FAST, **env, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint},
    )
    with service:
        service.wait_for_line("worker [12] is ready")
        sales: list[str] = []

        def sell_until(done: Callable[[], bool]) -> None:
            deadline = time.monotonic() + 60
            while not done():
                assert time.monotonic() < deadline, f"{collector.counts()}\n{service.output}"
                sales.append(service.get())
                time.sleep(0.02)

        def has_all() -> bool:
            return len(collector.span_ids) == len(sales) and len(records(collector)) == len(sales)

        sell_until(lambda: bool(collector.span_ids and records(collector) and sums(collector)))
        collector.fault = Fault.BLACKHOLE
        sell_until(lambda: f"{ALL}: circuit opened" in REDACTED.sub("", service.output))
        collector.fault = Fault.NONE
        deadline = time.monotonic() + 60
        while not has_all():
            assert time.monotonic() < deadline, f"{len(sales)} of {collector.counts()}\n{service.output}"
            time.sleep(0.05)
        ended = service.terminate()

    of_workers = sorted(Counter(sale.partition("-")[0] for sale in sales).values())
    # Without preload each worker loads the application, and counts that; only the worker that serves is sure
    # to have exported it.
    assert [s for s in sums(collector) if s != 1000] == (
        of_workers if args else [1000 + sale for sale in of_workers]
    ), f"{sold_points(collector)}\n{Counter(records(collector))}\n{sales}\n{service.output}"
    assert sums(collector).count(1000) <= 1
    assert (1000 in sums(collector)) or not args
    assert sorted(records(collector)) == sorted(f"sale {sale}" for sale in sales)
    assert [body for body in other_records(collector) if ": circuit " not in body] == []  # L3
    assert collector.duplicates == 0
    assert (ended.returncode, ended.seconds < IN_TIME) == (0, True)
    assert "SSLContext" not in service.output
    assert "Failed to auto initialize" not in service.output


SIGNALS = ("TRACES", "LOGS", "METRICS")


def records(collector: FaultyCollector) -> list[str]:
    return [body for body in bodies(collector) if body.startswith("sale ")]


def other_records(collector: FaultyCollector) -> list[str]:
    return [body for body in bodies(collector) if not body.startswith("sale ")]


def bodies(collector: FaultyCollector) -> list[str]:
    return [str(record.body) for record in collector.latest_log_records]


COUNTING = """
import os, sys, time
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from breaker_exporter._zero_code import HTTPMetricExporter

exporter = HTTPMetricExporter()
reader = PeriodicExportingMetricReader(exporter, 20)
provider = MeterProvider([reader])
counter = provider.get_meter("shop").create_counter("sold")

def until(done):
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.001)
"""


def test_a_child_that_is_forked_in_the_middle_of_an_export_counts_from_zero_and_exports(
    collector: FaultyCollector,
) -> None:
    """L5: in the child, OpenTelemetry's reader would wait for its lock for ever."""
    collector.fault = Fault.BLACKHOLE
    heal = json.dumps({"fault": "none"})
    run(
        COUNTING
        + f"""
import urllib.request
counter.add(1000)
until(reader._export_lock.locked)
if (child := os.fork()) == 0:
    counter.add(3)
    urllib.request.urlopen({collector.control_url + "/fault"!r}, {heal!r}.encode()).read()
    until(lambda: exporter.breaker.health().exported)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
provider.shutdown()
""",
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base,
            "OTEL_EXPORTER_OTLP_TIMEOUT": "12",
            "BREAKER_EXPORTER_RETAIN_MEMORY": "0",
        },
    )

    assert sums(collector) == [3, 1000]


def test_a_given_instance_id_stays_in_children_and_has_their_process_id_for_metrics_alone(
    collector: FaultyCollector,
) -> None:
    """L6. From 1.44 on, a handler of the SDK's replaces it in each child, be it given."""
    run(
        COUNTING
        + """
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from breaker_exporter._zero_code import HTTPLogRecordExporter, HTTPSpanExporter
traces, logs = TracerProvider(), LoggerProvider()
traces.add_span_processor(SimpleSpanProcessor(HTTPSpanExporter()))
logs.add_log_record_processor(SimpleLogRecordProcessor(HTTPLogRecordExporter()))

def work():
    with traces.get_tracer("shop").start_as_current_span("sale"):
        logs.get_logger("shop").emit(LogRecord(body=str(os.getpid())))
    counter.add(1)
    provider.force_flush()

if (child := os.fork()) == 0:
    work()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
work()
""",
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base,
            "OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=till",
            "BREAKER_EXPORTER_RETAIN_MEMORY": "0",
        },
    )

    key = "service.instance.id"
    assert [span.resource[key] for span in collector.latest_spans] == ["till"] * 2
    records = collector.latest_log_records
    assert [record.resource[key] for record in records] == ["till"] * 2
    points = {point.resource[key] for point in collector.latest_data_points}
    assert points == {f"till-{record.body}" for record in records}
