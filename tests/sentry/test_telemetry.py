"""Telemetry with Sentry: started and flushed with the rest, beside what the application has done."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from opentelemetry import propagate
from opentelemetry.sdk.trace import TracerProvider

from breaker_exporter.sentry import Sentry, SentryMode
from breaker_exporter.telemetry import Telemetry
from breaker_exporter.testing import FaultyCollector

from ._sentry import (
    FEW,
    arrived,
    connect,
    end_a_span,
    fail_in_a_span,
    init_as_the_application,
    linked,
    said,
    spans_at,
    warnings,
)


def names(telemetry: Telemetry) -> list[str]:
    return [exporter.health().name for exporter in telemetry.exporters]


@pytest.fixture
def telemetry(
    sentry: FaultyCollector, collector: FaultyCollector, provider: TracerProvider
) -> Iterator[Telemetry]:
    """With both of them."""
    telemetry = Telemetry(
        provider=provider,
        endpoint=collector.http_base,
        sentry=Sentry(dsn=sentry.sentry_dsn, release="shop@1", options=FEW),
    )
    yield telemetry
    telemetry.stop()


def test_spans_go_to_both_and_errors_to_sentry_with_the_same_ids(
    sentry: FaultyCollector, collector: FaultyCollector, provider: TracerProvider, telemetry: Telemetry
) -> None:
    telemetry.start()
    assert names(telemetry) == ["collector", "sentry"]
    span = fail_in_a_span(provider)
    telemetry.stop()

    assert spans_at(collector) == spans_at(sentry) == [span]
    assert [linked(item) for item in sentry.latest_sentry_items if item.kind == "event"] == [span]
    assert {item.kind for item in sentry.latest_sentry_items} == {"event"}
    assert collector.latest_sentry_items == ()


def test_the_dsn_in_the_environment_switches_it_on(
    sentry: FaultyCollector,
    collector: FaultyCollector,
    provider: TracerProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SENTRY_DSN", sentry.sentry_dsn)
    monkeypatch.setenv("SENTRY_RELEASE", "shop@1")
    telemetry = Telemetry(provider=provider, endpoint=collector.http_base)

    telemetry.start()
    assert names(telemetry) == ["collector", "sentry"]
    span = fail_in_a_span(provider)
    telemetry.stop()

    assert spans_at(collector) == spans_at(sentry) == [span]


@pytest.mark.parametrize("variables", [{}, {"SENTRY_DSN": ""}, {"SENTRY_ENVIRONMENT": "staging"}])
def test_without_a_dsn_sentry_is_not_connected(
    collector: FaultyCollector,
    provider: TracerProvider,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    before = propagate.get_global_textmap()
    telemetry = Telemetry(provider=provider, endpoint=collector.http_base)

    telemetry.start()
    found = names(telemetry)
    telemetry.stop()

    assert found == ["collector"]
    assert propagate.get_global_textmap() is before


def test_sentry_gets_its_share_and_the_collector_all(
    sentry: FaultyCollector, collector: FaultyCollector, provider: TracerProvider
) -> None:
    telemetry = Telemetry(
        provider=provider,
        endpoint=collector.http_base,
        sentry=Sentry(dsn=sentry.sentry_dsn, traces_sample_rate=0, options=FEW),
    )
    telemetry.start()
    spans = [fail_in_a_span(provider) for _ in range(4)]
    telemetry.stop()

    assert spans_at(collector) == spans
    assert sentry.spans_received == 0
    assert [linked(item) for item in sentry.latest_sentry_items] == spans


def test_in_the_mode_span_processor_the_collector_is_the_only_exporter(
    sentry: FaultyCollector, collector: FaultyCollector, provider: TracerProvider
) -> None:
    telemetry = Telemetry(
        provider=provider,
        endpoint=collector.http_base,
        sentry=Sentry(dsn=sentry.sentry_dsn, mode=SentryMode.SPAN_PROCESSOR, options=FEW),
    )
    telemetry.start()
    assert names(telemetry) == ["collector"]
    span = fail_in_a_span(provider)
    telemetry.stop()

    assert spans_at(collector) == [span]
    assert {(item.kind, linked(item)) for item in sentry.latest_sentry_items} == {
        ("event", span),
        ("transaction", span),
    }


def test_a_stopped_telemetry_starts_anew(
    sentry: FaultyCollector, collector: FaultyCollector, provider: TracerProvider, telemetry: Telemetry
) -> None:
    telemetry.start()
    first = fail_in_a_span(provider)
    telemetry.stop()
    telemetry.start()
    second = fail_in_a_span(provider)
    telemetry.stop()

    assert spans_at(sentry) == spans_at(collector) == [first, second]
    assert [linked(event) for event in arrived(sentry)] == [first, second]


def test_an_application_that_connected_already_gets_no_second_exporter(
    sentry: FaultyCollector, collector: FaultyCollector, provider: TracerProvider, telemetry: Telemetry
) -> None:
    init_as_the_application(sentry.sentry_dsn)
    connect(provider)

    telemetry.start()
    assert names(telemetry) == ["collector"]
    span = fail_in_a_span(provider)
    provider.force_flush()
    telemetry.stop()

    assert spans_at(sentry) == spans_at(collector) == [span]
    assert [linked(event) for event in arrived(sentry)] == [span]


def test_an_application_that_connects_later_gets_no_second_exporter(
    sentry: FaultyCollector, provider: TracerProvider, telemetry: Telemetry
) -> None:
    telemetry.start()
    connect(provider, dsn=sentry.sentry_dsn, release="shop@1", **FEW)
    connect(provider)
    span = end_a_span(provider)
    provider.force_flush()
    telemetry.stop()

    assert spans_at(sentry) == [span]


def test_a_client_of_the_applications_is_used(
    sentry: FaultyCollector,
    provider: TracerProvider,
    telemetry: Telemetry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def name_the_till(event: Any, hint: Any) -> Any:
        return {**event, "tags": {"till": "4"}}

    caplog.set_level(logging.INFO, "breaker_exporter")
    init_as_the_application(sentry.sentry_dsn, before_send=name_the_till)
    client = sentry_sdk.get_client()

    telemetry.start()
    assert names(telemetry) == ["collector", "sentry"]
    span = fail_in_a_span(provider)
    telemetry.stop()

    assert sentry_sdk.get_client() is client
    (event,) = arrived(sentry)
    assert (linked(event), (event.payload or {})["tags"]) == (span, {"till": "4"})
    attached = [line for line in said(caplog, logging.INFO) if "its client stays as it is" in line]
    assert len(attached) == 1
    assert warnings(caplog) == []


def test_a_failure_of_sentrys_is_one_warning_and_the_collector_gets_its_spans(
    sentry: FaultyCollector,
    collector: FaultyCollector,
    provider: TracerProvider,
    caplog: pytest.LogCaptureFixture,
) -> None:
    options = {**FEW, "no_such_option": "canary5ecret"}
    telemetry = Telemetry(
        provider=provider,
        endpoint=collector.http_base,
        sentry=Sentry(dsn=sentry.sentry_dsn, options=options),
    )
    telemetry.start()
    assert names(telemetry) == ["collector"]
    span = end_a_span(provider)
    telemetry.stop()

    assert spans_at(collector) == [span]
    (line,) = warnings(caplog)
    assert line.startswith("Sentry is off: sentry_sdk.init does not take")
    assert "TypeError: Unknown option 'no_such_option'" in line
    assert "canary5ecret" not in caplog.text
