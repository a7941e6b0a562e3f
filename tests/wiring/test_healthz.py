"""health() in an endpoint of the service, as the docs have it."""

from __future__ import annotations

import enum
import json
from dataclasses import asdict

import pytest

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState, Verdict
from breaker_exporter.sentry import SentryMode
from breaker_exporter.telemetry import Profile
from breaker_exporter.testing import Fault, FaultyCollector, ScriptedExporter

from .._gunicorn import GunicornService
from ..metrics._recipes import HEALTHZ
from ..semantics._waiting import until
from .test_gunicorn import BY_ENVIRONMENT, to

MOUNTED = (
    HEALTHZ
    + """
from opentelemetry import trace


def app(environ, start_response):
    if environ["PATH_INFO"] == "/healthz":
        return healthz(environ, start_response)
    with trace.get_tracer("shop").start_as_current_span("request"):
        start_response("204 No Content", [])
    return []
"""
)


@pytest.mark.parametrize("kind", [CircuitState, Verdict, Profile, SentryMode])
def test_each_enum_compares_prints_and_serializes_as_its_value(kind: type[enum.Enum]) -> None:
    for member in kind:
        assert member == member.value
        assert str(member) == f"{member}" == member.value
        assert json.loads(json.dumps(member)) == member.value


def test_health_can_be_put_into_json() -> None:
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(), name="otlp")

    health = json.loads(json.dumps(asdict(exporter.health())))

    assert (health["name"], health["state"], health["received"]) == ("otlp", "closed", 0)


@pytest.mark.parametrize("worker", ["sync", "gevent"])
def test_the_recipe_answers_with_the_circuits_of_the_hooks_through_an_outage(
    collector: FaultyCollector, worker: str
) -> None:
    env = to(collector, OTEL_BSP_SCHEDULE_DELAY="50", BREAKER_EXPORTER_FAILURE_THRESHOLD="1")
    with GunicornService(MOUNTED, conf=BY_ENVIRONMENT, env=env, args=["-k", worker]) as service:

        def circuit() -> dict[str, object]:
            (found,) = json.loads(service.get("/healthz"))["telemetry"]
            assert isinstance(found, dict)
            return found

        before = circuit()
        collector.fault = Fault.REFUSE
        until(lambda: service.get("/", status=204) == "" and circuit()["state"] == "open", within=20)

    assert (before["name"], before["state"], before["last_error"]) == ("collector", "closed", None)
