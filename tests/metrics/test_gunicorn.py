"""Two workers of a real Gunicorn, by the docs' recipes: their series, the collector's ids, and the end."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from breaker_exporter.testing import Fault, FaultyCollector

from .._gunicorn import GunicornService
from ..otlp._server import Server
from ..semantics._waiting import until
from ._reading import Reading, pushed, scraped
from ._recipes import BY_PUSH, on_free_ports, scrape_addresses

APP = """
import json, os
from opentelemetry import trace

tracer = trace.get_tracer("shop")


def app(environ, start_response):
    with tracer.start_as_current_span("request") as span:
        made = os.getpid(), f"{span.get_span_context().span_id:016x}"
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(made).encode()]
"""
"""Answers with the worker's process and the span that it has made."""

FLASK = """
import json, os
from flask import Flask
from opentelemetry import trace

app = Flask("shop")
tracer = trace.get_tracer("shop")


@app.get("/")
def sell():
    with tracer.start_as_current_span("request") as span:
        return json.dumps((os.getpid(), f"{span.get_span_context().span_id:016x}"))
"""


class Shop:
    """A service of two workers, and what each of them has made."""

    def __init__(self, service: GunicornService) -> None:
        self.service = service
        self.made: dict[int, set[str]] = {}

    def sell(self, until_true: Callable[[], object]) -> None:
        """Ask until both workers have answered, and so it is."""

        def is_so() -> object:
            for _ in range(5):
                pid, span = json.loads(self.service.get())
                self.made.setdefault(pid, set()).add(span)
            return len(self.made) == 2 and until_true()

        until(is_so)

    def check(self, collector: FaultyCollector, read: Callable[[], Reading]) -> None:
        """Through an outage, each worker's series and the collector's ids agree."""
        self.sell(lambda: read().pids == self.made.keys() and all(self.exported(read())))
        collector.fault = Fault.REFUSE
        self.sell(lambda: all(self.kept(read())))
        before = read()
        collector.fault = Fault.NONE
        self.sell(lambda: self.has_recovered(read(), before))
        until(lambda: self.sums(read()) == self.counts())
        assert self.kept(read()) == [0, 0]
        self.agrees(read(), collector)

    def has_recovered(self, reading: Reading, before: Reading) -> bool:
        return all(
            reading.state(pid) == {"closed"} and reading.outcomes(pid)[""] > before.outcomes(pid)[""]
            for pid in self.made
        )

    def agrees(self, reading: Reading, collector: FaultyCollector) -> None:
        assert self.sums(reading) == self.counts()
        arrived = collector.span_ids
        for pid, made in self.made.items():
            assert reading.outcomes(pid)[""] == len(made & arrived)
        assert sum(self.exported(reading)) == len(arrived)
        assert collector.duplicates == 0

    def exported(self, reading: Reading) -> list[float]:
        return [reading.outcomes(pid).get("", 0) for pid in self.made]

    def kept(self, reading: Reading) -> list[float]:
        return [sum(reading.by("", "breaker_exporter_backlog_items", pid).values()) for pid in self.made]

    def sums(self, reading: Reading) -> dict[int, float]:
        return {pid: sum(reading.outcomes(pid).values()) for pid in reading.pids}

    def counts(self) -> dict[int, int]:
        return {pid: len(made) for pid, made in self.made.items()}


def to(collector: FaultyCollector, **env: str) -> dict[str, str]:
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base,
        "OTEL_BSP_SCHEDULE_DELAY": "20",
        "BREAKER_EXPORTER_FAILURE_THRESHOLD": "1",
        "BREAKER_EXPORTER_COOLDOWN": "0.5",
        "BREAKER_EXPORTER_MAX_COOLDOWN": "0.5",
        "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": "true",
        **env,
    }


def by_push(collector: FaultyCollector, receiver: Server, **more: str) -> GunicornService:
    target = {
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{receiver.base}/v1/metrics",
        "OTEL_METRIC_EXPORT_INTERVAL": "100",
    }
    env = {**to(collector), **target, **more}
    return GunicornService(APP, conf=BY_PUSH, env=env, args=["--workers", "2"])


def test_pushed_series_of_two_workers_agree_with_the_collector(
    collector: FaultyCollector, receiver: Server
) -> None:
    with by_push(collector, receiver) as service:
        shop = Shop(service)
        shop.check(collector, lambda: pushed(receiver.requests))
        ended = service.terminate()

    assert ended.returncode == 0
    assert "Traceback" not in service.output


def test_the_last_spans_of_a_worker_are_in_its_last_push(
    collector: FaultyCollector, receiver: Server
) -> None:
    delays = dict.fromkeys(("OTEL_BSP_SCHEDULE_DELAY", "OTEL_METRIC_EXPORT_INTERVAL"), "60000")
    # With them, the SDK holds processor and exporter for good.
    delays["OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"] = "false"
    with by_push(collector, receiver, **delays) as service:
        shop = Shop(service)
        shop.sell(lambda: True)
        service.terminate()

    assert len(collector.span_ids) > 0
    shop.agrees(pushed(receiver.requests), collector)


def test_scraped_series_of_two_workers_agree_with_the_collector(collector: FaultyCollector) -> None:
    """A port each, under Flask."""
    pytest.importorskip("opentelemetry.exporter.prometheus", reason="needs the group services")
    pytest.importorskip("flask", reason="needs the group services")
    with GunicornService(FLASK, conf=on_free_ports(), env=to(collector), args=["--workers", "2"]) as service:
        urls = [f"http://{address}/metrics" for address in scrape_addresses(service)]
        Shop(service).check(collector, lambda: scraped(*urls))
        ended = service.terminate()

    assert ended.returncode == 0
    assert "Traceback" not in service.output
