"""All three signals by the hooks in real Gunicorn services: healthy, then in an outage, then stopped."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from breaker_exporter.testing import Fault, FaultyCollector

from .._gunicorn import IN_TIME, GunicornService

APP = """
import logging
from opentelemetry import metrics, trace

logging.getLogger().setLevel(logging.DEBUG)
log = logging.getLogger("shop")
tracer = trace.get_tracer("shop")
served = metrics.get_meter("shop").create_counter("served")


def app(environ, start_response):
    with tracer.start_as_current_span("request") as span:
        log.info("request %s", environ["PATH_INFO"].lstrip("/"))
        served.add(1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{span.get_span_context().span_id:016x}".encode()]
"""
"""Logs and counts each request, and answers with the id of its span."""

CONF = """
from breaker_exporter.gunicorn import post_fork, post_worker_init as start, worker_exit

def post_worker_init(worker):
    start(worker)
    worker.log.info("worker %s is ready", worker.age)
"""

_SHUTDOWN = 2.0
"""Seconds that a worker's telemetry may take to stop."""


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory for what is kept, which no other user can write to."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def variables(collector: FaultyCollector, protocol: str, directory: Path) -> dict[str, str]:
    return {
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=till",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": (
            collector.grpc_endpoint if protocol == "grpc" else collector.http_base
        ),
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_BLRP_SCHEDULE_DELAY": "100",
        "OTEL_METRIC_EXPORT_INTERVAL": "200",
        "BREAKER_EXPORTER_SHUTDOWN_TIMEOUT": f"{_SHUTDOWN:g}",
        "BREAKER_EXPORTER_RETAIN_DIRECTORY": str(directory),
    }


def sums(collector: FaultyCollector) -> dict[object, float]:
    """The latest sum of each worker: what was kept is sent in order."""
    points = [point for point in collector.latest_data_points if point.metric == "served"]
    return {point.resource["service.instance.id"]: point.value or 0 for point in points}


def records(collector: FaultyCollector) -> set[str]:
    """The bodies of the application's log records."""
    return {body for body in collector.log_bodies if not body.startswith("collector")}


def is_complete(collector: FaultyCollector, spans: set[str], requests: int) -> bool:
    are_there = collector.span_ids >= spans and len(records(collector)) == requests
    return are_there and sum(sums(collector).values()) == requests


@pytest.mark.parametrize(
    ("worker", "protocol", "more"),
    [
        ("gevent", "http/protobuf", ["--preload"]),
        ("gevent", "grpc", []),
        ("gthread", "http/protobuf", []),
    ],
)
def test_an_outage_of_all_signals_delays_no_request_and_no_stop_and_loses_nothing(
    collector: FaultyCollector, directory: Path, worker: str, protocol: str, more: list[str]
) -> None:
    """What was kept on disk is delivered by the next service; the root logger is at DEBUG meanwhile (L3)."""
    env = variables(collector, protocol, directory)
    args = ["-k", worker, "--workers", "2", *more]
    spans, slowest = set[str](), 0.0
    with GunicornService(APP, conf=CONF, env=env, args=args) as service:
        for age in (1, 2):
            service.wait_for_line(f"worker {age} is ready")
        spans |= {service.get(f"/{number}") for number in range(10)}
        assert collector.wait_for_log_records(10)
        collector.fault = Fault.BLACKHOLE
        for number in range(10, 30):
            began = time.monotonic()
            spans.add(service.get(f"/{number}"))
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.05)
        ended = service.terminate()
    collector.fault = Fault.NONE
    with GunicornService(APP, conf=CONF, env=env, args=args) as next_service:
        next_service.wait_for_line("worker 1 is ready")
        deadline = time.monotonic() + 60
        while not is_complete(collector, spans, 30) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert next_service.terminate().returncode == 0

    assert ended.returncode == 0
    assert ended.seconds < IN_TIME
    assert slowest < IN_TIME
    assert collector.span_ids == spans
    assert sum(sums(collector).values()) == 30
    assert all(str(own).startswith("till-") for own in sums(collector))
    assert records(collector) == {f"request {number}" for number in range(30)}
