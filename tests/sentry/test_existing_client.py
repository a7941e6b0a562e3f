"""An application that has initialised Sentry itself keeps its client; one line says what that lacks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import sentry_sdk
from opentelemetry import propagate
from opentelemetry.sdk.trace import TracerProvider
from sentry_sdk.integrations.otlp import OTLPIntegration

from breaker_exporter.sentry import SentryMode
from breaker_exporter.testing import FaultyCollector

from ._sentry import (
    FEW,
    Connected,
    arrived,
    connect,
    end_a_span,
    fail_in_a_span,
    init_as_the_application,
    linked,
    payload,
    said,
    spans_at,
    warnings,
)

Wire = Callable[[TracerProvider, str], object]


def with_nothing_given(provider: TracerProvider, dsn: str) -> object:
    return connect(provider)


def with_settings_of_another_client(provider: TracerProvider, dsn: str) -> object:
    return connect(provider, dsn=dsn, release="other@2", environment="other")


WAYS = pytest.mark.parametrize("wire", [with_nothing_given, with_settings_of_another_client])


@WAYS
def test_the_applications_client_is_used_and_never_made_again(
    sentry: FaultyCollector, provider: TracerProvider, caplog: pytest.LogCaptureFixture, wire: Wire
) -> None:
    caplog.set_level(logging.INFO, "breaker_exporter")

    def name_the_till(event: Any, hint: Any) -> Any:
        return {**event, "tags": {"till": "4"}}

    init_as_the_application(sentry.sentry_dsn, before_send=name_the_till)
    client = sentry_sdk.get_client()

    assert wire(provider, sentry.sentry_dsn) is not None
    span = fail_in_a_span(provider)
    provider.force_flush()

    assert sentry_sdk.get_client() is client
    (event,) = arrived(sentry)
    assert linked(event) == span
    assert (payload(event)["tags"], payload(event)["release"]) == ({"till": "4"}, "shop@1")
    assert spans_at(sentry) == [span]
    assert warnings(caplog) == []
    (line,) = said(caplog, logging.INFO)
    assert "its client stays as it is" in line


def test_spans_go_to_the_dsn_of_the_client(
    sentry: FaultyCollector,
    collector: FaultyCollector,
    provider: TracerProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SENTRY_DSN", collector.sentry_dsn)
    init_as_the_application(sentry.sentry_dsn)
    connect(provider, dsn=collector.sentry_dsn)

    span = fail_in_a_span(provider)
    provider.force_flush()

    assert spans_at(sentry) == [span]
    assert len(arrived(sentry)) == 1
    assert collector.counts().requests == 0


@WAYS
@pytest.mark.parametrize(
    ("lacking", "words"),
    [
        (
            {"integrations": []},
            "add integrations=[OTLPIntegration(setup_otlp_traces_exporter=False, setup_propagator=False)]",
        ),
        (
            {"integrations": [OTLPIntegration(setup_otlp_traces_exporter=False)]},
            "use integrations=[OTLPIntegration(setup_otlp_traces_exporter=False, setup_propagator=False)]",
        ),
        ({"traces_sample_rate": 1.0}, "take traces_sample_rate and traces_sampler away"),
        ({"traces_sample_rate": 0.0}, "take traces_sample_rate and traces_sampler away"),
        ({"traces_sampler": lambda context: 1.0}, "take traces_sample_rate and traces_sampler away"),
    ],
)
def test_a_client_that_lacks_something_is_one_warning_with_the_line_to_add_and_spans_still_go(
    sentry: FaultyCollector,
    provider: TracerProvider,
    caplog: pytest.LogCaptureFixture,
    wire: Wire,
    lacking: dict[str, Any],
    words: str,
) -> None:
    init_as_the_application(sentry.sentry_dsn, **lacking)

    wire(provider, sentry.sentry_dsn)
    wire(provider, sentry.sentry_dsn)
    span = end_a_span(provider)
    provider.force_flush()

    (line,) = warnings(caplog)
    assert words in line
    assert "sentry_sdk.init" in line
    assert spans_at(sentry) == [span]


@WAYS
def test_a_client_that_exports_itself_gets_no_second_exporter(
    sentry: FaultyCollector,
    provider: TracerProvider,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    wire: Wire,
) -> None:
    """Its exporter is on the global provider, which here stands for the given one."""
    monkeypatch.setattr("sentry_sdk.integrations.otlp.get_tracer_provider", lambda: provider)
    init_as_the_application(sentry.sentry_dsn, integrations=[OTLPIntegration(setup_propagator=False)])

    assert wire(provider, sentry.sentry_dsn) is None
    span = end_a_span(provider)
    provider.force_flush()

    assert spans_at(sentry) == [span]
    (line,) = warnings(caplog)
    assert "without a circuit" in line
    assert "use integrations=[OTLPIntegration(setup_otlp_traces_exporter=False" in line


def test_its_propagator_is_left_alone(sentry: FaultyCollector, provider: TracerProvider) -> None:
    init_as_the_application(
        sentry.sentry_dsn, integrations=[OTLPIntegration(setup_otlp_traces_exporter=False)]
    )
    before = propagate.get_global_textmap()

    connect(provider)

    assert propagate.get_global_textmap() is before


def test_a_client_without_the_instrumenter_gets_no_spans_in_the_mode_span_processor(
    sentry: FaultyCollector, provider: TracerProvider, caplog: pytest.LogCaptureFixture
) -> None:
    sentry_sdk.init(dsn=sentry.sentry_dsn, traces_sample_rate=1.0, **FEW)

    connect(provider, mode=SentryMode.SPAN_PROCESSOR)
    fail_in_a_span(provider)

    (line,) = warnings(caplog)
    assert 'add instrumenter="otel", traces_sample_rate=1.0' in line
    assert len(arrived(sentry)) == 1
    assert arrived(sentry, "transaction") == []


def test_a_client_without_a_rate_gets_no_spans_in_the_mode_span_processor(
    sentry: FaultyCollector, provider: TracerProvider, caplog: pytest.LogCaptureFixture
) -> None:
    sentry_sdk.init(dsn=sentry.sentry_dsn, instrumenter="otel", **FEW)

    connect(provider, mode=SentryMode.SPAN_PROCESSOR)
    span = fail_in_a_span(provider)

    (line,) = warnings(caplog)
    assert 'add instrumenter="otel", traces_sample_rate=1.0' in line
    assert [linked(event) for event in arrived(sentry)] == [span]
    assert arrived(sentry, "transaction") == []


def test_a_client_with_the_instrumenter_is_all_that_the_mode_span_processor_needs(
    sentry: FaultyCollector, provider: TracerProvider, caplog: pytest.LogCaptureFixture
) -> None:
    sentry_sdk.init(dsn=sentry.sentry_dsn, instrumenter="otel", traces_sample_rate=1.0, **FEW)

    connect(provider, mode=SentryMode.SPAN_PROCESSOR)
    span = fail_in_a_span(provider)

    (transaction,) = arrived(sentry, "transaction")
    assert [linked(event) for event in arrived(sentry)] == [linked(transaction)] == [span]
    assert warnings(caplog) == []


def test_where_nothing_was_initialised_an_empty_dsn_makes_no_client_and_one_line_says_what_to_do(
    sentry: FaultyCollector,
    provider: TracerProvider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "breaker_exporter")
    monkeypatch.setenv("SENTRY_DSN", sentry.sentry_dsn)

    assert connect(provider, dsn="") is None

    (line,) = said(caplog, logging.INFO)
    assert "call sentry_sdk.init first" in line
    assert sentry_sdk.get_client().dsn is None


def test_a_client_without_a_dsn_does_not_count(
    sentry: FaultyCollector, provider: TracerProvider, connected: Connected
) -> None:
    sentry_sdk.init(**FEW)
    connected()

    span = fail_in_a_span(provider)

    assert [linked(event) for event in arrived(sentry)] == [span]


def test_a_client_that_was_closed_does_not_count(
    sentry: FaultyCollector, provider: TracerProvider, connected: Connected
) -> None:
    init_as_the_application(sentry.sentry_dsn)
    sentry_sdk.get_client().close()
    connected()

    span = fail_in_a_span(provider)

    assert [linked(event) for event in arrived(sentry)] == [span]
