"""Sentry: DSN, package, and the way to its host."""

from __future__ import annotations

from pathlib import Path

import pytest

from breaker_exporter._doctor import versions as installed
from breaker_exporter._doctor.network import sentry
from breaker_exporter._doctor.report import Report
from breaker_exporter._doctor.settings.given import Given
from breaker_exporter.sentry._settings import Sentry, SentryMode
from breaker_exporter.testing import FaultyCollector

from ..otlp._peer import peer
from ._findings import STEP, bad, in_force
from ._servers import Authority, read_and_close


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is."""
    before = installed._version
    monkeypatch.setattr(installed, "_version", lambda name: "2.60" if name == "sentry-sdk" else before(name))


def looked_at(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], given: Sentry | None = None
) -> Report:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    report = Report(lambda _: None)
    _, force = in_force(environ, Given(sentry=given))
    settings = report.take(sentry.settled(force))
    if settings is not None:
        report.settings.extend(sentry.rows(settings, force))
        report.take(sentry.examine(settings, STEP))
    return report


def test_without_a_dsn_there_is_no_sentry(monkeypatch: pytest.MonkeyPatch) -> None:
    report = looked_at(monkeypatch, {})

    assert [finding.text for finding in report.findings] == ["no Sentry: SENTRY_DSN is not set"]


def test_one_that_is_there_is_well(monkeypatch: pytest.MonkeyPatch, collector: FaultyCollector) -> None:
    report = looked_at(monkeypatch, {"SENTRY_DSN": collector.sentry_dsn, "SENTRY_TRACES_SAMPLE_RATE": "0.5"})

    assert bad(report.findings) == []
    assert [finding.check for finding in report.findings] == ["sentry", "sentry-dns", "sentry-tcp"]
    assert [(each.name, each.source) for each in report.settings] == [
        ("sentry_dsn", "SENTRY_DSN"),
        ("sentry_mode", "default"),
        ("sentry_traces_sample_rate", "SENTRY_TRACES_SAMPLE_RATE"),
        ("sentry_logs", "default"),
    ]


@pytest.mark.parametrize("exporters", ["none", "otlp"])
def test_the_handler_of_log_records_is_looked_at_where_sentry_alone_gets_them(
    monkeypatch: pytest.MonkeyPatch, collector: FaultyCollector, exporters: str
) -> None:
    environ = {
        "SENTRY_DSN": collector.sentry_dsn,
        "BREAKER_EXPORTER_SENTRY_LOGS": "1",
        "OTEL_LOGS_EXPORTER": exporters,
        "OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION": "false",
    }
    report = looked_at(monkeypatch, environ)

    assert ("log-handler" in [finding.check for finding in report.findings]) is (exporters == "none")
    assert str(report.settings[0].value).startswith("http://***@127.0.0.1:")
    assert collector.counts().requests == 0


@pytest.mark.parametrize(
    "dsn",
    [
        "https://canary5ecret.example.org/1",
        "https://canary5ecret@example.org",
        "canary5ecret",
        '"https://canary5ecret@example.org/1"',
        "ftp://canary5ecret@example.org/1",
        "https://canary5ecret@/1",
        "https://canary5ecret@example.org:port/1",
        "https://canary5ecret\N{WORD JOINER}@example.org/1",
    ],
)
def test_a_dsn_that_is_none(monkeypatch: pytest.MonkeyPatch, dsn: str) -> None:
    report = looked_at(monkeypatch, {"SENTRY_DSN": dsn})

    assert bad(report.findings) == ["broken sentry-dsn"]
    assert "canary5ecret" not in str(report.as_json())


def test_a_host_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    report = looked_at(monkeypatch, {"SENTRY_DSN": "http://key@127.0.0.1:1/1"})
    assert bad(report.findings) == ["broken sentry-tcp-refused"]

    with peer(read_and_close, tls=Authority(tmp_path).context()) as port:
        report = looked_at(monkeypatch, {"SENTRY_DSN": f"https://key@127.0.0.1:{port}/1"})
    assert bad(report.findings) == ["broken sentry-tls-unknown-authority"]
    assert "OTEL_" not in report.findings[-1].advice


def test_a_package_that_is_missing_or_too_old(
    monkeypatch: pytest.MonkeyPatch, collector: FaultyCollector
) -> None:
    monkeypatch.setattr(installed, "_version", lambda _: None)
    report = looked_at(monkeypatch, {"SENTRY_DSN": collector.sentry_dsn})
    assert bad(report.findings) == ["broken package-missing"]
    assert "breaker-exporter[sentry]" in report.findings[1].advice + report.findings[0].advice

    monkeypatch.setattr(installed, "_version", lambda _: "2.1.0")
    assert bad(looked_at(monkeypatch, {}).findings) == ["broken package-too-old"]


def test_a_mode_and_a_rate_that_are_none(monkeypatch: pytest.MonkeyPatch, collector: FaultyCollector) -> None:
    wrong = {"BREAKER_EXPORTER_SENTRY_MODE": "spans", "SENTRY_TRACES_SAMPLE_RATE": "10"}
    report = looked_at(monkeypatch, {"SENTRY_DSN": collector.sentry_dsn, **wrong})
    assert bad(report.findings) == ["warning variable", "warning variable"]

    report = looked_at(
        monkeypatch, {"SENTRY_DSN": collector.sentry_dsn, **wrong, "BREAKER_EXPORTER_STRICT": "1"}
    )
    assert bad(report.findings) == ["broken variable", "broken variable"]


def test_switched_off_and_attached(monkeypatch: pytest.MonkeyPatch) -> None:
    off = looked_at(monkeypatch, {}, Sentry(dsn="http://key@127.0.0.1:1/1", mode=SentryMode.OFF))
    attached = looked_at(monkeypatch, {"BREAKER_EXPORTER_SENTRY_MODE": "otlp"})

    assert [finding.text for finding in off.findings] == ["Sentry is left alone: its mode is off"]
    assert bad(attached.findings) == []
    assert attached.settings[0].value is None


def test_a_proxy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    dsn = {"SENTRY_DSN": "https://key@o0.ingest.example.org/1"}

    assert bad(looked_at(monkeypatch, dsn).findings) == ["broken proxy-tcp-refused"]
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert bad(looked_at(monkeypatch, {"SENTRY_DSN": "https://key@127.0.0.1:1/1"}).findings) == [
        "broken sentry-tcp-refused"
    ]
