"""Zero code under a worker that gevent patches late: exports by a thread of before it, and by greenlets."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from breaker_exporter.testing import FaultyCollector

from .._gunicorn import GunicornService
from .test_zero_code import INSTRUMENT, PATCH_ALL, WITHOUT_SSL, needs_distro

APP = """
import gc
import os
import gevent
from flask import Flask
from opentelemetry import trace

app = Flask("shop")


@app.get("/")
def sell():
    return str(os.getpid())


@app.get("/tickers")
def tickers():
    greenlets = [each for each in gc.get_objects() if type(each) is gevent.Greenlet and not each.dead]
    return str(sum("PeriodicExportingMetricReader" in repr(each) for each in greenlets))


@app.get("/flush")
def flush():
    return str(trace.get_tracer_provider().force_flush())
"""
CONF = "def post_worker_init(worker):\n    worker.log.info('worker %s is ready', worker.age)\n"


def gevent_service(collector: FaultyCollector, **env: str) -> GunicornService:
    return GunicornService(
        APP,
        conf=CONF,
        command=[str(INSTRUMENT), sys.executable, "-m", "gunicorn"],
        args=["-k", "gevent"],
        env={
            "OTEL_TRACES_EXPORTER": "breaker_otlp_proto_http",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": WITHOUT_SSL,
            "OTEL_PYTHON_FLASK_EXCLUDED_URLS": "flush,tickers",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            **env,
        },
    )


def wait_for(done: Callable[[], bool], service: GunicornService) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline, service.output
        time.sleep(0.01)


@needs_distro
def test_a_flush_by_a_greenlet_delivers_where_another_thread_has_sent_before(
    collector: FaultyCollector,
) -> None:
    """The connection that is kept alive is that thread's: its answers cannot be waited for on another hub."""
    more = {
        "BREAKER_EXPORTER_RETAIN_MEMORY": "0",
        "OTEL_BSP_SCHEDULE_DELAY": "60000",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "2",
    }
    with gevent_service(collector, **more) as service:
        service.wait_for_line("worker 1 is ready")
        service.get()
        service.get()
        wait_for(lambda: len(collector.span_ids) == 2, service)
        service.get()
        service.get("/flush")
        assert len(collector.span_ids) == 3, service.output
        service.terminate()

    assert ": stopped: 3 spans exported, none lost" in service.output


@needs_distro
def test_where_gevent_patches_first_each_worker_exports_its_metrics_once_in_an_interval(
    collector: FaultyCollector,
) -> None:
    """The reader's thread is a greenlet there, which the fork copies beside the one that it starts anew."""
    more = {
        **PATCH_ALL,
        "OTEL_METRICS_EXPORTER": "breaker_otlp_proto_http",
        "OTEL_METRIC_EXPORT_INTERVAL": "100",
    }
    with gevent_service(collector, **more) as service:
        service.wait_for_line("worker 1 is ready")
        wait_for(lambda: service.get("/tickers") == "1", service)
        before = collector.counts().data_points
        wait_for(lambda: collector.counts().data_points > before, service)
        service.get()
        ended = service.terminate()

    assert len(collector.span_ids) == 1, service.output
    assert ended.returncode == 0
    assert "SystemExit" not in service.output
