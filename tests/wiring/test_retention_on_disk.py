"""Retention on disk by variables: Telemetry, hooks, zero code, Sentry, and exporters of others (K7, K15)."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from breaker_exporter import Retention
from breaker_exporter._concurrency import disk_job
from breaker_exporter._spool.spool import Spool
from breaker_exporter.sentry import Sentry
from breaker_exporter.telemetry import Telemetry, TelemetryError
from breaker_exporter.testing import Fault, FaultyCollector

from .._gunicorn import GunicornService
from ..semantics._waiting import Gate, until

INSTRUMENT = Path(sys.executable).with_name("opentelemetry-instrument")


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory that the variable names."""
    directory = tmp_path / "kept"
    directory.mkdir(mode=0o700)
    monkeypatch.setenv("BREAKER_EXPORTER_RETAIN_DIRECTORY", str(directory))
    return directory


@pytest.fixture
def named() -> Iterator[TracerProvider]:
    provider = TracerProvider(
        resource=Resource({"service.name": "till", "service.namespace": "shop"}), shutdown_on_exit=False
    )
    yield provider
    provider.shutdown()


def batches_in(directory: Path) -> list[Path]:
    return sorted(directory.rglob("*.batch"))


def lines(caplog: pytest.LogCaptureFixture, text: str) -> list[logging.LogRecord]:
    return [record for record in caplog.records if text in record.getMessage()]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_what_a_stop_leaves_the_next_start_delivers(
    collector: FaultyCollector,
    kept: Path,
    named: TracerProvider,
    monkeypatch: pytest.MonkeyPatch,
    protocol: str,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    endpoint = collector.grpc_endpoint if protocol == "grpc" else collector.http_base
    collector.fault = Fault.REFUSE
    telemetry = Telemetry(provider=named, endpoint=endpoint, shutdown_timeout=3)
    telemetry.start()
    (exporter,) = telemetry.exporters
    for _ in range(5):
        named.get_tracer("tests").start_span("sell").end()
    telemetry.stop()
    health = exporter.health()
    assert (health.spooled, health.dropped) == (5, 0)
    assert [file.parts[len(kept.parts)] for file in batches_in(kept)] == ["shop%2Ftill"]
    collector.fault = Fault.NONE

    telemetry.start()

    until(lambda: collector.counts().spans == 5)
    until(lambda: batches_in(kept) == [])
    (exporter,) = telemetry.exporters
    until(lambda: exporter.health().recovered == 5)
    telemetry.stop()


def test_a_healthy_start_and_stop_writes_nothing(
    collector: FaultyCollector, kept: Path, named: TracerProvider
) -> None:
    with Telemetry(provider=named, endpoint=collector.http_base):
        named.get_tracer("tests").start_span("sell").end()

    assert collector.counts().spans == 1
    assert list(kept.iterdir()) == []


def test_a_directory_that_cannot_be_used_is_one_warning_at_the_start(
    collector: FaultyCollector, kept: Path, named: TracerProvider, caplog: pytest.LogCaptureFixture
) -> None:
    kept.chmod(0o777)
    with Telemetry(provider=named, endpoint=collector.http_base):
        until(lambda: lines(caplog, "in memory alone"))
        named.get_tracer("tests").start_span("sell").end()

    (line,) = lines(caplog, "in memory alone")
    assert line.levelno == logging.WARNING
    assert "chmod o-w" in line.getMessage()
    assert collector.counts().spans == 1


@pytest.mark.parametrize("wrong", ["mode", "file", "missing"])
def test_where_strict_a_directory_that_cannot_be_used_is_fatal(
    collector: FaultyCollector,
    kept: Path,
    named: TracerProvider,
    monkeypatch: pytest.MonkeyPatch,
    wrong: str,
) -> None:
    if wrong == "mode":
        kept.chmod(0o777)
    else:
        kept.rmdir()
        if wrong == "file":
            kept.touch()
        else:
            monkeypatch.setenv("BREAKER_EXPORTER_RETAIN_DIRECTORY", str(kept / "deeper"))
    monkeypatch.setenv("BREAKER_EXPORTER_STRICT", "1")
    telemetry = Telemetry(provider=named, endpoint=collector.http_base)

    with pytest.raises(TelemetryError, match="cannot be used") as raised:
        telemetry.start()

    assert "\n" not in str(raised.value)
    assert telemetry.exporters == ()
    if wrong == "mode":  # mended, it starts
        kept.chmod(0o700)
        telemetry.start()
        assert list(kept.iterdir())
        telemetry.stop()


def test_where_strict_a_disk_that_hangs_at_the_start_is_fatal_in_time(
    collector: FaultyCollector, kept: Path, named: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, real = Gate(), Spool.open
    entered: list[bool] = []
    ended: list[bool] = []

    def hanging(spool: Spool) -> None:
        entered.append(True)
        gate.wait()
        try:
            real(spool)
        finally:
            ended.append(True)

    from breaker_exporter._core import disk_backlog

    monkeypatch.setattr(Spool, "open", hanging)
    monkeypatch.setattr(disk_backlog, "_OPENS_WITHIN", 0.2)
    monkeypatch.setattr(disk_job, "LIMIT", 0.1)
    monkeypatch.setenv("BREAKER_EXPORTER_STRICT", "1")
    telemetry = Telemetry(provider=named, endpoint=collector.http_base)

    with pytest.raises(TelemetryError, match="the disk does not answer"):
        telemetry.start()

    assert telemetry.exporters == ()
    gate.open()
    until(lambda: len(entered) == len(ended))


def test_exporters_of_others_keep_in_memory_alone(
    kept: Path, named: TracerProvider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """K15."""
    caplog.set_level(logging.INFO, logger="breaker_exporter")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    with Telemetry(provider=named) as telemetry:
        (exporter,) = telemetry.exporters
        custody = exporter._guarded.guard.custody
        assert custody is not None
        assert custody._settings.retention.directory is None

    (line,) = lines(caplog, "in memory alone, not on disk")
    assert line.levelno == logging.INFO
    assert list(kept.iterdir()) == []


def test_sentry_s_exporter_keeps_in_memory_alone(
    kept: Path, named: TracerProvider, sentry: FaultyCollector, collector: FaultyCollector
) -> None:
    """K15: a 429 is final by its protocol, and no spool is asked for."""
    given = Retention(directory=kept)
    telemetry = Telemetry(
        provider=named, endpoint=collector.http_base, sentry=Sentry(dsn=sentry.sentry_dsn), retention=given
    )
    with telemetry:
        kept_by = [exporter._guarded.guard.custody for exporter in telemetry.exporters]
        assert [custody and custody._settings.retention.directory for custody in kept_by] == [str(kept), None]
        budgets = {id(custody._settings.retention.budget) for custody in kept_by if custody}
        assert len(budgets) == 1


APP = """
import os
from opentelemetry import trace

def app(environ, start_response):
    with trace.get_tracer("app").start_as_current_span("sell"):
        pass
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"""
HOOKS = "from breaker_exporter.gunicorn import *\n"


def opened_below(pid: int, directory: Path) -> list[str]:
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(os.readlink(entry))
        except FileNotFoundError:
            continue
    return [path for path in found if path.startswith(str(directory))]


def gunicorn(collector: FaultyCollector, kept: Path, by: str) -> GunicornService:
    """One gevent worker, whose collector refuses."""
    env = {
        "BREAKER_EXPORTER_RETAIN_DIRECTORY": str(kept),
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base,
        "OTEL_SERVICE_NAME": "till",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "BREAKER_EXPORTER_FAILURE_THRESHOLD": "1",
        "BREAKER_EXPORTER_COOLDOWN": "0.5",
    }
    if by == "hooks":
        return GunicornService(APP, conf=HOOKS, env=env, args=["-k", "gevent", "--preload"])
    env |= {
        "OTEL_TRACES_EXPORTER": "breaker_otlp_proto_http",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH": "patch_all",
    }
    command = [str(INSTRUMENT), sys.executable, "-m", "gunicorn"]
    return GunicornService(APP, command=command, env=env, args=["-k", "gevent", "--preload"])


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks into /proc")
@pytest.mark.parametrize("by", ["hooks", "zero code"])
def test_a_killed_worker_s_spans_are_delivered_by_the_next_and_the_arbiter_opens_nothing(
    collector: FaultyCollector, kept: Path, by: str
) -> None:
    """K11, P8."""
    if by == "zero code" and not INSTRUMENT.exists():
        pytest.skip("needs the group services")
    collector.fault = Fault.REFUSE
    with gunicorn(collector, kept, by) as service:
        worker = int(service.get())
        service.get()
        until(lambda: batches_in(kept))
        assert opened_below(worker, kept)
        assert opened_below(service.pid, kept) == []
        os.kill(worker, signal.SIGKILL)
        until(lambda: service.boots == 2)
        collector.fault = Fault.NONE
        until(lambda: service.get() != str(worker))

        until(lambda: collector.counts().spans >= 2)
        until(lambda: batches_in(kept) == [])
        assert opened_below(service.pid, kept) == []
        service.terminate()
