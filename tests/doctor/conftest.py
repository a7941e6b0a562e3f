"""A place without variables and configuration of its own, and short looks at what else a port may speak."""

from __future__ import annotations

from pathlib import Path

import pytest

from breaker_exporter._doctor.network import collector as asking
from breaker_exporter._doctor.network import protocols, tls

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
