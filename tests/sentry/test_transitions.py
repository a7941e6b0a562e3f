"""Circuits that open and close, told to Sentry where that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sentry_sdk
from opentelemetry.sdk.trace import TracerProvider

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState, CircuitTransition
from breaker_exporter.sentry import report_transition
from breaker_exporter.testing import (
    Fault,
    FaultyCollector,
    ManualClock,
    Outcome,
    ScriptedExporter,
    fail,
    succeed,
)

from ..semantics._processes import run_code
from ..semantics._spans import spans
from ..semantics._waiting import until
from ._sentry import Connected, arrived, connect, end_a_span, init_as_the_application, payload
from .test_ignored_loggers import crumbs


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


Scripted = Callable[..., CircuitBreakerSpanExporter]


@pytest.fixture
def scripted(clock: ManualClock) -> Iterator[Scripted]:
    """Makes an exporter whose circuit opens at each failure, for a second."""
    made: list[CircuitBreakerSpanExporter] = []

    def make(*script: Outcome) -> CircuitBreakerSpanExporter:
        exporter = CircuitBreakerSpanExporter(
            ScriptedExporter(script),
            name="collector",
            failure_threshold=1,
            cooldown=1.0,
            listeners=[report_transition],
            clock=clock,
        )
        made.append(exporter)
        return exporter

    yield make
    for exporter in made:
        exporter.shutdown()


def change(old: CircuitState, new: CircuitState) -> CircuitTransition:
    return CircuitTransition(
        name="collector", old=old, new=new, at=0.0, reason="why", cooldown=1.0, consecutive_failures=1
    )


def test_a_circuit_that_opens_is_one_event_however_often_its_probe_fails(
    sentry: FaultyCollector, connected: Connected, clock: ManualClock, scripted: Scripted
) -> None:
    connected()
    exporter = scripted(fail, fail, fail, fail)

    for _ in range(4):
        exporter.export(spans(1))
        clock.advance(100.0)

    assert exporter.health().opened == 4
    (event,) = arrived(sentry)
    found = payload(event)
    assert (found["level"], found["logger"]) == ("warning", "breaker_exporter")
    assert found["message"].startswith("circuit collector: closed -> open")
    assert (found["fingerprint"], found["tags"]["circuit"]) == (
        ["breaker_exporter", "collector"],
        "collector",
    )


def test_a_circuit_that_closes_is_a_breadcrumb_of_later_events(
    sentry: FaultyCollector, connected: Connected, clock: ManualClock, scripted: Scripted
) -> None:
    connected()
    exporter = scripted(fail, succeed)
    exporter.export(spans(1))
    clock.advance(100.0)
    exporter.export(spans(1))

    sentry_sdk.capture_message("sold out")

    assert exporter.state is CircuitState.CLOSED
    opened, later = (payload(event) for event in arrived(sentry))
    assert crumbs(opened) == []
    (crumb,) = crumbs(later)
    assert crumb.startswith("circuit collector: half-open -> closed")


@pytest.mark.parametrize("has_client", [False, True])
def test_the_circuit_of_sentrys_exporter_is_reported_where_asked(
    sentry: FaultyCollector,
    provider: TracerProvider,
    connected: Connected,
    monkeypatch: pytest.MonkeyPatch,
    has_client: bool,
) -> None:
    monkeypatch.setenv("BREAKER_EXPORTER_FAILURE_THRESHOLD", "1")
    told: list[dict[str, Any]] = []

    def keep(event: Any, hint: Any) -> None:
        told.append(event)

    if has_client:
        init_as_the_application(sentry.sentry_dsn, before_send=keep)
        exporter = connect(provider, report_transitions=True)
    else:
        exporter = connected(report_transitions=True, before_send=keep)
    sentry.set_fault(Fault.STATUS, status=500)
    end_a_span(provider)
    provider.force_flush(5_000)  # less than the cooldown

    assert exporter is not None
    assert exporter.state is CircuitState.OPEN
    until(lambda: told)  # by the thread whose export it was
    (event,) = told
    assert event["tags"] == {"circuit": "sentry"}


def test_without_report_transitions_no_circuit_is_reported(
    sentry: FaultyCollector,
    provider: TracerProvider,
    connected: Connected,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BREAKER_EXPORTER_FAILURE_THRESHOLD", "1")
    told: list[Any] = []
    exporter = connected(before_send=lambda event, hint: told.append(event))
    sentry.set_fault(Fault.STATUS, status=500)
    end_a_span(provider)
    provider.force_flush(5_000)  # less than the cooldown

    assert exporter is not None
    assert exporter.state is CircuitState.OPEN
    assert told == []


def test_a_process_without_sentry_does_nothing_and_loads_nothing() -> None:
    said = run_code("""
import sys
from breaker_exporter import CircuitState, CircuitTransition
from breaker_exporter.sentry import report_transition
for old, new in (("CLOSED", "OPEN"), ("HALF_OPEN", "CLOSED")):
    report_transition(CircuitTransition(
        name="collector", old=CircuitState[old], new=CircuitState[new], at=0.0, reason="why", cooldown=1.0,
        consecutive_failures=1,
    ))
print([name for name in sys.modules if name.split(".")[0] in ("sentry_sdk", "ssl")])
""")
    assert said == "[]\n"


def test_without_a_client_it_does_nothing() -> None:
    report_transition(change(CircuitState.CLOSED, CircuitState.OPEN))
    report_transition(change(CircuitState.HALF_OPEN, CircuitState.CLOSED))
