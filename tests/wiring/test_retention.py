"""Retention by variables and by arguments: one for all exporters of a process (K6)."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from breaker_exporter import Retention
from breaker_exporter._base.environment import Environment, TelemetryError
from breaker_exporter._breaker_exporter import BreakerExporter
from breaker_exporter._wiring.settings import Arguments, Settings
from breaker_exporter._zero_code import GRPCSpanExporter, HTTPSpanExporter
from breaker_exporter.sentry import Sentry, connect_sentry
from breaker_exporter.telemetry import Telemetry
from breaker_exporter.testing import Fault, FaultyCollector

MIB = 1 << 20


def settings(environ: dict[str, str], retention: Retention | None = None) -> Settings:
    arguments, environment = Arguments(retention=retention), Environment(environ)
    return arguments.settings(environment, arguments.defaults(environment))


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_16_mib_are_kept_by_default() -> None:
    assert repr(settings({}).retention) == (
        "Retention(memory=16777216, max_age=86400, replay_rate=4, keep='newest')"
    )


def test_each_variable_sets_its_value() -> None:
    found = settings(
        {
            "BREAKER_EXPORTER_RETAIN_MEMORY": "1048576",
            "BREAKER_EXPORTER_RETAIN_MAX_AGE": "90.5",
            "BREAKER_EXPORTER_REPLAY_RATE": "2",
        }
    ).retention

    assert (found.memory, found.max_age, found.replay_rate) == (1_048_576, 90.5, 2.0)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("BREAKER_EXPORTER_RETAIN_MEMORY", "-1", "must be a whole number, 0 or more, not -1"),
        ("BREAKER_EXPORTER_RETAIN_MEMORY", "16M", "must be a whole number, 0 or more, not '16M'"),
        ("BREAKER_EXPORTER_RETAIN_MAX_AGE", "0", "must be a finite number of seconds, above 0, not 0.0"),
        ("BREAKER_EXPORTER_REPLAY_RATE", "0", "must be a finite number above 0, not 0.0"),
        ("BREAKER_EXPORTER_REPLAY_RATE", "inf", "must be a finite number above 0, not inf"),
    ],
)
def test_a_bad_variable_is_one_warning_and_counts_as_unset(
    variable: str, value: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert settings({variable: value}).retention is settings({}).retention

    (line,) = messages(caplog)
    assert line.startswith(f"{variable} {said}; taken as unset (default: ")
    with pytest.raises(TelemetryError, match=variable):
        settings({variable: value, "BREAKER_EXPORTER_STRICT": "1"})


def test_a_retention_given_in_code_wins_over_all_variables() -> None:
    given = Retention(memory=MIB)

    assert settings({"BREAKER_EXPORTER_RETAIN_MAX_AGE": "5"}, given).retention is given


def test_whoever_reads_the_same_variables_shares_one_memory() -> None:
    """Zero code makes an exporter a name, an application may connect Sentry by itself: one budget for all."""
    environ = {"BREAKER_EXPORTER_RETAIN_MEMORY": "123456"}

    assert settings(environ).retention is settings(dict(environ)).retention
    assert settings({}).retention is not settings(environ).retention


@pytest.mark.parametrize("wrong", [16 * MIB, True, "none", Retention])
def test_anything_but_a_retention_is_refused_at_once(wrong: object) -> None:
    with pytest.raises(TypeError, match=r"retention must be a Retention, such as Retention\(memory=0\), not"):
        Telemetry(retention=wrong)  # type: ignore[arg-type]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    caplog.set_level(logging.INFO, logger="breaker_exporter")
    return caplog


def start_and_stop(retention: Retention | None = None) -> None:
    telemetry = Telemetry(
        provider=TracerProvider(resource=Resource({}), shutdown_on_exit=False), retention=retention
    )
    telemetry.start()
    telemetry.stop()


def test_the_line_at_the_start_names_what_is_not_the_default(started: pytest.LogCaptureFixture) -> None:
    """G5."""
    start_and_stop(Retention(memory=MIB, max_age=3600, replay_rate=1.5, keep="oldest"))

    (line,) = (line for line in messages(started) if "telemetry started" in line)
    assert line.endswith(
        "; not the defaults: retention memory 1048576 bytes, retention max_age 3600 s, "
        "retention replay_rate 1.5, retention keep oldest"
    )


OFF = "retention is off, its memory is 0 bytes: spans that a backend cannot take now are lost"


@pytest.mark.parametrize("by", ["variable", "code"])
def test_no_memory_is_no_retention_and_one_line_says_so(
    started: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    if by == "variable":
        monkeypatch.setenv("BREAKER_EXPORTER_RETAIN_MEMORY", "0")
    start_and_stop(Retention(memory=0) if by == "code" else None)

    assert [record.levelname for record in started.records if record.getMessage() == OFF] == ["INFO"]


def test_nothing_is_said_of_retention_where_it_is_on(started: pytest.LogCaptureFixture) -> None:
    start_and_stop()

    assert [line for line in messages(started) if "retention is off" in line] == []


def kept_by(exporters: Iterable[BreakerExporter[Any, Any] | None]) -> list[Retention | None]:
    """The retention of each exporter."""
    custodies = [exporter._guarded.guard.custody for exporter in exporters if exporter is not None]
    return [None if custody is None else custody._settings.retention for custody in custodies]


@pytest.fixture
def by_both(monkeypatch: pytest.MonkeyPatch, collector: FaultyCollector, sentry: FaultyCollector) -> Sentry:
    """Spans go to a collector and to Sentry."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.http_base)
    return Sentry(dsn=sentry.sentry_dsn)


def test_all_exporters_of_a_telemetry_share_one_memory(provider: TracerProvider, by_both: Sentry) -> None:
    """K6: Sentry's too."""
    given = Retention(memory=MIB)
    with Telemetry(provider=provider, sentry=by_both, retention=given) as telemetry:
        assert kept_by(telemetry.exporters) == [given, given]


def test_what_the_application_connects_to_sentry_shares_that_memory(
    provider: TracerProvider, by_both: Sentry
) -> None:
    with Telemetry(provider=provider) as telemetry:
        exporters = [*telemetry.exporters, connect_sentry(provider, by_both)]

        assert kept_by(exporters) == [settings({}).retention] * 2


@pytest.mark.parametrize(("memory", "is_kept"), [("4096", True), ("0", False)])
def test_zero_code_keeps_by_the_same_variables(
    monkeypatch: pytest.MonkeyPatch, collector: FaultyCollector, memory: str, is_kept: bool
) -> None:
    environ = {"BREAKER_EXPORTER_RETAIN_MEMORY": memory}
    for name, value in {**environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.grpc_endpoint}.items():
        monkeypatch.setenv(name, value)
    exporters = [HTTPSpanExporter(), GRPCSpanExporter()]
    for exporter in exporters:
        exporter.make()

    expected = settings(environ).retention if is_kept else None
    assert kept_by(exporter.breaker for exporter in exporters) == [expected] * 2

    for exporter in exporters:
        exporter.shutdown()


def test_a_flush_waits_until_what_was_kept_is_delivered(
    collector: FaultyCollector, provider: TracerProvider
) -> None:
    """K1."""
    telemetry = Telemetry(provider=provider, endpoint=collector.http_base, cooldown=0.2, shutdown_timeout=2)
    with telemetry:
        (exporter,) = telemetry.exporters
        collector.fault = Fault.REFUSE
        provider.get_tracer("tests").start_span("sell").end()
        assert not provider.force_flush(300)
        assert exporter.health().retained == 1

        collector.fault = Fault.NONE
        assert provider.force_flush(20_000)

        assert collector.counts().spans == 1
        assert (exporter.health().exported, exporter.health().retained) == (1, 0)
