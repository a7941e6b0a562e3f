"""Packages that speak OTLP: missing, or there and broken, is told with the true cause."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider

from breaker_exporter.otlp import _packages as packages
from breaker_exporter.otlp._settings import Protocol
from breaker_exporter.telemetry import Telemetry

from ._installed import install

OLD_PROTOBUF = 'raise TypeError("Descriptors cannot be created directly. Regenerate your protos.")'
BROKEN = {
    "ImportError": "raise ImportError(\"cannot import name 'runtime_version' from 'google.protobuf'\")",
    "TypeError": OLD_PROTOBUF,
    "ModuleNotFoundError": "import nothing_of_that_name",
}
START = """
import logging
logging.basicConfig(format="%(message)s", level=logging.WARNING)
from breaker_exporter._zero_code import GRPCSpanExporter, HTTPSpanExporter
from breaker_exporter.telemetry import Telemetry
telemetry = Telemetry(protocol={protocol!r})
telemetry.start()
telemetry.stop()
zero_code = {{"grpc": GRPCSpanExporter, "http/protobuf": HTTPSpanExporter}}[{protocol!r}]()
zero_code.export([object()])
"""


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    ours = [record for record in caplog.records if record.name == "breaker_exporter"]
    return [record.getMessage() for record in ours if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_package_that_is_there_and_broken_is_told_with_its_cause(
    tmp_path: Path, protocol: Protocol, kind: str
) -> None:
    for module in ("grpc", "requests"):
        (tmp_path / f"{module}.py").write_text(BROKEN[kind])
    done = subprocess.run(
        [sys.executable, "-c", START.format(protocol=protocol)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    first, second = [line for line in done.stderr.splitlines() if line.startswith("no spans go to")]
    for warning in (first, second):
        assert f"{packages.package_of(protocol)} " in warning
        assert "is installed and cannot be imported" in warning
        assert f"{kind}: " in warning
        assert "missing" not in warning


def test_an_exporter_of_others_that_cannot_be_imported_is_told_with_its_cause(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    provider: TracerProvider,
) -> None:
    install(tmp_path, monkeypatch, "opentelemetry_traces_exporter", "theirs", OLD_PROTOBUF)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "theirs")
    telemetry = Telemetry(provider=provider)
    telemetry.start()
    telemetry.stop()

    (warning,) = warnings(caplog)
    assert "no spans go to 'theirs'" in warning
    assert "TypeError: Descriptors cannot be created directly" in warning


@pytest.mark.parametrize("kind", BROKEN)
def test_the_exporter_itself_tells_why_it_cannot_be_imported(tmp_path: Path, kind: str) -> None:
    (tmp_path / "requests.py").write_text(BROKEN[kind])
    done = subprocess.run(
        [sys.executable, "-c", "from breaker_exporter.otlp import CooperativeOTLPSpanExporter"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: opentelemetry-exporter-otlp-proto-http ")
    assert 'pip install "breaker-exporter[otlp]"' in last
    assert f"{kind}: " in last
