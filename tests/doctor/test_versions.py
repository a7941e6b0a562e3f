"""The installed versions, compared with those that this package declares."""

from __future__ import annotations

from importlib import metadata

import pytest

from breaker_exporter._doctor import versions
from breaker_exporter._doctor.report import Report
from breaker_exporter.testing import FaultyCollector

from ..otlp._peer import peer
from ._findings import asked, bad, taken
from ._servers import read_and_close


def fake(monkeypatch: pytest.MonkeyPatch, **found: str | None) -> None:
    given = {name.replace("_", "-"): version for name, version in found.items()}
    before = versions._version
    monkeypatch.setattr(versions, "_version", lambda name: given[name] if name in given else before(name))


def test_what_is_here_is_listed() -> None:
    report = Report(lambda _: None)
    report.take(versions.look(report))

    assert bad(report.findings) == []
    assert report.versions["opentelemetry-sdk"] == metadata.version("opentelemetry-sdk")
    assert {"python", "platform", "gevent", "gunicorn", "sentry-sdk", "grpcio"} <= report.versions.keys()
    assert "opentelemetry-sdk" in report.findings[0].text


def test_the_minimums_are_those_of_the_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    found = versions.minimums()
    assert found["opentelemetry-sdk"] == "1.39"
    assert found["sentry-sdk"] == "2.48"
    assert found["gunicorn"] == "23.0"  # declared as gunicorn[gevent]

    def missing(_: str) -> list[str]:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "requires", missing)
    assert versions.minimums() == {}


def test_the_newest_python_is_that_of_the_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    assert versions.newest_python() == "3.15"

    def missing(_: str) -> None:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "metadata", missing)
    assert versions.newest_python() is None


def test_too_old_missing_mixed_and_too_new_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    report = Report(lambda _: None)
    fake(monkeypatch, pybreaker="1.3.9", opentelemetry_api="1.38.0", gevent=None)
    monkeypatch.setattr(versions, "newest_python", lambda: "3.9")
    report.take(versions.look(report))

    assert bad(report.findings) == ["broken package-too-old", "warning packages-mixed"]
    assert "python-untested" in [finding.check for finding in report.findings]
    assert report.versions["gevent"] is None


@pytest.mark.parametrize(("version", "number"), [("1.45.2", (1, 45, 2)), ("2.0rc1+local.7", (2, 0, 1))])
def test_a_version_is_compared_by_its_numbers(version: str, number: tuple[int, ...]) -> None:
    assert versions.number(version) == number


def test_without_the_exporter_all_steps_before_the_request_are_taken(
    monkeypatch: pytest.MonkeyPatch, collector: FaultyCollector
) -> None:
    fake(
        monkeypatch,
        opentelemetry_exporter_otlp_proto_http=None,
        grpcio=None,
    )
    with peer(read_and_close) as port:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}
        findings = asked(environ)
        by_grpc = asked({**environ, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
    greeted = asked(
        {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.grpc_endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    )
    assert [finding.check for finding in greeted] == ["package-missing", "dns", "tcp", "http2"]
    refused = asked({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})

    assert bad(findings) == ["broken package-missing"]
    assert [finding.check for finding in findings] == ["package-missing", "dns", "tcp"]
    assert 'pip install "breaker-exporter[otlp]"' in findings[0].advice
    assert bad(by_grpc) == ["broken package-missing", "broken otlp-no-answer"]
    assert bad(refused) == ["broken package-missing", "broken tcp-refused"]


def test_one_that_is_installed_may_be_of_no_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(versions._MODULES, "urllib3", "nowhere_at_all")
    findings = taken(versions.check(["urllib3"]))

    assert bad(findings) == ["broken package-unusable"]
    assert "No module named 'nowhere_at_all'" in findings[0].text


def test_what_is_not_installed_has_no_version() -> None:
    assert versions._version("no-such-distribution") is None


def test_with_an_exporter_missing_of_those_in_use_the_others_are_asked() -> None:
    assert taken(versions.check([])) == []
