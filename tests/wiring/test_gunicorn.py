"""The hooks in real Gunicorn processes: every kind of worker, forks, recycling, mistakes, and the end."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from dataclasses import dataclass

import pytest

from breaker_exporter.gunicorn import hooks
from breaker_exporter.testing import Fault, FaultyCollector

from .._gunicorn import IN_TIME, GunicornService

APP = """
import gc, json, os, threading
from opentelemetry import trace

tracer = trace.get_tracer("shop")


def app(environ, start_response):
    with tracer.start_as_current_span("request") as span:
        context = span.get_span_context()
    provider = trace.get_tracer_provider()
    facts = {
        "pid": os.getpid(),
        "span": f"{context.span_id:016x}" if context.is_valid else None,
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "provider": type(provider).__name__,
        "frozen": gc.get_freeze_count(),
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(facts).encode()]
"""
"""Makes a span for each request and answers with facts about its worker."""

BY_ENVIRONMENT = "from breaker_exporter.gunicorn import post_fork, post_worker_init, worker_exit\n"

SAYS_WHEN_READY = """
from breaker_exporter.gunicorn import post_fork, post_worker_init as start, worker_exit

def post_worker_init(worker):
    start(worker)
    worker.log.info("worker %s is ready", worker.age)
"""

HOOKS = ("post_fork", "post_worker_init", "worker_exit")

BATCH_THREAD = "OtelBatchSpanRecordProcessor"

COMPLAINTS = ("Traceback", "WARNING", "Warning", "must be", "patched ssl")


@dataclass
class Facts:
    """One answer of the application."""

    pid: int
    span: str | None
    threads: list[str]
    provider: str
    frozen: int


def ask(service: GunicornService) -> Facts:
    return Facts(**json.loads(service.get()))


def to(collector: FaultyCollector, protocol: str = "http/protobuf", **env: str) -> dict[str, str]:
    """Variables that send spans to the collector, and only when it is over."""
    endpoint = collector.grpc_endpoint if protocol == "grpc" else collector.http_base
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_BSP_SCHEDULE_DELAY": "60000",
        **env,
    }


def complaints(service: GunicornService) -> list[str]:
    return [line for line in service.output.splitlines() if any(word in line for word in COMPLAINTS)]


SUBCLASS = """
from gunicorn.workers.ggevent import GeventWorker
class Named(GeventWorker):
    pass
"""


@pytest.mark.parametrize(
    ("worker", "protocol"),
    [
        ("sync", "http/protobuf"),
        ("gthread", "grpc"),
        ("gevent", "http/protobuf"),
        ("gevent", "grpc"),
        ("app.Named", "http/protobuf"),
    ],
)
def test_spans_arrive_once_from_every_kind_of_worker_and_it_ends_in_time(
    collector: FaultyCollector, worker: str, protocol: str
) -> None:
    """The queue at SIGTERM is delivered: the batch processor's own delay is a minute here."""
    app = APP + (SUBCLASS if worker == "app.Named" else "")
    with GunicornService(
        app, conf=BY_ENVIRONMENT, env=to(collector, protocol), args=["-k", worker]
    ) as service:
        answers = [ask(service) for _ in range(3)]
        ended = service.terminate()

    assert {answer.span for answer in answers} == collector.span_ids
    assert collector.duplicates == 0
    assert complaints(service) == []
    assert ended.returncode == 0
    assert ended.seconds < IN_TIME


def test_each_preloaded_worker_has_its_own_telemetry(collector: FaultyCollector) -> None:
    args = ["-k", "gevent", "--preload", "--workers", "2"]
    with GunicornService(APP, conf=SAYS_WHEN_READY, env=to(collector), args=args) as service:
        for age in (1, 2):
            # A SIGTERM that comes before Gunicorn has given a worker its signal handlers is lost.
            service.wait_for_line(f"worker {age} is ready")
        answers = [ask(service) for _ in range(10)]
        ended = service.terminate()

    assert {answer.span for answer in answers} == collector.span_ids
    assert collector.duplicates == 0
    assert complaints(service) == []
    assert service.boots == 2
    assert ended.returncode == 0


@pytest.mark.parametrize("worker", ["sync", "gevent"])
def test_a_worker_that_is_recycled_exports_its_queue_first(collector: FaultyCollector, worker: str) -> None:
    args = ["-k", worker, "--max-requests", "2"]
    with GunicornService(APP, conf=BY_ENVIRONMENT, env=to(collector), args=args) as service:
        answers = [ask(service) for _ in range(2)]
        service.wait_for_line("Worker exiting")
        answers.append(ask(service))
        service.terminate()

    assert answers[-1].pid != answers[0].pid
    assert {answer.span for answer in answers} == collector.span_ids
    assert collector.duplicates == 0
    assert complaints(service) == []


def test_hooks_configured_in_code_may_be_called_by_hooks_of_the_user(collector: FaultyCollector) -> None:
    conf = f"""
from breaker_exporter.gunicorn import hooks
from breaker_exporter.telemetry import Telemetry

telemetry = hooks(Telemetry(service_name="shop", endpoint={collector.http_base!r}, cooldown=10.0))

def post_fork(server, worker):
    telemetry.post_fork(server, worker)
    server.log.info("my post_fork")

def post_worker_init(worker):
    telemetry.post_worker_init(worker)
    worker.log.info("my post_worker_init")

def worker_exit(server, worker):
    telemetry.worker_exit(server, worker)
    server.log.info("my worker_exit")
"""
    with GunicornService(APP, conf=conf, args=["-k", "gthread"]) as service:
        answer = ask(service)
        service.terminate()

    (span,) = collector.latest_spans
    assert span.span_id == answer.span
    assert span.resource["service.name"] == "shop"
    assert complaints(service) == []
    for hook in HOOKS:
        assert f"my {hook}" in service.output


def test_hooks_can_be_named_in_settings(collector: FaultyCollector) -> None:
    conf = "".join(f"{hook} = 'breaker_exporter.gunicorn.{hook}'\n" for hook in HOOKS)
    with GunicornService(APP, conf=conf, env=to(collector)) as service:
        answer = ask(service)
        service.terminate()

    assert collector.span_ids == {answer.span}


THEIRS = """
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

trace.set_tracer_provider(TracerProvider())
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
"""


def test_the_provider_of_a_preloaded_application_is_left_alone(collector: FaultyCollector) -> None:
    args = ["-k", "gevent", "--preload"]
    with GunicornService(APP + THEIRS, conf=BY_ENVIRONMENT, env=to(collector), args=args) as service:
        answer = ask(service)
        ended = service.terminate()

    assert answer.span is not None
    assert answer.span in service.output  # by their exporter
    assert collector.span_ids == frozenset()  # and not by one of ours
    assert BATCH_THREAD not in answer.threads
    (warning,) = [line for line in service.output.splitlines() if "set already" in line]
    assert 'BatchSpanProcessor(CircuitBreakerSpanExporter(OTLPSpanExporter(), name="collector"))' in warning
    assert "Traceback" not in service.output
    assert ended.returncode == 0


def test_a_provider_that_the_application_sets_later_is_refused_by_opentelemetry(
    collector: FaultyCollector,
) -> None:
    with GunicornService(APP + THEIRS, conf=BY_ENVIRONMENT, env=to(collector)) as service:
        answer = ask(service)
        service.terminate()

    assert collector.span_ids == {answer.span}
    assert service.output.count("Overriding of current TracerProvider is not allowed") == 1


@pytest.mark.parametrize("worker", ["sync", "gevent"])
@pytest.mark.parametrize(
    ("name", "value"), [("BREAKER_EXPORTER_COOLDOWN", "soon"), ("OTEL_TRACES_SAMPLER", "sometimes")]
)
def test_strict_makes_a_mistake_fatal_in_one_line_and_one_boot(worker: str, name: str, value: str) -> None:
    """The first is found in post_worker_init, the second in post_fork."""
    env = {name: value, "BREAKER_EXPORTER_STRICT": "1"}
    with GunicornService(APP, conf=BY_ENVIRONMENT, env=env, args=["-k", worker]) as service:
        returncode = service.wait()

    assert returncode != 0
    assert service.boots == 1
    assert "Traceback" not in service.output
    (line,) = [line for line in service.output.splitlines() if name in line]
    assert line.startswith(f"breaker_exporter: {name} must be")
    assert repr(value) in line


def test_mistakes_fail_open_with_a_warning_each(collector: FaultyCollector) -> None:
    mistakes = {
        "BREAKER_EXPORTER_COOLDOWN": "soon",
        "BREAKER_EXPORTER_FAILURE_THRESHOLD": "0",
        "OTEL_BSP_MAX_QUEUE_SIZE": "none",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "zip",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "10000",
        "OTEL_TRACES_EXPORTER": "otlp,zipkin",
        "OTEL_TRACES_SAMPLER": "sometimes",
    }
    with GunicornService(
        APP, conf=BY_ENVIRONMENT, env=to(collector, **mistakes), args=["-k", "gevent"]
    ) as service:
        answer = ask(service)
        service.terminate()

    assert collector.span_ids == {answer.span}
    assert "Traceback" not in service.output
    for name in mistakes:
        assert len([line for line in service.output.splitlines() if f"[WARNING] {name}" in line]) == 1


def test_with_the_sdks_provider_named_by_a_variable_spans_arrive(collector: FaultyCollector) -> None:
    env = to(collector, OTEL_PYTHON_TRACER_PROVIDER="sdk_tracer_provider")
    with GunicornService(APP, conf=BY_ENVIRONMENT, env=env, args=["-k", "gevent"]) as service:
        answer = ask(service)
        service.terminate()

    assert collector.span_ids == {answer.span}
    assert "is set already" not in service.output


def test_a_disabled_sdk_has_no_thread_and_no_provider(collector: FaultyCollector) -> None:
    env = to(collector, OTEL_SDK_DISABLED="true")
    with GunicornService(APP, conf=BY_ENVIRONMENT, env=env, args=["-k", "gevent"]) as service:
        answer = ask(service)
        ended = service.terminate()

    assert (answer.span, answer.provider, answer.threads) == (None, "ProxyTracerProvider", ["MainThread"])
    assert answer.frozen < 1000
    assert complaints(service) == []
    assert ended.returncode == 0


@pytest.mark.parametrize("freeze", ["1", "0"])
def test_objects_that_a_worker_has_loaded_are_kept_out_of_garbage_collections(
    collector: FaultyCollector, freeze: str
) -> None:
    env = to(collector, BREAKER_EXPORTER_GC_FREEZE=freeze)
    with GunicornService(APP, conf=BY_ENVIRONMENT, env=env, args=["-k", "gevent"]) as service:
        answer = ask(service)
        service.terminate()

    assert (answer.frozen > 10_000) == (freeze == "1")


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_worker_ends_in_time_while_the_collector_is_silent(
    collector: FaultyCollector, protocol: str
) -> None:
    """S5: 5 s for the telemetry, the rest for Gunicorn and the machine."""
    collector.fault = Fault.BLACKHOLE
    env = to(collector, protocol, BREAKER_EXPORTER_SHUTDOWN_TIMEOUT="2", OTEL_EXPORTER_OTLP_TIMEOUT="60")
    with GunicornService(APP, conf=BY_ENVIRONMENT, env=env, args=["-k", "gevent"]) as service:
        ask(service)
        ended = service.terminate()

    assert ended.returncode == 0
    assert ended.seconds < IN_TIME
    assert "/breaker_exporter/" not in service.output  # no traceback through us


WITH_A_LONG_REQUEST = """
import sys, time

quick = app

def app(environ, start_response):
    if environ["PATH_INFO"] == "/long":
        print("the long one has begun", file=sys.stderr, flush=True)
        time.sleep(60)
    return quick(environ, start_response)
"""


@pytest.mark.parametrize("worker", ["sync", "gthread", "gevent"])
def test_the_queue_is_exported_while_the_last_request_uses_all_of_the_graceful_timeout(
    collector: FaultyCollector, worker: str
) -> None:
    """Gunicorn kills this worker, whose hook for its exit is never called."""
    args = ["-k", worker, "--graceful-timeout", "3"]
    app = APP + WITH_A_LONG_REQUEST
    with GunicornService(app, conf=BY_ENVIRONMENT, env=to(collector), args=args) as service:
        answer = ask(service)

        def ask_for_long() -> None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                service.get("/long", timeout=30)

        asking = threading.Thread(target=ask_for_long)
        asking.start()
        service.wait_for_line("the long one has begun")
        service.terminate()
        asking.join()

    assert collector.span_ids == {answer.span}
    assert collector.duplicates == 0


def test_an_application_that_cannot_be_loaded_ends_as_it_does_without_the_hooks(
    collector: FaultyCollector,
) -> None:
    """Gunicorn calls worker_exit after a boot that failed, too."""
    app = "import no_such_module\n"
    with GunicornService(app, conf=BY_ENVIRONMENT, env=to(collector)) as service:
        returncode = service.wait()

    assert returncode == 3
    assert service.boots == 1
    assert "breaker_exporter" not in service.output


URLLIB3_TOO_EARLY = BY_ENVIRONMENT + "import urllib3\n"


@pytest.mark.parametrize(("worker", "lines"), [("gevent", 1), ("sync", 0)])
def test_modules_that_imported_ssl_before_the_patch_are_named(
    collector: FaultyCollector, worker: str, lines: int
) -> None:
    """I1."""
    env = to(collector)
    with GunicornService(APP, conf=URLLIB3_TOO_EARLY, env=env, args=["-k", worker]) as service:
        answer = ask(service)
        service.terminate()

    warnings = [line for line in service.output.splitlines() if "gevent patched ssl after" in line]
    assert len(warnings) == lines
    assert all("urllib3.util.ssl_" in warning for warning in warnings)
    assert collector.span_ids == {answer.span}


def test_hooks_of_anything_but_a_telemetry_are_refused() -> None:
    with pytest.raises(TypeError, match="telemetry must be a Telemetry, not 'shop'"):
        hooks("shop")  # type: ignore[arg-type]
