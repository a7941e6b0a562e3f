"""An outage burns no quota: what exporters log makes neither events nor breadcrumbs nor logs at Sentry."""

from __future__ import annotations

import logging

import pytest
import sentry_sdk
from opentelemetry.sdk.trace import TracerProvider

from breaker_exporter.sentry import SentryMode
from breaker_exporter.testing import Fault, FaultyCollector

from ._sentry import Connected, arrived, connect, end_a_span, init_as_the_application, payload

QUIET = [
    "breaker_exporter",
    "opentelemetry.exporter.otlp.proto.common._internal",
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.sdk._shared_internal",
    "opentelemetry.sdk.trace",
    "opentelemetry.sdk.trace.export",
]
MODES = pytest.mark.parametrize("mode", [SentryMode.OTLP, SentryMode.SPAN_PROCESSOR])


def crumbs(event: dict[str, object]) -> list[str]:
    found = event.get("breadcrumbs") or {}
    assert isinstance(found, dict)
    return [crumb["message"] for crumb in found.get("values", [])]


@MODES
@pytest.mark.parametrize("name", QUIET)
def test_log_lines_of_exporters_and_the_sdk_do_not_reach_sentry(
    sentry: FaultyCollector, connected: Connected, mode: SentryMode, name: str
) -> None:
    connected(mode=mode)

    logging.getLogger(name).error("Failed to export span batch")
    logging.getLogger(name).warning("Queue is full")
    sentry_sdk.capture_message("the application's own")

    (event,) = arrived(sentry)
    assert payload(event)["message"] == "the application's own"
    assert crumbs(payload(event)) == []


@MODES
def test_log_lines_of_others_still_reach_sentry(
    sentry: FaultyCollector, connected: Connected, mode: SentryMode
) -> None:
    connected(mode=mode)

    logging.getLogger("shop").warning("shelf is nearly empty")
    logging.getLogger("opentelemetry.instrumentation.flask").error("sold out")

    (event,) = arrived(sentry)
    assert payload(event)["logentry"]["message"] == "sold out"
    assert crumbs(payload(event)) == ["shelf is nearly empty"]


def test_they_are_not_among_the_logs_that_sentry_collects_either(
    sentry: FaultyCollector, connected: Connected
) -> None:
    connected(enable_logs=True)

    for name in [*QUIET, "shop"]:
        logging.getLogger(name).error("line of %s", name)

    found = [log for item in arrived(sentry, "log") for log in payload(item)["items"]]
    assert [log["body"] for log in found] == ["line of shop"]


def test_a_client_of_the_applications_ignores_them_too(
    sentry: FaultyCollector, provider: TracerProvider
) -> None:
    init_as_the_application(sentry.sentry_dsn)
    connect(provider)

    for name in QUIET:
        logging.getLogger(name).error("Failed to export span batch")

    assert arrived(sentry) == []


def test_a_dead_endpoint_makes_no_event(
    sentry: FaultyCollector, provider: TracerProvider, connected: Connected
) -> None:
    exporter = connected()
    assert exporter is not None
    sentry.set_fault(Fault.STATUS, status=500)
    for _ in range(5):
        end_a_span(provider)
        provider.force_flush(5_000)  # less than the cooldown
    sentry.fault = Fault.NONE

    assert exporter.health().opened == 1
    assert arrived(sentry) == []
