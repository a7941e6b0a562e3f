"""``OTEL_TRACES_EXPORTER=breaker_otlp_proto_http``: made by OpenTelemetry, before forks and the patch."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, entry_points
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState
from breaker_exporter._zero_code import GRPCSpanExporter, HTTPSpanExporter, late
from breaker_exporter._zero_code.spans import ZeroCodeSpanExporter
from breaker_exporter.otlp import _packages
from breaker_exporter.telemetry import Telemetry, TelemetryError
from breaker_exporter.testing import Fault, FaultyCollector, ScriptedExporter

from .._gunicorn import IN_TIME, GunicornService
from ..semantics._spans import spans

NAMES = {"breaker_otlp_proto_http": HTTPSpanExporter, "breaker_otlp_proto_grpc": GRPCSpanExporter}
KINDS = pytest.mark.parametrize("kind", list(NAMES.values()))


def run(code: str, env: Mapping[str, str] | None = None) -> str:
    """The output of a fresh process that runs this."""
    finished = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout + finished.stderr


def base(collector: FaultyCollector, kind: type[ZeroCodeSpanExporter] = HTTPSpanExporter) -> str:
    return collector.grpc_endpoint if kind is GRPCSpanExporter else collector.http_base


def breaker_of(exporter: ZeroCodeSpanExporter) -> CircuitBreakerSpanExporter:
    breaker = exporter.breaker
    assert isinstance(breaker, CircuitBreakerSpanExporter)
    return breaker


@pytest.fixture
def _collector_in_the_environment(collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.http_base)


@pytest.mark.parametrize("name", NAMES)
def test_opentelemetry_finds_a_span_exporter_by_its_name_and_makes_it_without_arguments(name: str) -> None:
    (entry_point,) = entry_points(group="opentelemetry_traces_exporter", name=name)
    kind = entry_point.load()

    assert issubclass(kind, SpanExporter)
    assert type(kind()) is NAMES[name]


@KINDS
def test_it_exports_to_where_the_environment_says_behind_a_circuit_of_its_settings(
    collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch, kind: type[ZeroCodeSpanExporter]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", base(collector, kind))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")  # the distro's default; the name has it
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")
    monkeypatch.setenv("BREAKER_EXPORTER_FAILURE_THRESHOLD", "1")
    monkeypatch.setenv("BREAKER_EXPORTER_RETAIN_MEMORY", "0")
    exporter = kind()
    assert exporter.breaker is None

    assert exporter.export(spans(3)) is SpanExportResult.SUCCESS
    collector.fault = Fault.REFUSE
    assert exporter.export(spans(2)) is SpanExportResult.FAILURE
    assert exporter.export(spans(1)) is SpanExportResult.FAILURE

    health = breaker_of(exporter).health()
    assert (health.name, health.state) == ("collector", CircuitState.OPEN)
    assert (health.exported, health.failed, health.refused) == (3, 2, 1)
    assert exporter.force_flush()
    exporter.shutdown()
    assert len(collector.latest_spans) == 3


def test_an_exporter_that_never_exported_has_nothing_to_flush_or_to_shut_down() -> None:
    exporter = HTTPSpanExporter()

    assert exporter.force_flush()
    exporter.shutdown()
    assert exporter.breaker is None


@pytest.mark.usefixtures("_collector_in_the_environment")
def test_after_its_shutdown_it_refuses(collector: FaultyCollector) -> None:
    exporter = HTTPSpanExporter()
    exporter.shutdown()

    assert exporter.export(spans(1)) is SpanExportResult.FAILURE
    assert collector.latest_spans == ()


def test_a_bad_variable_is_one_warning_and_raises_where_strict(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("BREAKER_EXPORTER_COOLDOWN", "soon")

    HTTPSpanExporter()

    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "BREAKER_EXPORTER_COOLDOWN" in record.getMessage()
    monkeypatch.setenv("BREAKER_EXPORTER_STRICT", "1")
    with pytest.raises(TelemetryError, match="BREAKER_EXPORTER_COOLDOWN"):
        HTTPSpanExporter()


@pytest.mark.parametrize(("kind", "extra"), [(HTTPSpanExporter, "otlp"), (GRPCSpanExporter, "grpc")])
def test_a_missing_package_is_an_error_that_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, kind: type[ZeroCodeSpanExporter], extra: str
) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(_packages, "version", missing)
    with pytest.raises(ImportError, match=re.escape(f'pip install "breaker-exporter[{extra}]"')):
        kind()


def test_an_exporter_that_cannot_be_made_is_one_warning_and_its_exports_fail(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = HTTPSpanExporter()
    monkeypatch.setitem(sys.modules, "breaker_exporter.otlp", None)

    assert exporter.export(spans(1)) is SpanExportResult.FAILURE
    assert exporter.export(spans(1)) is SpanExportResult.FAILURE

    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "no spans go to collector" in record.getMessage()


@pytest.mark.parametrize("name", NAMES)
def test_the_hooks_take_its_name_for_the_exporter_that_it_guards(
    monkeypatch: pytest.MonkeyPatch, provider: TracerProvider, name: str
) -> None:
    """A circuit breaker around a circuit breaker would count each span twice."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", name)
    telemetry = Telemetry(provider=provider)

    telemetry.start()

    (exporter,) = telemetry.exporters
    assert exporter.health().name == "collector"
    assert " around CooperativeOTLP" in repr(exporter) or " around OTLPGrpc" in repr(exporter)
    telemetry.stop(0)


def test_making_it_loads_nothing_that_must_come_after_the_patch() -> None:
    """I1: in Gunicorn's arbiter, where a urllib3 would have the ssl of before the patch."""
    run(
        "import sys\n"
        "from breaker_exporter._zero_code import GRPCSpanExporter, HTTPSpanExporter\n"
        "HTTPSpanExporter(), GRPCSpanExporter()\n"
        "heavy = ('ssl', 'pybreaker', 'redis', 'requests', 'urllib3', 'grpc', 'gevent')\n"
        "loaded = [name for name in heavy if name in sys.modules]\n"
        "assert not loaded, loaded\n"
    )


@KINDS
def test_a_forked_child_exports_what_is_its_own(
    collector: FaultyCollector, kind: type[ZeroCodeSpanExporter]
) -> None:
    """The exporters leave their parent's channel and connections by themselves."""
    run(
        "import os\n"
        f"from breaker_exporter._zero_code import {kind.__name__}\n"
        "from tests.semantics._spans import spans\n"
        f"exporter = {kind.__name__}()\n"
        "exporter.export(spans(1))\n"
        "of_parent = exporter.breaker\n"
        "if (child := os.fork()) == 0:\n"
        "    assert exporter.breaker is of_parent\n"
        "    exporter.export(spans(2))\n"
        "    assert exporter.breaker.health().exported == 2\n"
        "    os._exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert exporter.breaker is of_parent\n",
        {"OTEL_EXPORTER_OTLP_ENDPOINT": base(collector, kind)},
    )


PROCESS = """
import time
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from breaker_exporter._zero_code import HTTPSpanExporter
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
exporter = HTTPSpanExporter()
provider.add_span_processor(BatchSpanProcessor(exporter))
trace.set_tracer_provider(provider)
"""
"""In the order in which OpenTelemetry's configuration does it."""

ENDS_WITH_A_SPAN = """
import atexit
began = time.monotonic()
atexit.register(lambda: None)
with trace.get_tracer("shop").start_as_current_span("last"):
    pass
"""


@pytest.mark.parametrize("first", ["", "exporter.make()\nexporter.force_flush()\n"])
def test_the_last_exports_take_no_longer_than_the_shutdown_timeout(
    collector: FaultyCollector, first: str
) -> None:
    """By itself OpenTelemetry's processor goes on for 30 s, or as long as each export may take."""
    collector.fault = Fault.BLACKHOLE
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base,
        "OTEL_EXPORTER_OTLP_TIMEOUT": "60",
        "BREAKER_EXPORTER_SHUTDOWN_TIMEOUT": "0.5",
    }
    code = "import atexit, time\natexit.register(lambda: print(time.monotonic() - began < 20))\n" + PROCESS

    assert "True" in run(code + first + ENDS_WITH_A_SPAN, env)


def test_the_last_exports_deliver_and_make_no_metrics(collector: FaultyCollector) -> None:
    """A meter provider that is shut down by then would complain."""
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base, "BREAKER_EXPORTER_METRICS": "1"}
    instrumentation = (
        "from opentelemetry.metrics import set_meter_provider\n"
        "from opentelemetry.sdk.metrics import MeterProvider\n"
        "set_meter_provider(MeterProvider())\n"
    )

    assert run(PROCESS + instrumentation + ENDS_WITH_A_SPAN, env) == ""
    assert len(collector.latest_spans) == 1


def test_an_exporter_that_is_garbage_is_not_called_at_exit() -> None:
    run("from breaker_exporter._zero_code import HTTPSpanExporter\nHTTPSpanExporter()\n")


def test_its_health_is_metrics_where_asked_for(collector: FaultyCollector) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base, "BREAKER_EXPORTER_METRICS": "1"}
    said = run(
        PROCESS + "from opentelemetry.metrics import set_meter_provider\n"
        "from opentelemetry.sdk.metrics import MeterProvider\n"
        "from opentelemetry.sdk.metrics.export import InMemoryMetricReader\n"
        "reader = InMemoryMetricReader()\n"
        "set_meter_provider(MeterProvider([reader]))\n"
        "from tests.semantics._spans import spans\n"
        "exporter.export(spans(4))\n"
        "points = [point for resource in reader.get_metrics_data().resource_metrics\n"
        "    for scope in resource.scope_metrics for metric in scope.metrics\n"
        "    if metric.name == 'otel.sdk.exporter.span.exported' for point in metric.data.data_points]\n"
        "print(sum(point.value for point in points))\n",
        env,
    )
    assert said == "4\n"


def test_an_exit_while_the_circuit_breaker_is_made_bounds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = HTTPSpanExporter()

    def slowly(*_: object) -> ScriptedExporter:
        exporter.begin_shutdown(0.0)
        return ScriptedExporter()

    monkeypatch.setattr(late, "otlp_exporter", slowly)

    assert exporter.export(spans(3)) is SpanExportResult.FAILURE
    assert exporter.breaker is not None
    assert exporter.breaker.health().exported == 0


def test_two_threads_that_make_it_at_once_share_one(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter, made = HTTPSpanExporter(), []

    def in_the_middle_of_another(*_: object) -> ScriptedExporter:
        made.append(ScriptedExporter())
        if len(made) == 1:
            assert exporter.export(spans(7)) is SpanExportResult.SUCCESS
        return made[-1]

    monkeypatch.setattr(late, "otlp_exporter", in_the_middle_of_another)

    assert exporter.export(spans(2)) is SpanExportResult.SUCCESS
    assert exporter.breaker is not None
    assert (len(made), exporter.breaker.health().exported) == (2, 9)


def test_the_hooks_log_that_opentelemetry_has_made_an_exporter_already(collector: FaultyCollector) -> None:
    said = run(
        "import logging\nlogging.basicConfig(level=logging.INFO)\n"
        + PROCESS
        + "from breaker_exporter.telemetry import Telemetry\n"
        "telemetry = Telemetry()\ntelemetry.start()\nprint(telemetry.exporters)\n",
        {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base},
    )
    assert "WARNING" not in said
    assert "OTEL_TRACES_EXPORTER named" in said
    assert "()" in said


LATE = """
import sys, warnings
warnings.simplefilter("ignore")
{before}
{process}
assert exporter.breaker is None
from gevent import monkey
monkey.patch_all()
"""


def test_it_imports_what_it_needs_when_gevent_patches_after_it() -> None:
    """Neither before, which would recurse, nor in the middle of an export on a native thread."""
    said = run(
        LATE.format(before="", process=PROCESS)
        + "import ssl, urllib3.util.ssl_\n"
        + "assert exporter.breaker is not None\n"
        + "assert urllib3.util.ssl_.SSLContext is ssl.SSLContext\n"
    )
    assert "SSLContext" not in said


def test_a_grpc_channel_waits_for_the_fork_that_may_still_come() -> None:
    run(
        LATE.format(before="", process=PROCESS.replace("HTTP", "GRPC"))
        + "assert 'grpc' in sys.modules and exporter.breaker._exporter._sender._link is None\n"
    )


def test_an_ssl_that_was_taken_before_the_patch_is_one_warning_with_advice() -> None:
    said = run(LATE.format(before="import urllib3", process=PROCESS))

    assert said.count("SSLContext") == 1
    assert "urllib3.util.ssl_" in said
    assert "OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH=patch_all" in said


def test_without_such_an_exporter_a_late_patch_is_no_warning() -> None:
    said = run(LATE.format(before="import urllib3", process="class exporter:\n    breaker = None"))

    assert said == ""


def test_the_patch_of_a_process_that_exports_nothing_loads_the_plug_in_alone() -> None:
    said = run(
        "import sys\nfrom gevent import monkey\nmonkey.patch_all()\n"
        "print(sorted(name for name in sys.modules if name.startswith(('breaker', 'opentelemetry'))))"
    )

    plug_in = "breaker_exporter._concurrency.gevent_plugin"
    assert said == f"{['breaker_exporter', 'breaker_exporter._concurrency', plug_in]}\n"


def test_in_a_patched_process_it_is_made_at_once() -> None:
    run(
        "from gevent import monkey\nmonkey.patch_all()\n"
        + PROCESS
        + "assert exporter.breaker is not None\nmonkey.patch_all()\n"
    )


def test_what_fails_while_preparing_is_a_warning_and_the_patch_goes_on() -> None:
    said = run(
        LATE.format(before="", process=PROCESS + "def fail(): raise OSError('no')\nexporter.prepare = fail")
    )
    assert "could not prepare for gevent: OSError" in said


def run_beside_an_older_thread(work: str, scenario: str) -> None:
    """Run `scenario` in a patched process: ``let_it_work()`` has a thread older than the patch do `work`."""
    run(
        f"""
import _thread, logging, time
begin, done = _thread.allocate_lock(), _thread.allocate_lock()
begin.acquire(), done.acquire()
native_sleep = time.sleep

def old():
    begin.acquire()
    {work}
    done.release()

def let_it_work():
    begin.release()
    while not done.acquire(False):  # the main thread does not wait for it in any lock of gevent's
        native_sleep(0.001)

_thread.start_new_thread(old, ())
"""
        + LATE.format(before="", process=PROCESS)
        + scenario
    )


def test_a_line_of_a_thread_that_is_older_than_the_patch_is_written_by_a_greenlet_of_the_main_hub() -> None:
    """R7: that thread and the greenlets would wait for each other over a handler's lock, for good."""
    run_beside_an_older_thread(
        'say(logging.WARNING, "a line"); say(logging.WARNING, "another")',
        """
import gevent
from breaker_exporter._base.log import say
lines = []

class Yielding(logging.Handler):
    def emit(self, record):
        lines.append((record.getMessage(), gevent.get_hub() is hub))
        time.sleep(0.001)
        if record.getMessage() == "a line":
            raise OSError

hub = gevent.get_hub()
logging.getLogger("breaker_exporter").addHandler(Yielding())
let_it_work()
assert lines == []
deadline = time.monotonic() + 20
while len(lines) < 2 and time.monotonic() < deadline:
    gevent.sleep(0.001)
say(logging.WARNING, "the main thread writes its own")
assert lines == [("a line", True), ("another", True), ("the main thread writes its own", True)], lines
""",
    )


def test_what_an_exporter_logs_for_a_thread_that_is_older_than_the_patch_is_handled_on_the_main_hub() -> None:
    """R7: that thread has no hub, and must not take a handler's patched lock."""
    run_beside_an_older_thread(
        "guarded.export([object()])",
        """
import gevent
from breaker_exporter import CircuitBreakerSpanExporter
from breaker_exporter.testing import ScriptedExporter
lines = []

class Handler(logging.Handler):
    def emit(self, record):
        lines.append((record.getMessage(), gevent.get_hub() is hub))

def chat(_):
    logging.getLogger("foreign").warning("a line")

hub = gevent.get_hub()
logging.getLogger().addHandler(Handler())
guarded = CircuitBreakerSpanExporter(ScriptedExporter(default=chat), export_timeout=20)
let_it_work()
assert lines == []
deadline = time.monotonic() + 20
while ("a line", True) not in lines and time.monotonic() < deadline:
    gevent.sleep(0.001)
assert [line for line in lines if line[0] == "a line"] == [("a line", True)], lines
""",
    )


FILTERS = """
import logging
from breaker_exporter._concurrency import before_patch, log_feedback
filters = [each for each in logging.getLogger("breaker_exporter").filters if each is not log_feedback._look]
"""


@pytest.mark.parametrize(
    "again", ["", "from breaker_exporter._concurrency import before_patch\nbefore_patch.did_patch()"]
)
def test_a_second_patch_adds_no_second_filter(again: str) -> None:
    run(LATE.format(before="", process=PROCESS) + again + FILTERS + "assert len(filters) == 1\n")


def test_a_patch_without_threads_leaves_log_lines_where_they_are() -> None:
    """R7: handlers have the interpreter's locks then."""
    run(
        LATE.replace("patch_all()", "patch_all(thread=False)").format(before="", process=PROCESS)
        + FILTERS
        + "assert filters == []\n"
    )


INSTRUMENT = Path(sys.executable).with_name("opentelemetry-instrument")
needs_distro = pytest.mark.skipif(not INSTRUMENT.exists(), reason="needs the group services")

APP = """
import os
from flask import Flask
from prometheus_client import generate_latest

app = Flask("shop")


@app.get("/")
def sell():
    return str(os.getpid())


@app.get("/metrics")
def metrics():
    return generate_latest()
"""
CONF = "def post_worker_init(worker):\n    worker.log.info('worker %s is ready', worker.age)\n"
WITHOUT_SSL = "django,urllib3,requests,grpc_client,grpc_server,grpc_aio_client,grpc_aio_server"
"""The instrumentations that would load ``ssl``, and so urllib3, in the arbiter."""
PATCH_ALL = {"OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH": "patch_all"}
EXPORTED = re.compile(r"^otel_sdk_exporter_span_exported\w*_total\{(.*)\} (\S+)$", re.M)


def instrumented(
    collector: FaultyCollector, worker: str, name: str = "breaker_otlp_proto_http", **env: str
) -> GunicornService:
    """``opentelemetry-instrument gunicorn -k WORKER app:app``."""
    return GunicornService(
        APP,
        conf=CONF,
        command=[str(INSTRUMENT), sys.executable, "-m", "gunicorn"],
        args=["-k", worker],
        env={
            "OTEL_TRACES_EXPORTER": name,
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": WITHOUT_SSL,
            "OTEL_PYTHON_FLASK_EXCLUDED_URLS": "metrics",
            "OTEL_EXPORTER_OTLP_ENDPOINT": base(collector, NAMES[name]),
            **env,
        },
    )


def outcomes(service: GunicornService) -> Counter[str]:
    """The spans that Prometheus would scrape, by ``error.type``."""
    return Counter(
        {
            (re.findall('error_type="(.*?)"', labels) or ["exported"])[0] or "exported": int(float(value))
            for labels, value in EXPORTED.findall(service.get("/metrics"))
        }
    )


@needs_distro
@pytest.mark.parametrize(
    ("worker", "name", "env"),
    [
        ("gevent", "breaker_otlp_proto_http", {}),
        ("gevent", "breaker_otlp_proto_http", PATCH_ALL),
        ("gevent", "breaker_otlp_proto_grpc", {}),
        ("gthread", "breaker_otlp_proto_grpc", {}),
    ],
)
def test_every_span_is_accounted_for_while_a_collector_is_killed_and_restored(
    collector: FaultyCollector, worker: str, name: str, env: dict[str, str]
) -> None:
    more = {
        "OTEL_METRICS_EXPORTER": "prometheus",
        "OTEL_EXPORTER_PROMETHEUS_PORT": "0",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        # A refused connection is nothing to wait for but with gRPC, which tries again until then.
        "OTEL_EXPORTER_OTLP_TIMEOUT": "0.5" if name.endswith("grpc") else "60",
        "BREAKER_EXPORTER_FAILURE_THRESHOLD": "1",
        "BREAKER_EXPORTER_METRICS": "1",
        "BREAKER_EXPORTER_COOLDOWN": "0.1",
        "BREAKER_EXPORTER_MAX_COOLDOWN": "0.1",
        "BREAKER_EXPORTER_SHUTDOWN_TIMEOUT": "1",
        "BREAKER_EXPORTER_RETAIN_MEMORY": "0",
    }
    with instrumented(collector, worker, name, **{**more, **env}) as service:
        service.wait_for_line("worker 1 is ready")
        counted, asked, deadline = Counter[str](), 0, time.monotonic() + 60

        def until(done: Callable[[Counter[str]], bool]) -> None:
            nonlocal counted
            while not done(counted := outcomes(service)):
                assert time.monotonic() < deadline, f"{counted} of {asked}\n{service.output}"
                time.sleep(0.02)

        def all_are_counted(now: Counter[str]) -> bool:
            return now.total() == asked

        def ask_until(outcome: str) -> None:
            nonlocal asked
            before = counted[outcome]
            until(all_are_counted)
            while counted[outcome] == before:
                service.get()
                asked += 1
                until(all_are_counted)

        ask_until("exported")
        collector.fault = Fault.REFUSE
        ask_until("circuit_open")
        collector.fault = Fault.NONE
        ask_until("exported")
        delivered = len(collector.span_ids)
        collector.fault = Fault.BLACKHOLE
        service.get()
        ended = service.terminate()

    assert counted.total() == asked
    assert counted["exported"] == delivered == len(collector.span_ids)
    assert collector.duplicates == 0
    assert ended.returncode == 0
    assert ended.seconds < IN_TIME
    assert "SSLContext" not in service.output
    assert "Failed to auto initialize" not in service.output


@needs_distro
@pytest.mark.parametrize("env", [{}, PATCH_ALL])
def test_an_instrumented_urllib3_is_refused_with_advice_unless_gevent_patches_first(
    collector: FaultyCollector, env: dict[str, str]
) -> None:
    """OpenTelemetry's instrumentation imports it in the arbiter, before Gunicorn's worker patches."""
    pytest.importorskip("opentelemetry.instrumentation.urllib3")
    others = WITHOUT_SSL.replace("urllib3,", "")
    more = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": others, "OTEL_BSP_SCHEDULE_DELAY": "60000"}
    with instrumented(collector, "gevent", **{**more, **env}) as service:
        service.wait_for_line("worker 1 is ready")
        service.get()
        ended = service.terminate()

    assert ("GEVENT_PATCH=patch_all" in service.output) is (not env)
    assert len(collector.span_ids) == 1  # queued for a minute, had it not been told to stop
    assert ended.returncode == 0
