"""Processes without tracing, with a provider that is set already, and with variables alone."""

from __future__ import annotations

import pytest
import sentry_sdk

from breaker_exporter.sentry import Sentry
from breaker_exporter.telemetry import Telemetry
from breaker_exporter.testing import FaultyCollector

from ..semantics._processes import run_plain
from . import scenarios
from ._sentry import FEW, Ids, linked, payload, spans_at


def test_without_any_tracing_errors_still_go_to_sentry(
    sentry: FaultyCollector, collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    telemetry = Telemetry(
        endpoint=collector.http_base, sentry=Sentry(dsn=sentry.sentry_dsn, release="shop@1", options=FEW)
    )
    telemetry.start()
    assert (telemetry.provider, telemetry.exporters) == (None, ())
    sentry_sdk.capture_message("sold out")
    telemetry.stop()

    assert len(sentry.latest_sentry_items) == 1
    assert collector.counts().requests == 0


def test_where_the_application_has_set_a_provider_errors_go_to_sentry_and_know_their_span(
    sentry: FaultyCollector, collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTRY_DSN", sentry.sentry_dsn)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.http_base)

    output = run_plain(scenarios.a_provider_is_set_already)

    span = Ids(*output.splitlines()[-1].split())
    (event,) = sentry.latest_sentry_items
    assert linked(event) == span
    assert payload(event)["release"] == "shop@1.4.2"
    assert sentry.spans_received == 0
    assert output.count("breaker_exporter.sentry.connect_sentry(trace.get_tracer_provider())") == 1


def test_a_process_that_makes_its_own_provider_needs_the_variables_alone(
    sentry: FaultyCollector, collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTRY_DSN", sentry.sentry_dsn)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.version=1.4.2")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.http_base)

    run_plain(scenarios.everything_from_the_environment)

    (event,) = sentry.latest_sentry_items
    assert spans_at(sentry) == spans_at(collector) == [linked(event)]
    assert payload(event)["release"] == "shop@1.4.2"
