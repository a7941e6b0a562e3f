"""The recipes of README and docs, word for word, and the page that each is on."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

from ..semantics._waiting import until

if TYPE_CHECKING:
    from .._gunicorn import GunicornService

BY_PUSH = """
from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from breaker_exporter.gunicorn import hooks
from breaker_exporter.telemetry import Telemetry

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider

worker_class = "gevent"
telemetry = Telemetry()
tracing = hooks(telemetry)
post_fork = tracing.post_fork
meter_providers: list[MeterProvider] = []


def post_worker_init(worker: object) -> None:
    from breaker_exporter.instrumentation import observe
    from opentelemetry import metrics
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource

    instance = Resource.create({"service.instance.id": f"{socket.gethostname()}-{os.getpid()}"})
    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    provider = MeterProvider([reader], resource=instance, shutdown_on_exit=False)
    metrics.set_meter_provider(provider)
    meter_providers.append(provider)
    tracing.post_worker_init(worker)
    for exporter in telemetry.exporters:
        observe(exporter)


def worker_exit(server: object, worker: object) -> None:
    exporters = telemetry.exporters  # held until their last counts are out
    tracing.worker_exit(server, worker)
    for provider in meter_providers:
        provider.shutdown(timeout_millis=2_000)
"""

BY_SCRAPE = """
from breaker_exporter.gunicorn import post_fork, post_worker_init as start, telemetry, worker_exit

worker_class = "gevent"


def post_worker_init(worker: object) -> None:
    from breaker_exporter.instrumentation import observe
    from opentelemetry import metrics
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from opentelemetry.sdk.metrics import MeterProvider
    from prometheus_client import start_http_server

    metrics.set_meter_provider(MeterProvider([PrometheusMetricReader()]))
    start(worker)
    for exporter in telemetry.exporters:
        observe(exporter)
    for port in range(9464, 9480):
        try:
            start_http_server(port, addr="127.0.0.1")
            break
        except OSError:  # another worker's, or one's that is about to end
            continue
"""

PAGING = """
import threading

from breaker_exporter import CircuitState, CircuitTransition

PAGER = "https://pager.example.com/events"


def page(transition: CircuitTransition) -> None:
    if transition.new is CircuitState.OPEN and transition.old is CircuitState.CLOSED:
        threading.Thread(target=post, args=(f"{transition.name}: {transition.reason}",), daemon=True).start()


def post(text: str) -> None:
    import requests  # brings ssl along, so not at the top of gunicorn.conf.py

    requests.post(PAGER, json={"summary": text}, timeout=10)
"""

FIRST = """
import atexit

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from breaker_exporter import CircuitBreakerSpanExporter, Retention
from breaker_exporter.otlp import CooperativeOTLPSpanExporter

otlp = CooperativeOTLPSpanExporter(timeout=5)
exporter = CircuitBreakerSpanExporter(otlp, name="collector", export_timeout=7, retention=Retention())
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1_000))
trace.set_tracer_provider(provider)
atexit.register(exporter.begin_shutdown, 5.0)
"""

WRAPPED = """
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from breaker_exporter import CircuitBreakerSpanExporter

otlp = OTLPSpanExporter(timeout=2)
exporter = CircuitBreakerSpanExporter(otlp, name="otlp", failure_threshold=2, export_timeout=4)
"""

HEALTHZ = """
import dataclasses
import json
from wsgiref.types import StartResponse, WSGIEnvironment

from breaker_exporter.gunicorn import telemetry


def healthz(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    circuits = [dataclasses.asdict(exporter.health()) for exporter in telemetry.exporters]
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"telemetry": circuits}).encode()]
"""

METRICS_PAGE = "docs/how-to/metrics-and-alerts.md"
PAGES = {
    BY_PUSH: METRICS_PAGE,
    BY_SCRAPE: METRICS_PAGE,
    FIRST: "README.md",
    HEALTHZ: METRICS_PAGE,
    PAGING: "docs/how-to/paging.md",
    WRAPPED: "docs/how-to/wrap-an-official-exporter.md",
}

_START = 'start_http_server(port, addr="127.0.0.1")'
_SAY_WHERE = f"worker.log.info('scrape me at %s.', {_START}[0].server_port)"


def on_free_ports() -> str:
    """The second recipe with other ports, for all workers the same; see :func:`scrape_addresses`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        first = listener.getsockname()[1]
    conf = BY_SCRAPE.replace("9464", str(first)).replace("9480", str(first + 16))
    return conf.replace(_START, _SAY_WHERE)


def scrape_addresses(service: GunicornService) -> list[str]:
    """Of two workers, once both are up."""
    until(lambda: service.output.count("scrape me at") == 2)
    return [f"127.0.0.1:{port}" for port in re.findall(r"scrape me at (\d+)", service.output)]
