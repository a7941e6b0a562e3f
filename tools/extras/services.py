"""The checks of Gunicorn services: hooks, zero code, the examples, the docs' recipes for metrics."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .check import ARRIVAL, Check, arrived, boot, otlp, reported, spoken
from .environment import ROOT, Environment, get
from .processes import Failed


def gunicorn(worker: str, *, protocol: str = "http/protobuf") -> Check:
    """Return a check that the hooks export a span from a worker of this class."""

    def run(environment: Environment) -> None:
        with environment.collector() as collector:
            log = _served(environment, _command(worker), otlp(collector, protocol), _service())
            arrived(collector, log)

    return Check(f"hooks, {worker}, {spoken(protocol)}", run)


def gunicorn_sentry(worker: str, *, protocol: str = "http/protobuf") -> Check:
    """Return a check of the hooks with a DSN: spans arrive at both backends, an error at Sentry."""

    def run(environment: Environment) -> None:
        with environment.collector() as collector, environment.collector() as sentry:
            variables = {**otlp(collector, protocol), "SENTRY_DSN": sentry.sentry_dsn}
            files = _service()
            with environment.serving(*_command(worker), variables=variables, files=files) as service:
                service.get("/broken", 500)
            arrived(collector, service.output)
            arrived(sentry, service.output)
            reported(sentry, service.output)

    return Check(f"hooks and Sentry, {worker}, {spoken(protocol)}", run)


def zero_code(worker: str, *, protocol: str = "http/protobuf") -> Check:
    """Return a check of ``opentelemetry-instrument gunicorn`` with an application without a line of ours."""

    def run(environment: Environment) -> None:
        name = "grpc" if protocol == "grpc" else "http"
        more = {
            "OTEL_TRACES_EXPORTER": f"breaker_otlp_proto_{name}",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
        }
        if worker.startswith("gevent"):
            more["OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH"] = "patch_all"
        files = {"app.py": "from flask import Flask\n\napp = Flask('shop')\napp.get('/')(lambda: 'ok')\n"}
        with environment.collector() as collector:
            command = ("opentelemetry-instrument", *_command(worker))
            log = _served(environment, command, {**otlp(collector, protocol), **more}, files)
            arrived(collector, log)

    return Check(f"zero code, {worker}, {spoken(protocol)}", run)


def example(name: str, target: str, *, has_sentry: bool) -> Check:
    """Return a check that a service of ``examples/`` delivers a span, and an error where it has Sentry."""

    def run(environment: Environment) -> None:
        files = {path.name: path.read_text() for path in (ROOT / "examples" / name).glob("*.py")}
        with environment.collector() as collector, environment.collector() as sentry:
            variables = otlp(collector)
            if has_sentry:
                variables["SENTRY_DSN"] = sentry.sentry_dsn
            command = ("gunicorn", "--bind", "127.0.0.1:0", target)
            with environment.serving(*command, variables=variables, files=files) as service:
                service.get()
                if has_sentry:
                    service.get("/broken", 500)
            arrived(collector, service.output)
            if has_sentry:
                arrived(sentry, service.output)
                reported(sentry, service.output)

    return Check(f"examples/{name}", run)


def three_signals() -> Check:
    """Return a check that the example of all signals delivers a span, a log record and a data point."""

    def run(environment: Environment) -> None:
        files = {
            path.name: path.read_text() for path in (ROOT / "examples" / "flask_three_signals").glob("*.py")
        }
        with environment.collector() as collector:
            variables = {**otlp(collector), "OTEL_LOGS_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp"}
            log = _served(environment, ("gunicorn", "--bind", "127.0.0.1:0", "app:app"), variables, files)
            arrived(collector, log)
            if not collector.wait_for_log_records(1, ARRIVAL):
                raise Failed("no log record arrived", log)
            if not collector.wait_for_data_points(1, ARRIVAL):
                raise Failed("no data point arrived", log)

    return Check("examples/flask_three_signals", run)


def metrics_pushed() -> Check:
    """Return a check that the docs' recipe pushes metrics."""

    def run(environment: Environment) -> None:
        with environment.collector() as collector, _metrics_receiver() as (endpoint, received):
            variables = {
                **otlp(collector),
                "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": endpoint,
            }
            files = _service(_recipe("PeriodicExportingMetricReader("))
            log = _served(environment, ("gunicorn", "--bind", "127.0.0.1:0", "app:app"), variables, files)
            arrived(collector, log)
            if not received.wait(ARRIVAL):
                raise Failed("no metrics arrived", log)

    return Check("the docs' metrics by OTLP", run)


def metrics_scraped() -> Check:
    """Return a check that the docs' recipe for Prometheus serves this package's metrics."""

    def run(environment: Environment) -> None:
        said = r"worker.log.info('scrape me at %s.', \1[0].server_port)"
        conf = re.sub(r"(start_http_server\(port.*\))", said, _recipe("start_http_server("))
        with environment.collector() as collector:
            variables = {
                **otlp(collector),
                "OTEL_BSP_SCHEDULE_DELAY": "100",
            }
            command = ("gunicorn", "--bind", "127.0.0.1:0", "app:app")
            with environment.serving(*command, variables=variables, files=_service(conf)) as service:
                service.get()
                arrived(collector, service.output)
                port = service.wait_for(r"scrape me at (\d+)")
                if "breaker_exporter_circuit_state" not in get(f"http://127.0.0.1:{port}/metrics"):
                    raise Failed("the circuit's state is not among the metrics")

    return Check("the docs' metrics for Prometheus", run)


@contextmanager
def _metrics_receiver() -> Iterator[tuple[str, threading.Event]]:
    """Run a receiver of metrics, which `FaultyCollector` is not; the event says that some have arrived."""
    received = threading.Event()

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            received.set()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/metrics", received
        finally:
            server.shutdown()
            serving.join()


def _service(conf: str | None = None) -> dict[str, str]:
    return {"app.py": boot("app.py"), "gunicorn.conf.py": conf or boot("gunicorn.conf.py")}


def _recipe(marker: str) -> str:
    """Return the docs' ``gunicorn.conf.py`` for metrics that contains `marker`."""
    page = (ROOT / "docs" / "how-to" / "metrics-and-alerts.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (block,) = [block for block in blocks if marker in block]
    return str(block)


def _command(worker: str) -> tuple[str, ...]:
    return ("gunicorn", "--bind", "127.0.0.1:0", "--worker-class", worker, "app:app")


def _served(
    environment: Environment, command: tuple[str, ...], variables: dict[str, str], files: dict[str, str]
) -> str:
    """Start a service, send it one request and end it; return its output."""
    with environment.serving(*command, variables=variables, files=files) as service:
        service.get()
    return service.output
