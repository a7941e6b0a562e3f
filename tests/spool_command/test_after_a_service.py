"""What a real Gunicorn worker keeps of three signals in an outage, delivered by the command: none is lost."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from breaker_exporter.testing import Fault, FaultyCollector

from .._gunicorn import GunicornService
from ..semantics._waiting import PATIENCE, until
from ._kept import run

Capture = pytest.CaptureFixture[str]

REQUESTS = 30
APP = """
import logging
from opentelemetry import metrics, trace

log = logging.getLogger("shop")
log.setLevel(logging.INFO)
tracer = trace.get_tracer("shop")
sold = metrics.get_meter("shop").create_counter("sold")


def app(environ, start_response):
    number = int(environ["PATH_INFO"].lstrip("/"))
    with tracer.start_as_current_span("sell") as span:
        log.info("sold %d", number)
        sold.add(number)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{span.get_span_context().span_id:016x}".encode()]
"""
CONF = "from breaker_exporter.gunicorn import post_fork, post_worker_init, worker_exit"


@pytest.fixture
def private() -> Iterator[Path]:
    """A directory for what is kept, which no other user can write to."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def variables(collector: FaultyCollector, directory: Path) -> dict[str, str]:
    return {
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base,
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_BLRP_SCHEDULE_DELAY": "100",
        "OTEL_METRIC_EXPORT_INTERVAL": "200",
        "BREAKER_EXPORTER_COOLDOWN": "1",
        "BREAKER_EXPORTER_MAX_COOLDOWN": "1",
        "BREAKER_EXPORTER_RETAIN_DIRECTORY": str(directory),
    }


def serve_in_an_outage(service: GunicornService) -> set[str]:
    """Have the service answer all requests; return the ids of their spans."""
    return {service.get(f"/{number}") for number in range(REQUESTS)}


def wait_until_kept(capsys: Capture, directory: Path) -> None:
    """Return once all that the service has served lies on disk, the last sums included."""
    served_at = time.time()

    def is_kept() -> bool:
        rows = {row["signal"]: row for row in run(capsys, directory, "--json").rows}
        if rows.keys() < {"spans", "logs", "metrics"}:
            return False
        are_there = min(rows["spans"]["items"], rows["logs"]["items"]) >= REQUESTS
        # An export that was collected after the last request, which came an interval ago.
        return are_there and bool((rows["metrics"]["newest"] or 0) > served_at + 0.5)

    until(is_kept, within=3 * PATIENCE)


def records(collector: FaultyCollector) -> list[str]:
    """What the service has logged; not the two lines about its circuit."""
    bodies = [str(record.body) for record in collector.latest_log_records]
    return sorted(body for body in bodies if body.startswith("sold"))


def check(collector: FaultyCollector, ids: set[str]) -> None:
    """Check that ids, sequence numbers and sums agree, and that each series came in order."""
    assert collector.span_ids == ids
    assert records(collector) == sorted(f"sold {number}" for number in range(REQUESTS))
    assert collector.counter_total("sold") == sum(range(REQUESTS))
    times: dict[object, list[int]] = {}
    for point in collector.latest_data_points:
        around = (point.metric, point.resource["service.instance.id"], str(point.attributes))
        times.setdefault(around, []).append(point.time_unix_nano)
    assert all(each == sorted(each) for each in times.values())


@pytest.mark.parametrize("worker", ["gevent", "gthread"])
def test_what_a_service_killed_in_an_outage_has_left_is_delivered(
    capsys: Capture, private: Path, backend: FaultyCollector, worker: str
) -> None:
    """SIGKILL of the whole Gunicorn: the volume of a pod that is gone."""
    backend.fault = Fault.UNAVAILABLE
    env = variables(backend, private)
    with GunicornService(APP, conf=CONF, env=env, args=["-k", worker]) as service:
        ids = serve_in_an_outage(service)
        wait_until_kept(capsys, private)
    left = {row["signal"]: row["items"] for row in run(capsys, private, "--json").rows}
    assert backend.counts().spans == 0
    backend.fault = Fault.NONE

    ran = run(capsys, private, "--send")

    assert (ran.status, ran.err) == (0, "")
    for signal, unit in (("spans", "spans"), ("logs", "log records"), ("metrics", "data points")):
        assert f"{left[signal]} {unit} delivered to {backend.http_base}\n" in ran.out
    check(backend, ids)
    counts = backend.counts()
    assert (counts.duplicates, counts.duplicate_log_records, counts.duplicate_data_points) == (0, 0, 0)


def test_beside_a_worker_that_lives_each_batch_arrives_once_and_metrics_in_order(
    capsys: Capture, private: Path, backend: FaultyCollector
) -> None:
    """Both send at the same time, each under the lease."""
    backend.fault = Fault.UNAVAILABLE
    env = variables(backend, private)
    with GunicornService(APP, conf=CONF, env=env, args=["-k", "gevent"]) as service:
        ids = serve_in_an_outage(service)
        wait_until_kept(capsys, private)
        backend.fault = Fault.NONE
        ran = run(capsys, private, "--send")
        until(lambda: backend.span_ids == ids)
        until(lambda: len(records(backend)) == REQUESTS)
        until(lambda: backend.counter_total("sold") == sum(range(REQUESTS)))
        assert service.terminate().returncode == 0

    assert ran.status in (0, 1)  # the worker may have written more at the end
    assert ran.err == ""
    assert "failed" not in ran.out
    check(backend, ids)
    counts = backend.counts()
    assert (counts.duplicates, counts.duplicate_log_records, counts.duplicate_data_points) == (0, 0, 0)
