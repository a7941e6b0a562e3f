"""A user's tests with the package and pytest alone: the fakes work, the rest names the extra it needs."""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.metadata import entry_points

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState
from breaker_exporter.sentry import Sentry
from breaker_exporter.telemetry import Telemetry, TelemetryError
from breaker_exporter.testing import FaultyCollector, ManualClock, ScriptedExporter, fail


def test_the_fakes_need_nothing_else() -> None:
    clock = ManualClock()
    exporter = CircuitBreakerSpanExporter(ScriptedExporter([fail]), failure_threshold=1, clock=clock)

    assert exporter.export(()) is SpanExportResult.SUCCESS
    assert exporter.state is CircuitState.CLOSED


def test_the_collector_names_the_extra_that_it_needs() -> None:
    with pytest.raises(RuntimeError, match=r"breaker-exporter\[otlp\]"):
        FaultyCollector().start()


def test_the_fixture_is_there(request: pytest.FixtureRequest) -> None:
    with pytest.raises(RuntimeError, match=r"breaker-exporter\[otlp\]"):
        request.getfixturevalue("faulty_collector")


@pytest.mark.parametrize(("protocol", "extra"), [("http/protobuf", "otlp"), ("grpc", "grpc")])
def test_telemetry_names_the_extra_of_its_protocol(
    monkeypatch: pytest.MonkeyPatch, protocol: str, extra: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    with pytest.raises(TelemetryError, match=rf"breaker-exporter\[{extra}\]"):
        Telemetry(provider=TracerProvider()).start()


def test_the_otlp_exporter_names_its_extra() -> None:
    with pytest.raises(ImportError, match=r"breaker-exporter\[otlp\]"):
        importlib.import_module("breaker_exporter.otlp").CooperativeOTLPSpanExporter  # noqa: B018


@pytest.mark.parametrize(("name", "extra"), [("http", "otlp"), ("grpc", "grpc")])
def test_zero_code_names_the_extra_of_its_exporter(name: str, extra: str) -> None:
    (point,) = entry_points(group="opentelemetry_traces_exporter", name=f"breaker_otlp_proto_{name}")
    with pytest.raises(ImportError, match=rf"breaker-exporter\[{extra}\]"):
        point.load()()


def test_sentry_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    with pytest.raises(TelemetryError, match=r"breaker-exporter\[sentry\]"):
        Telemetry(sentry=Sentry(dsn="http://key@127.0.0.1:1/1"), provider=TracerProvider()).start()


def test_the_demo_names_its_extra() -> None:
    command = [sys.executable, "-m", "breaker_exporter", "demo"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "breaker-exporter[demo]" in done.stderr
