"""No finding shows a secret, whatever is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from breaker_exporter.testing import Fault, FaultyCollector

from ._findings import STEP, diagnosed

CANARY = "canary5ecret"
IN_QUERY = "canary1nquery"
HEADERS = {"OTEL_EXPORTER_OTLP_HEADERS": f"x-key={CANARY},authorization=Bearer%20{CANARY}"}
PLACES = {
    "well-formed": f"http://user:{CANARY}@127.0.0.1:1/?key={IN_QUERY}",
    "no port": f"http://user:{CANARY}@127.0.0.1:{CANARY}/?key={IN_QUERY}",
    "no scheme": f"user:{CANARY}@127.0.0.1:1?key={IN_QUERY}",
    "slash in it": f"http://user:a/{CANARY}@127.0.0.1:1",
    "query alone": f"http://collector.invalid?{IN_QUERY}",
    "quoted": f"http://user:{CANARY}%20x@127.0.0.1:1",
    "no URL": f"http://[{CANARY}@x?a={IN_QUERY}",
}


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize("place", PLACES)
def test_a_secret_in_a_setting_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str, protocol: str
) -> None:
    environ = {
        **HEADERS,
        "OTEL_EXPORTER_OTLP_ENDPOINT": PLACES[place],
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "SENTRY_DSN": f"http://{CANARY}@127.0.0.1:1/1",
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    Path("gunicorn.conf.py").write_text(f"raise RuntimeError({CANARY!r})\n")

    found = diagnosed(capsys)

    assert found.status == 2
    assert CANARY not in found.text
    assert IN_QUERY not in found.text


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_nor_is_one_that_the_collector_throws_back(collector: FaultyCollector, protocol: str) -> None:
    """Through proxies and redirects and in text, too."""
    is_grpc = protocol == "grpc"
    environ = {
        **os.environ,
        **HEADERS,
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.grpc_endpoint if is_grpc else collector.http_base,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "HTTP_PROXY": "" if is_grpc else f"http://user:{CANARY}@127.0.0.1:1",
        "HTTPS_PROXY": f"http://user:{CANARY}@127.0.0.1:1",
        "SENTRY_DSN": f"https://{CANARY}@sentry.invalid/1",
    }
    collector.set_fault(Fault.STATUS, status=401)
    done = subprocess.run(
        [sys.executable, "-m", "breaker_exporter", "doctor", "--verbose", "--timeout", str(STEP)],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert "Settings in force" in done.stdout
    assert CANARY not in done.stdout + done.stderr
    assert "grpc-unauthenticated" in done.stdout if is_grpc else "proxy-tcp-refused" in done.stdout
