"""A place without variables of its own, short looks at ports, and a watch on what is found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from breaker_exporter._doctor.declared import declared
from breaker_exporter._doctor.network import collector as asking
from breaker_exporter._doctor.network import protocols, tls
from breaker_exporter._doctor.report import Finding, Report

_ELSEWHERE = (
    *(
        "GUNICORN_CMD_ARGS",
        "KUBERNETES_SERVICE_HOST",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "SSL_CERT_FILE",
    ),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy"),
    *("no_proxy", "grpc_proxy", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "NETRC"),
)


@pytest.fixture(autouse=True)
def _place(no_variables_from_outside: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in _ELSEWHERE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (protocols, tls):
        monkeypatch.setattr(module, "PROBE", 0.2)
    monkeypatch.setattr(asking, "_PATIENCE", (0.3, 15.0))


@pytest.fixture(autouse=True)
def _findings_are_declared(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test finds is declared, and with its level; each finding is made in some test."""
    undeclared: list[str] = []
    add = Report.add

    def watched(report: Report, finding: Finding) -> None:
        check = declared(finding.check)
        if check is None or finding.level not in check.levels:
            undeclared.append(f"{finding.level.value} {finding.check}")
        add(report, finding)

    monkeypatch.setattr(Report, "add", watched)
    yield
    assert undeclared == []
