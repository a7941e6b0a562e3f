"""Sentry by the hooks in real Gunicorn processes: the order that works, the links, the faults, the end."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from typing import Any

import pytest
import trustme

from breaker_exporter.testing import Fault, FaultyCollector

from .._gunicorn import IN_TIME, GunicornService
from ..otlp._peer import peer

HOOKS = "from breaker_exporter.gunicorn import post_fork, post_worker_init, worker_exit\n"

APP = """
import json, threading
from opentelemetry import trace

tracer = trace.get_tracer("shop")


def app(environ, start_response):
    import sentry_sdk, urllib3

    with tracer.start_as_current_span("request") as span:
        context = span.get_span_context()
        if environ["PATH_INFO"] == "/broken":
            try:
                raise RuntimeError("out of stock")
            except RuntimeError:
                sentry_sdk.capture_exception()
    facts = {"trace": f"{context.trace_id:032x}", "span": f"{context.span_id:016x}", "secure": None}
    if environ["PATH_INFO"] == "/secure":
        try:
            urllib3.PoolManager(retries=False).request("GET", environ["QUERY_STRING"])
        except BaseException as error:
            facts["secure"] = type(error).__name__
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(facts).encode()]
"""
"""Makes a span for each request; at /broken an error in it, at /secure an HTTPS request of its own."""


@dataclass
class Facts:
    """One answer of the application."""

    trace: str
    span: str
    secure: str | None


def ask(service: GunicornService, path: str = "/") -> Facts:
    return Facts(**json.loads(service.get(path)))


def to(collector: FaultyCollector, sentry: FaultyCollector, **env: str) -> dict[str, str]:
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "SENTRY_DSN": sentry.sentry_dsn,
        **env,
    }


def payloads(sentry: FaultyCollector, kind: str) -> list[dict[str, Any]]:
    return [dict(item.payload or {}) for item in sentry.latest_sentry_items if item.kind == kind]


@pytest.mark.parametrize("worker", ["sync", "gthread", "gevent"])
@pytest.mark.parametrize("mode", ["otlp", "span_processor"])
def test_errors_at_sentry_have_the_ids_of_the_trace_at_the_collector(
    collector: FaultyCollector, sentry: FaultyCollector, worker: str, mode: str
) -> None:
    env = to(
        collector,
        sentry,
        BREAKER_EXPORTER_SENTRY_MODE=mode,
        SENTRY_ENVIRONMENT="staging",
        OTEL_SERVICE_NAME="shop",
        OTEL_RESOURCE_ATTRIBUTES="service.version=1.4.2",
    )
    with GunicornService(APP, conf=HOOKS, env=env, args=["-k", worker]) as service:
        answer = ask(service, "/broken")
        ended = service.terminate()

    (event,) = payloads(sentry, "event")
    trace = event["contexts"]["trace"]
    assert (trace["trace_id"], trace["span_id"]) == (answer.trace, answer.span)
    assert (event["release"], event["environment"]) == ("shop@1.4.2", "staging")
    assert collector.span_ids == {answer.span}
    transactions = [found["contexts"]["trace"]["trace_id"] for found in payloads(sentry, "transaction")]
    assert sentry.span_ids == ({answer.span} if mode == "otlp" else set())
    assert transactions == ([] if mode == "otlp" else [answer.trace])
    assert "Warning" not in service.output
    assert ended.returncode == 0


SENTRY_TOO_EARLY = """
import os, sys

sys.modules["django"] = None  # where it is installed, sentry_sdk loads it, and gevent's patch fails over that
import sentry_sdk

sentry_sdk.init(dsn=os.environ["SENTRY_DSN"])
"""


@pytest.mark.parametrize(
    ("conf", "error"), [(SENTRY_TOO_EARLY, "RecursionError"), (HOOKS, "SSLError")], ids=["early", "hooks"]
)
def test_https_recurses_where_sentry_comes_before_the_patch_and_not_with_the_hooks(
    collector: FaultyCollector, sentry: FaultyCollector, conf: str, error: str
) -> None:
    """getsentry/sentry-python #3781. Nobody trusts the server's certificate, which is an error of its own."""
    certificate = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(certificate)
    env = to(collector, sentry)
    with (
        peer(lambda connection: None, tls=certificate) as port,
        GunicornService(APP, conf=conf, env=env, args=["-k", "gevent"]) as service,
    ):
        answer = ask(service, f"/secure?https://127.0.0.1:{port}/")
        service.terminate()

    assert answer.secure == error
    assert ("MonkeyPatchWarning" in service.output) == (error == "RecursionError")


@pytest.mark.parametrize("fault", [Fault.BLACKHOLE, Fault.REFUSE, Fault.STATUS])
def test_a_dead_sentry_costs_neither_requests_nor_the_collector_nor_the_end(
    collector: FaultyCollector, sentry: FaultyCollector, fault: Fault
) -> None:
    if fault is Fault.STATUS:
        sentry.set_fault(fault, status=429, retry_after=60)
    else:
        sentry.fault = fault
    env = to(collector, sentry, BREAKER_EXPORTER_SHUTDOWN_TIMEOUT="2", BREAKER_EXPORTER_FAILURE_THRESHOLD="1")
    with GunicornService(APP, conf=HOOKS, env=env, args=["-k", "gevent"]) as service:
        spans = {ask(service, "/broken").span}
        if fault is not Fault.BLACKHOLE:  # there it takes the OTLP timeout
            service.wait_for_line("sentry.* open")
        spans |= {ask(service, "/broken").span for _ in range(5)}
        assert collector.wait_for_spans(6)
        ended = service.terminate()

    assert collector.span_ids == spans
    assert "collector: " not in service.output
    assert ended.returncode == 0
    assert ended.seconds < IN_TIME


def test_a_dead_collector_costs_sentry_nothing(collector: FaultyCollector, sentry: FaultyCollector) -> None:
    collector.fault = Fault.BLACKHOLE
    env = to(collector, sentry, BREAKER_EXPORTER_SHUTDOWN_TIMEOUT="2")
    with GunicornService(APP, conf=HOOKS, env=env, args=["-k", "gevent"]) as service:
        answers = [ask(service, "/broken") for _ in range(3)]
        assert sentry.wait_for_spans(3)
        assert sentry.wait_for_sentry_items(3, kind="event")
        ended = service.terminate()

    assert sentry.span_ids == {answer.span for answer in answers}
    assert ended.returncode == 0
    assert ended.seconds < IN_TIME


CANARY = "c0ffeec0ffeec0ffeec0ffeec0ffeec0"


@pytest.mark.parametrize("worker", ["sync", "gevent"])
def test_a_malformed_dsn_is_one_warning_or_fatal_in_one_line_where_strict(
    collector: FaultyCollector, sentry: FaultyCollector, worker: str
) -> None:
    env = to(collector, sentry, SENTRY_DSN=f"https://{CANARY}@sentry.example/shop")
    with GunicornService(APP, conf=HOOKS, env=env, args=["-k", worker]) as service:
        answer = ask(service, "/broken")
        service.terminate()
    assert collector.span_ids == {answer.span}
    (line,) = [line for line in service.output.splitlines() if "DSN" in line]
    assert "[WARNING] Sentry is off: " in line
    assert CANARY not in service.output

    env["BREAKER_EXPORTER_STRICT"] = "1"
    with GunicornService(APP, conf=HOOKS, env=env, args=["-k", worker]) as service:
        assert service.wait() != 0
    assert service.boots == 1
    assert "Traceback" not in service.output
    (line,) = [line for line in service.output.splitlines() if "DSN" in line]
    assert line.startswith("breaker_exporter: Sentry is off: ")
    assert CANARY not in service.output
