"""Stopping in time whatever is dead, and starting again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import sentry_sdk
from opentelemetry.sdk.trace import TracerProvider

from breaker_exporter.sentry import Sentry
from breaker_exporter.telemetry import Telemetry
from breaker_exporter.testing import Fault, FaultyCollector

from ..semantics._processes import run_patched, run_plain
from ..semantics._waiting import PATIENCE
from . import scenarios
from ._dead import FAULTS
from ._sentry import FEW, arrived, fail_in_a_span, init_as_the_application, linked, spans_at


def test_stop_sends_the_events_that_are_queued(
    sentry: FaultyCollector, provider: TracerProvider, wary: Telemetry
) -> None:
    for number in range(20):
        sentry_sdk.capture_message(f"{number}")
    wary.stop(10.0)

    assert [(item.payload or {})["message"] for item in sentry.latest_sentry_items] == [
        f"{n}" for n in range(20)
    ]


def test_stop_ends_as_soon_as_all_is_sent(
    sentry: FaultyCollector, provider: TracerProvider, wary: Telemetry
) -> None:
    span = fail_in_a_span(provider)

    began = time.monotonic()
    wary.stop(60.0)

    assert time.monotonic() - began < PATIENCE
    assert spans_at(sentry) == [span]


@FAULTS
def test_stop_ends_in_time_while_sentry_is_dead_and_the_collector_gets_its_spans(
    sentry: FaultyCollector,
    collector: FaultyCollector,
    provider: TracerProvider,
    wary: Telemetry,
    fault: Fault,
    settings: dict[str, Any],
) -> None:
    sentry.set_fault(fault, **settings)
    span = fail_in_a_span(provider)

    began = time.monotonic()
    wary.stop()

    assert time.monotonic() - began < PATIENCE
    assert spans_at(collector) == [span]


def test_stop_ends_in_time_while_the_collector_is_dead_and_sentry_gets_its_events(
    sentry: FaultyCollector, collector: FaultyCollector, provider: TracerProvider, wary: Telemetry
) -> None:
    collector.fault = Fault.BLACKHOLE
    span = fail_in_a_span(provider)

    began = time.monotonic()
    wary.stop()

    assert time.monotonic() - began < PATIENCE
    assert spans_at(sentry) == [span]
    assert sentry.wait_for_sentry_items(1, kind="event")


def test_after_a_stop_with_a_dead_sentry_a_start_with_a_live_one_works(
    sentry: FaultyCollector, provider: TracerProvider, wary: Telemetry
) -> None:
    sentry.fault = Fault.BLACKHOLE
    fail_in_a_span(provider)
    wary.stop()
    sentry.fault = Fault.NONE

    wary.start()
    span = fail_in_a_span(provider)
    provider.force_flush()

    assert spans_at(sentry) == [span]
    assert linked(arrived(sentry)[-1]) == span


def test_a_stop_with_a_dead_sentry_leaves_the_applications_client_working(
    sentry: FaultyCollector, collector: FaultyCollector, provider: TracerProvider
) -> None:
    """A client that is made anew has no ``before_send``."""
    kept: list[Any] = []

    def keep(event: Any, hint: Any) -> Any:
        kept.append(event)
        return event

    init_as_the_application(sentry.sentry_dsn, before_send=keep)
    telemetry = Telemetry(
        provider=provider,
        endpoint=collector.http_base,
        shutdown_timeout=0.3,
        sentry=Sentry(dsn=sentry.sentry_dsn, options=FEW),
    )
    telemetry.start()
    sentry.fault = Fault.BLACKHOLE
    fail_in_a_span(provider)
    telemetry.stop()
    sentry.fault = Fault.NONE

    telemetry.start()
    fail_in_a_span(provider)
    telemetry.stop()

    assert len(kept) == 2


@pytest.mark.parametrize("run", [run_plain, run_patched])
@FAULTS
def test_the_interpreters_exit_does_not_wait_for_sentry_again(
    sentry: FaultyCollector,
    collector: FaultyCollector,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    settings: dict[str, Any],
    run: Callable[..., str],
) -> None:
    """S6. It would wait for a minute.

    That Sentry's exit handler says so is no matter: it does for whatever takes a tenth of a second.
    """
    monkeypatch.setenv("SENTRY_DSN", sentry.sentry_dsn)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.http_base)
    sentry.set_fault(fault, **settings)

    output = run(scenarios.stop_and_exit, patience=30.0)

    (line,) = [line for line in output.splitlines() if line.startswith("stopped after")]
    assert float(line.split()[-1]) < PATIENCE
    assert len(collector.span_ids) == 1
