"""Variables about Sentry: what they set, what bad ones cause, where the release comes from."""

from __future__ import annotations

import logging

import pytest
import sentry_sdk
from opentelemetry.sdk.trace import TracerProvider

from breaker_exporter.sentry import Sentry, SentryMode
from breaker_exporter.telemetry import Telemetry, TelemetryError
from breaker_exporter.testing import FaultyCollector

from ._sentry import (
    FEW,
    MakeProvider,
    arrived,
    connect,
    end_a_span,
    fail_in_a_span,
    init_as_the_application,
    linked,
    payload,
    said,
    warnings,
)


@pytest.fixture
def dsn(sentry: FaultyCollector, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SENTRY_DSN", sentry.sentry_dsn)
    return sentry.sentry_dsn


def test_the_environment_alone_is_enough(
    sentry: FaultyCollector, provider: TracerProvider, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTRY_ENVIRONMENT", "staging")
    monkeypatch.setenv("SENTRY_RELEASE", "shop@3")
    monkeypatch.setenv("SENTRY_TRACES_SAMPLE_RATE", "0")
    connect(provider, **FEW)

    span = fail_in_a_span(provider)
    provider.force_flush()

    (event,) = arrived(sentry)
    assert linked(event) == span
    assert (payload(event)["environment"], payload(event)["release"]) == ("staging", "shop@3")
    assert sentry.spans_received == 0
    assert sentry_sdk.get_client().options["traces_sample_rate"] is None


def test_arguments_win_over_it_even_over_bad_values(
    sentry: FaultyCollector,
    provider: TracerProvider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("SENTRY_DSN", "nonsense")
    monkeypatch.setenv("SENTRY_ENVIRONMENT", "staging")
    monkeypatch.setenv("SENTRY_RELEASE", "shop@3")
    monkeypatch.setenv("SENTRY_TRACES_SAMPLE_RATE", "many")
    connect(
        provider,
        dsn=sentry.sentry_dsn,
        environment="test",
        release="shop@4",
        traces_sample_rate=1.0,
        **FEW,
    )

    fail_in_a_span(provider)
    provider.force_flush()

    (event,) = arrived(sentry)
    assert (payload(event)["environment"], payload(event)["release"]) == ("test", "shop@4")
    assert sentry.spans_received == 1
    assert warnings(caplog) == []


@pytest.mark.parametrize(
    ("value", "transactions", "spans"),
    [("otlp", 0, 1), ("span_processor", 1, 0), (" OTLP ", 0, 1), ("", 0, 1), ("Span_Processor", 1, 0)],
)
def test_the_mode_is_that_of_the_environment(
    sentry: FaultyCollector,
    provider: TracerProvider,
    dsn: str,
    monkeypatch: pytest.MonkeyPatch,
    value: str,
    transactions: int,
    spans: int,
) -> None:
    monkeypatch.setenv("BREAKER_EXPORTER_SENTRY_MODE", value)
    connect(provider, **FEW)

    end_a_span(provider)
    provider.force_flush()

    assert len(arrived(sentry, "transaction")) == transactions
    assert sentry.spans_received == spans


def test_off_leaves_sentry_alone(
    sentry: FaultyCollector, provider: TracerProvider, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BREAKER_EXPORTER_SENTRY_MODE", "off")

    assert connect(provider) is None
    assert connect(provider, mode=SentryMode.OFF) is None
    assert sentry_sdk.get_client().dsn is None
    init_as_the_application(dsn)
    assert connect(provider) is None
    telemetry = Telemetry(provider=provider, endpoint=sentry.http_base)
    telemetry.start()
    assert [exporter.health().name for exporter in telemetry.exporters] == ["collector"]
    telemetry.stop()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SENTRY_TRACES_SAMPLE_RATE", "many", "must be a number from 0 to 1, not 'many'"),
        ("SENTRY_TRACES_SAMPLE_RATE", "1.5", "must be a number from 0 to 1, not 1.5"),
        ("SENTRY_TRACES_SAMPLE_RATE", "-1", "must be a number from 0 to 1, not -1.0"),
        ("SENTRY_TRACES_SAMPLE_RATE", "nan", "must be a number from 0 to 1, not nan"),
        ("BREAKER_EXPORTER_SENTRY_MODE", "classic", "must be"),
        ("BREAKER_EXPORTER_SENTRY_MODE", "1", "must be"),
    ],
)
def test_a_bad_value_is_one_warning_and_counts_as_unset_and_where_strict_an_error(
    sentry: FaultyCollector,
    provider: TracerProvider,
    make_provider: MakeProvider,
    dsn: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
    value: str,
    words: str,
) -> None:
    monkeypatch.setenv(name, value)
    exporter = connect(provider, **FEW)
    end_a_span(provider)
    provider.force_flush()

    assert exporter is not None
    assert sentry.spans_received == 1
    (line,) = warnings(caplog)
    assert line.startswith(f"{name} {words}")
    assert "taken as unset (default: " in line
    monkeypatch.setenv("BREAKER_EXPORTER_STRICT", "1")
    with pytest.raises(TelemetryError, match=name):
        connect(make_provider(), **FEW)


def test_a_bad_mode_is_one_warning_of_a_telemetry_too(
    sentry: FaultyCollector,
    provider: TracerProvider,
    dsn: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("BREAKER_EXPORTER_SENTRY_MODE", "classic")
    telemetry = Telemetry(provider=provider, endpoint=sentry.http_base, sentry=Sentry(options=FEW))

    telemetry.start()
    names = [exporter.health().name for exporter in telemetry.exporters]
    telemetry.stop()

    assert names == ["collector", "sentry"]
    (line,) = warnings(caplog)
    assert line.startswith("BREAKER_EXPORTER_SENTRY_MODE must be")


@pytest.mark.parametrize("empty", ["", "  "])
def test_with_an_empty_dsn_sentry_is_off_and_one_info_line_says_so(
    provider: TracerProvider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, empty: str
) -> None:
    monkeypatch.setenv("SENTRY_DSN", empty)
    caplog.set_level(logging.INFO, "breaker_exporter")

    assert connect(provider) is None
    assert connect(provider, dsn=empty) is None

    first, second = said(caplog, logging.INFO)
    assert first == second
    assert first.startswith("Sentry is off: there is no DSN")
    assert warnings(caplog) == []
    assert sentry_sdk.get_client().dsn is None


def test_a_mode_without_a_dsn_waits_for_an_application_that_initialises_sentry(
    collector: FaultyCollector,
    provider: TracerProvider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("BREAKER_EXPORTER_SENTRY_MODE", "otlp")
    caplog.set_level(logging.INFO, "breaker_exporter")
    telemetry = Telemetry(provider=provider, endpoint=collector.http_base)

    telemetry.start()
    telemetry.stop()

    assert [line for line in said(caplog, logging.INFO) if line.startswith("Sentry is off: there is no DSN")]
    assert warnings(caplog) == []


def test_an_empty_dsn_in_the_code_wins_over_the_environment(provider: TracerProvider, dsn: str) -> None:
    """As in ``sentry_sdk.init``."""
    assert connect(provider, dsn="", **FEW) is None
    assert sentry_sdk.get_client().dsn is None


def test_the_release_is_the_service_and_its_version(
    sentry: FaultyCollector, dsn: str, make_provider: MakeProvider
) -> None:
    connect(make_provider(service_name="shop", service_version="1.4.2"), **FEW)

    sentry_sdk.capture_message("sold out")

    (event,) = arrived(sentry)
    assert payload(event)["release"] == "shop@1.4.2"


@pytest.mark.parametrize(
    "attributes",
    [
        {"service_name": "shop"},
        {"service_version": "1.4.2"},
        {"service_name": "unknown_service", "service_version": "1.4.2"},
        {"service_name": "unknown_service:gunicorn", "service_version": "1.4.2"},
    ],
)
def test_no_release_is_made_up_where_service_or_version_is_unknown(
    dsn: str, make_provider: MakeProvider, attributes: dict[str, str]
) -> None:
    connect(make_provider(**attributes), **FEW)

    assert "@" not in str(sentry_sdk.get_client().options["release"])
