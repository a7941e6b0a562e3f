"""The checks of programs, commands and tests that run in an environment without a server."""

from __future__ import annotations

import re

from .check import ARRIVAL, Check, arrived, boot, otlp, reported, spoken
from .environment import ROOT, Environment
from .processes import Failed


def script(name: str, *arguments: str, protocol: str = "http/protobuf") -> Check:
    """Return a check that runs a script of ``boot/``, which exports one span."""

    def run(environment: Environment) -> None:
        with environment.collector() as collector:
            files = {f"{name}.py": boot(f"{name}.py")}
            command = ("python", f"{name}.py", *arguments)
            log = environment.run(*command, variables=otlp(collector, protocol), files=files)
            arrived(collector, log)

    return Check(" ".join((f"{name}.py", *arguments, *(["gRPC"] if protocol == "grpc" else []))), run)


def readme(install: str) -> Check:
    """Return a check that runs README's first program below the line that installs these extras."""

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
            log = environment.run("python", "program.py", variables=otlp(collector), files=files)
            arrived(collector, log)

    return Check("README's program", run)


def sentry(mode: str) -> Check:
    """Return a check that `connect_sentry` delivers an error, and a span in the way of its mode."""

    def run(environment: Environment) -> None:
        with environment.collector() as server:
            variables = {"SENTRY_DSN": server.sentry_dsn, "BREAKER_EXPORTER_SENTRY_MODE": mode}
            files = {"with_sentry.py": boot("with_sentry.py")}
            log = environment.run("python", "with_sentry.py", variables=variables, files=files)
            reported(server, log)
            if mode == "otlp":
                arrived(server, log)
            elif not server.wait_for_sentry_items(1, "transaction", ARRIVAL):
                raise Failed("no transaction arrived at Sentry", log)

    return Check(f"connect_sentry, mode {mode}", run)


def doctor(*, protocol: str = "http/protobuf", worker: str | None = None, has_sentry: bool = False) -> Check:
    """Return a check that the doctor finds no mistake."""

    def run(environment: Environment) -> None:
        with environment.collector() as collector:
            variables = otlp(collector, protocol)
            files = {}
            if worker:
                variables["GUNICORN_CMD_ARGS"] = f"-k {worker}"
                files["gunicorn.conf.py"] = boot("gunicorn.conf.py")
            if has_sentry:
                variables["SENTRY_DSN"] = collector.sentry_dsn
            environment.run("python", "-m", "breaker_exporter", "doctor", variables=variables, files=files)

    return Check(f"doctor, {spoken(protocol)}", run)


def doctor_without_an_exporter() -> Check:
    """Return a check that the doctor names the missing extra where there is none."""

    def run(environment: Environment) -> None:
        with environment.collector() as collector:
            command = ("python", "-m", "breaker_exporter", "doctor")
            said = environment.run(*command, variables=otlp(collector), statuses=(2,))
        if 'pip install "breaker-exporter[otlp]"' not in said:
            raise Failed("it does not name the extra", said)

    return Check("doctor names the extra", run)


def collector(*, speaks_grpc: bool) -> Check:
    """Return a check that runs ``python -m breaker_exporter.testing``, with gRPC or without."""

    def run(environment: Environment) -> None:
        variables: dict[str, str] = {}
        ports = ("--http-port", "0", "--grpc-port", "0")
        with environment.running(
            "python", "-m", "breaker_exporter.testing", *ports, variables=variables
        ) as process:
            said = process.wait_for(r"OTLP/gRPC  (\S+)", ARRIVAL)[1]
            process.wait_for(r"/fault", ARRIVAL)
            process.terminate()
            if process.end(ARRIVAL) or speaks_grpc != said.startswith("http://"):
                raise Failed(
                    "it ended with an error, or gRPC is not as expected",
                    process.output,
                )

    return Check("the collector by hand", run)


def live_table() -> Check:
    """Return a check that the collector by hand draws its table on a terminal, and takes keys."""

    def run(environment: Environment) -> None:
        files = {"on_a_terminal.py": boot("on_a_terminal.py")}
        said = environment.run("python", "on_a_terminal.py", variables={}, files=files)
        if "Received nothing in" not in said:
            raise Failed("it did not end as it should", said)

    return Check("the live table", run)


def pytest_plugin() -> Check:
    """Return a check that fixture and fakes work in a user's test run."""

    def run(environment: Environment) -> None:
        files = {"test_shop.py": boot("test_shop.py")}
        environment.run("python", "-m", "pytest", "-q", variables={}, files=files)

    return Check("pytest plug-in and fakes", run)


def demo() -> Check:
    """Return a check that the demo delivers spans and draws its plot.

    Exit status 1, a broken promise, is allowed: this machine may be busy.
    """

    def run(environment: Environment) -> None:
        command = ("python", "-m", "breaker_exporter", "demo")
        said = environment.run(*command, variables={}, statuses=(0, 1), seconds=240.0)
        delivered = re.search(r"delivered +([\d,]+) +([\d,]+)", said)
        if not delivered or not all(int(count.replace(",", "")) for count in delivered.groups()):
            raise Failed("no spans were delivered", said)
        if "Plot: demo.png" not in said:
            raise Failed("there is no plot", said)

    return Check("demo", run)
