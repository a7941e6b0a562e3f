"""``gunicorn.conf.py`` of the two services of a cell: ours, and the one without an exporter."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, Any

from breaker_exporter._harness.official import export_all
from breaker_exporter.gunicorn import hooks
from breaker_exporter.telemetry import Telemetry

from .disk.journal import VARIABLE
from .facts import facts

if TYPE_CHECKING:
    from breaker_exporter import CircuitBreakerSpanExporter

control_socket_disable = True
preload_app = bool(os.environ.get("FAULTS_PRELOAD"))
max_requests = int(os.environ.get("FAULTS_MAX_REQUESTS", "0"))

_wiring = os.environ["FAULTS_WIRING"]
_telemetry = Telemetry(service_name=os.environ.get("FAULTS_SERVICE", "shop"), listeners=[facts.note])
_hooks = hooks(_telemetry)


def post_fork(server: Any, worker: Any) -> None:
    if _wiring == "hooks":
        _hooks.post_fork(server, worker)


def post_worker_init(worker: Any) -> None:
    if os.environ.get("FAULTS_INIT_GEVENT"):
        from grpc.experimental.gevent import init_gevent

        init_gevent()
    if os.environ.get("FAULTS_LOG"):
        logging.getLogger().addHandler(_Yielding())
        logging.getLogger().setLevel(logging.INFO)
    if os.environ.get("FAULTS_DEBUG"):
        logging.getLogger().setLevel(logging.DEBUG)
        logging.getLogger("shop").setLevel(logging.WARNING)
    if stderr := os.environ.get("FAULTS_STDERR"):
        _spoil_stderr(stderr)
    if _wiring == "hooks":
        _hooks.post_worker_init(worker)
        facts.exporters = _telemetry.exporters
    elif _wiring == "official":
        from opentelemetry.sdk.resources import Resource

        export_all(Resource.create())
    else:
        _provide(_wiring)
    if os.environ.get(VARIABLE):
        _keep_journal()
    facts.start()


def worker_exit(server: Any, worker: Any) -> None:
    if _wiring == "hooks":
        _hooks.worker_exit(server, worker)
    else:
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider

        for exporter in facts.exporters:
            exporter.begin_shutdown(float(os.environ["BREAKER_EXPORTER_SHUTDOWN_TIMEOUT"]))
        provider = trace.get_tracer_provider()
        if isinstance(provider, TracerProvider):
            provider.shutdown()
    facts.last()


def _keep_journal() -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    from .disk.journal import Journal

    provider = trace.get_tracer_provider()
    assert isinstance(provider, TracerProvider)
    provider.add_span_processor(Journal())


def _spoil_stderr(how: str) -> None:
    if how == "full":
        os.dup2(os.open("/dev/full", os.O_WRONLY), 2)
    else:  # closed: a pipe whose reader is gone
        reading, writing = os.pipe()
        os.close(reading)
        os.dup2(writing, 2)


class _Yielding(logging.Handler):
    """Lets other greenlets run while it holds its lock, as a handler does that writes to a socket."""

    def emit(self, record: logging.LogRecord) -> None:
        time.sleep(0.001)


def _provide(wiring: str) -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

    provider = TracerProvider()
    if wiring != "none":
        exporter = _wrapped()
        facts.exporters = (exporter,)
        processor = SimpleSpanProcessor if wiring == "simple" else BatchSpanProcessor
        provider.add_span_processor(processor(exporter))
    trace.set_tracer_provider(provider)


def _wrapped() -> CircuitBreakerSpanExporter:
    from breaker_exporter import CircuitBreakerSpanExporter

    from .wrapped import Logging, Pooling

    return CircuitBreakerSpanExporter(
        Pooling() if os.environ.get("FAULTS_POOLS") else Logging(),
        name="collector",
        cooldown=float(os.environ["BREAKER_EXPORTER_COOLDOWN"]),
        max_cooldown=float(os.environ["BREAKER_EXPORTER_MAX_COOLDOWN"]),
        export_timeout=3.0,
        listeners=[facts.note],
    )
