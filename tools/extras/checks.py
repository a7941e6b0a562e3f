"""The checks: each boots something in an environment, and returns if it works or raises `Failed`."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from breaker_exporter.testing import FaultyCollector

from .environment import BOOT, ROOT, Environment, get
from .processes import Failed

_ARRIVAL = 30.0
"""Seconds that a span has from its process's end on."""


@dataclass(frozen=True)
class Check:
    """Something that is booted in an environment, called `name` in the report."""

    name: str
    run: Callable[[Environment], None]


def script(name: str, *arguments: str, protocol: str = "http/protobuf") -> Check:
    """A script of `boot` that exports one span."""

    def run(environment: Environment) -> None:
        with environment.collector() as collector:
            files = {f"{name}.py": _boot(f"{name}.py")}
            command = ("python", f"{name}.py", *arguments)
            log = environment.run(*command, variables=_otlp(collector, protocol), files=files)
            _arrived(collector, log)

    return Check(" ".join((f"{name}.py", *arguments, *(["gRPC"] if protocol == "grpc" else []))), run)


def readme(install: str) -> Check:
    """README's first program below the line that installs these extras, and a span."""

    def run(environment: Environment) -> None:
        below = (ROOT / "README.md").read_text().partition(f'pip install "breaker-exporter[{install}]"')[2]
        (program, *_) = re.findall(r"```python\n(.*?)```", below, re.DOTALL)
        program += (
            "\nfrom opentelemetry import trace\n"
            'with trace.get_tracer("extras").start_as_current_span("request"):\n    pass\n'
            "trace.get_tracer_provider().shutdown()\n"
        )
        with environment.collector() as collector:
            files = {"program.py": program}
            log = environment.run("python", "program.py", variables=_otlp(collector), files=files)
            _arrived(collector, log)

    return Check("README's program", run)


def gunicorn(worker: str, *, protocol: str = "http/protobuf") -> Check:
    """The hooks, and a worker of this class."""

    def run(environment: Environment) -> None:
        with environment.collector() as collector:
            log = _served(environment, _command(worker), _otlp(collector, protocol), _service())
            _arrived(collector, log)

    return Check(f"hooks, {worker}, {_spoken(protocol)}", run)


def gunicorn_sentry(worker: str, *, protocol: str = "http/protobuf") -> Check:
    """The hooks with a DSN: spans at the collector and at Sentry, and an error at Sentry."""

    def run(environment: Environment) -> None:
        with environment.collector() as collector, environment.collector() as sentry:
            variables = {**_otlp(collector, protocol), "SENTRY_DSN": sentry.sentry_dsn}
            files = _service()
            with environment.serving(*_command(worker), variables=variables, files=files) as service:
                service.get("/broken", 500)
            _arrived(collector, service.output)
            _arrived(sentry, service.output)
            _reported(sentry, service.output)

    return Check(f"hooks and Sentry, {worker}, {_spoken(protocol)}", run)


def sentry(mode: str) -> Check:
    """`connect_sentry` in a plain process: an error event, and the span in the mode's own way."""

    def run(environment: Environment) -> None:
        with environment.collector() as server:
            variables = {"SENTRY_DSN": server.sentry_dsn, "BREAKER_EXPORTER_SENTRY_MODE": mode}
            files = {"with_sentry.py": _boot("with_sentry.py")}
            log = environment.run("python", "with_sentry.py", variables=variables, files=files)
            _reported(server, log)
            if mode == "otlp":
                _arrived(server, log)
            elif not server.wait_for_sentry_items(1, "transaction", _ARRIVAL):
                raise Failed("no transaction arrived at Sentry", log)

    return Check(f"connect_sentry, mode {mode}", run)


def zero_code(worker: str, *, protocol: str = "http/protobuf") -> Check:
    """`opentelemetry-instrument gunicorn` around an application that has no line of ours."""

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
            log = _served(environment, command, {**_otlp(collector, protocol), **more}, files)
            _arrived(collector, log)

    return Check(f"zero code, {worker}, {_spoken(protocol)}", run)


def example(name: str, target: str, *, has_sentry: bool) -> Check:
    """A service of `examples`."""

    def run(environment: Environment) -> None:
        files = {path.name: path.read_text() for path in (ROOT / "examples" / name).glob("*.py")}
        with environment.collector() as collector, environment.collector() as sentry:
            variables = _otlp(collector)
            if has_sentry:
                variables["SENTRY_DSN"] = sentry.sentry_dsn
            command = ("gunicorn", "--bind", "127.0.0.1:0", target)
            with environment.serving(*command, variables=variables, files=files) as service:
                service.get()
                if has_sentry:
                    service.get("/broken", 500)
            _arrived(collector, service.output)
            if has_sentry:
                _arrived(sentry, service.output)
                _reported(sentry, service.output)

    return Check(f"examples/{name}", run)


def metrics_pushed() -> Check:
    """The docs' recipe by OTLP: metrics come in beside the spans."""

    def run(environment: Environment) -> None:
        with environment.collector() as collector, _metrics_receiver() as (endpoint, arrived):
            variables = {
                **_otlp(collector),
                "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": endpoint,
            }
            files = _service(_recipe("PeriodicExportingMetricReader("))
            log = _served(environment, ("gunicorn", "--bind", "127.0.0.1:0", "app:app"), variables, files)
            _arrived(collector, log)
            if not arrived.wait(_ARRIVAL):
                raise Failed("no metrics arrived", log)

    return Check("the docs' metrics by OTLP", run)


def metrics_scraped() -> Check:
    """The docs' recipe for Prometheus: the worker answers with this package's metrics."""

    def run(environment: Environment) -> None:
        said = r"worker.log.info('scrape me at %s.', \1[0].server_port)"
        conf = re.sub(r"(start_http_server\(port.*\))", said, _recipe("start_http_server("))
        with environment.collector() as collector:
            variables = {
                **_otlp(collector),
                "OTEL_BSP_SCHEDULE_DELAY": "100",
            }
            command = ("gunicorn", "--bind", "127.0.0.1:0", "app:app")
            with environment.serving(*command, variables=variables, files=_service(conf)) as service:
                service.get()
                _arrived(collector, service.output)
                port = service.wait_for(r"scrape me at (\d+)")
                if "breaker_exporter_circuit_state" not in get(f"http://127.0.0.1:{port}/metrics"):
                    raise Failed("the circuit's state is not among the metrics")

    return Check("the docs' metrics for Prometheus", run)


def doctor(*, protocol: str = "http/protobuf", worker: str | None = None, has_sentry: bool = False) -> Check:
    """The doctor, which has to find that all is well."""

    def run(environment: Environment) -> None:
        with environment.collector() as collector:
            variables = _otlp(collector, protocol)
            files = {}
            if worker:
                variables["GUNICORN_CMD_ARGS"] = f"-k {worker}"
                files["gunicorn.conf.py"] = _boot("gunicorn.conf.py")
            if has_sentry:
                variables["SENTRY_DSN"] = collector.sentry_dsn
            environment.run("python", "-m", "breaker_exporter", "doctor", variables=variables, files=files)

    return Check(f"doctor, {_spoken(protocol)}", run)


def doctor_without_an_exporter() -> Check:
    """The doctor where there is no extra: it names the one that is missing."""

    def run(environment: Environment) -> None:
        with environment.collector() as collector:
            command = ("python", "-m", "breaker_exporter", "doctor")
            said = environment.run(*command, variables=_otlp(collector), statuses=(2,))
        if 'pip install "breaker-exporter[otlp]"' not in said:
            raise Failed("it does not name the extra", said)

    return Check("doctor names the extra", run)


def collector(*, speaks_grpc: bool) -> Check:
    """`python -m breaker_exporter.testing`, without gRPC where that is not installed."""

    def run(environment: Environment) -> None:
        variables: dict[str, str] = {}
        ports = ("--http-port", "0", "--grpc-port", "0")
        with environment.running(
            "python", "-m", "breaker_exporter.testing", *ports, variables=variables
        ) as process:
            said = process.wait_for(r"OTLP/gRPC  (\S+)", _ARRIVAL)[1]
            process.wait_for(r"/fault", _ARRIVAL)
            process.terminate()
            if process.end(_ARRIVAL) or speaks_grpc != said.startswith("http://"):
                raise Failed("the collector by hand does not do what it is for", process.output)

    return Check("the collector by hand", run)


def pytest_plugin() -> Check:
    """The fixtures and fakes in a user's test run."""

    def run(environment: Environment) -> None:
        files = {"test_shop.py": _boot("test_shop.py")}
        environment.run("python", "-m", "pytest", "-q", variables={}, files=files)

    return Check("pytest plug-in and fakes", run)


def demo() -> Check:
    """The demo, with its plot. Status 1, a promise broken, may be this machine's load: spans count here."""

    def run(environment: Environment) -> None:
        command = ("python", "-m", "breaker_exporter", "demo")
        said = environment.run(*command, variables={}, statuses=(0, 1), seconds=240.0)
        delivered = re.search(r"delivered +([\d,]+) +([\d,]+)", said)
        if not delivered or not all(int(count.replace(",", "")) for count in delivered.groups()):
            raise Failed("no spans were delivered", said)
        if "Plot: demo.png" not in said:
            raise Failed("there is no plot", said)

    return Check("demo", run)


@contextmanager
def _metrics_receiver() -> Iterator[tuple[str, threading.Event]]:
    """A place to push metrics to, which `FaultyCollector` is not, and whether some have come."""
    arrived = threading.Event()

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            arrived.set()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/metrics", arrived
        finally:
            server.shutdown()
            serving.join()


def _boot(name: str) -> str:
    return (BOOT / name).read_text()


def _service(conf: str | None = None) -> dict[str, str]:
    return {"app.py": _boot("app.py"), "gunicorn.conf.py": conf or _boot("gunicorn.conf.py")}


def _recipe(marker: str) -> str:
    """The docs' ``gunicorn.conf.py`` for metrics that has this in it."""
    page = (ROOT / "docs" / "how-to" / "metrics-and-alerts.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (block,) = [block for block in blocks if marker in block]
    return str(block)


def _command(worker: str) -> tuple[str, ...]:
    return ("gunicorn", "--bind", "127.0.0.1:0", "--worker-class", worker, "app:app")


def _otlp(collector: FaultyCollector, protocol: str = "http/protobuf") -> dict[str, str]:
    endpoint = collector.grpc_endpoint if protocol == "grpc" else collector.http_base
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}


def _spoken(protocol: str) -> str:
    return "gRPC" if protocol == "grpc" else "HTTP"


def _served(
    environment: Environment, command: tuple[str, ...], variables: dict[str, str], files: dict[str, str]
) -> str:
    """Start a service, ask it once and end it; return what it wrote."""
    with environment.serving(*command, variables=variables, files=files) as service:
        service.get()
    return service.output


def _arrived(collector: FaultyCollector, log: str = "") -> None:
    if not collector.wait_for_spans(1, _ARRIVAL):
        raise Failed("no span arrived", log)


def _reported(sentry: FaultyCollector, log: str = "") -> None:
    if not sentry.wait_for_sentry_items(1, "event", _ARRIVAL):
        raise Failed("no error arrived at Sentry", log)
