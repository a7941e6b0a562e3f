"""Telemetry in one process: what it starts, what it is made of, what it leaves when it stops."""

from __future__ import annotations

import http.server
import logging
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import grpc
import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from breaker_exporter import CircuitState, CircuitTransition, Retention
from breaker_exporter._concurrency.state_lock import new_state_lock
from breaker_exporter.telemetry import Telemetry, TelemetryError
from breaker_exporter.testing import Fault, FaultyCollector

from ..semantics._waiting import PATIENCE
from ._installed import install


def end_a_span(provider: TracerProvider) -> str:
    with provider.get_tracer("tests").start_as_current_span("sell") as span:
        return f"{span.get_span_context().span_id:016x}"


def batch_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if "Otel" in thread.name]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    ours = [record for record in caplog.records if record.name == "breaker_exporter"]
    return [record.getMessage() for record in ours if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_spans_arrive_by_either_protocol_and_are_flushed_by_stop(
    collector: FaultyCollector, provider: TracerProvider, protocol: str
) -> None:
    endpoint = collector.grpc_endpoint if protocol == "grpc" else collector.http_base
    telemetry = Telemetry(provider=provider, endpoint=endpoint, protocol=protocol)  # type: ignore[arg-type]

    telemetry.start()
    (exporter,) = telemetry.exporters
    sent = end_a_span(provider)
    telemetry.stop()

    assert collector.span_ids == {sent}
    assert collector.duplicates == 0
    assert exporter.health().name == "collector"
    assert exporter.health().exported == 1


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_the_environment_alone_names_the_destination(
    collector: FaultyCollector, provider: TracerProvider, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    endpoint = collector.grpc_endpoint if protocol == "grpc" else collector.http_base
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    telemetry = Telemetry(provider=provider)

    telemetry.start()
    sent = end_a_span(provider)
    telemetry.stop()

    assert collector.span_ids == {sent}


def test_a_second_call_does_nothing(collector: FaultyCollector, provider: TracerProvider) -> None:
    telemetry = Telemetry(provider=provider, endpoint=collector.http_base)

    telemetry.prepare()
    telemetry.prepare()
    assert telemetry.exporters == ()
    telemetry.start()
    exporters = telemetry.exporters
    telemetry.start()
    assert telemetry.exporters == exporters
    sent = end_a_span(provider)
    telemetry.stop()
    telemetry.stop()

    assert telemetry.exporters == ()
    assert collector.span_ids == {sent}
    assert collector.duplicates == 0


def test_a_stopped_telemetry_starts_anew(collector: FaultyCollector, provider: TracerProvider) -> None:
    telemetry = Telemetry(provider=provider, endpoint=collector.http_base)
    telemetry.start()
    first = end_a_span(provider)
    telemetry.stop()
    end_a_span(provider)  # nobody's

    telemetry.start()
    second = end_a_span(provider)
    telemetry.stop()

    assert collector.span_ids == {first, second}
    assert collector.duplicates == 0


def test_a_given_provider_stays_usable_and_the_global_one_untouched(
    collector: FaultyCollector, provider: TracerProvider
) -> None:
    telemetry = Telemetry(provider=provider, endpoint=collector.http_base)
    telemetry.start()
    assert telemetry.provider is provider
    telemetry.stop()

    other = Telemetry(provider=provider, endpoint=collector.http_base)
    other.start()
    sent = end_a_span(provider)
    other.stop()

    assert collector.span_ids == {sent}


def test_the_providers_own_flush_and_shutdown_reach_the_exporters(
    collector: FaultyCollector, provider: TracerProvider
) -> None:
    telemetry = Telemetry(provider=provider, endpoint=collector.http_base)
    telemetry.start()

    first = end_a_span(provider)
    assert provider.force_flush()
    assert collector.span_ids == {first}
    second = end_a_span(provider)
    provider.shutdown()
    assert collector.span_ids == {first, second}

    telemetry.stop()


def test_stop_returns_in_time_while_the_collector_is_silent(
    collector: FaultyCollector, provider: TracerProvider
) -> None:
    """S4, S5."""
    telemetry = Telemetry(provider=provider, endpoint=collector.http_base, shutdown_timeout=0.4, timeout=60.0)
    telemetry.start()
    (exporter,) = telemetry.exporters
    end_a_span(provider)
    collector.fault = Fault.BLACKHOLE

    started = time.monotonic()
    telemetry.stop()

    assert time.monotonic() - started < PATIENCE
    health = exporter.health()
    assert (health.failed + health.refused + health.dropped, health.in_flight) == (1, 0)


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan"), 0.3, "soon"])
def test_stop_never_raises_whatever_it_is_given(
    collector: FaultyCollector, provider: TracerProvider, timeout: float
) -> None:
    telemetry = Telemetry(provider=provider, endpoint=collector.http_base, shutdown_timeout=0.3, timeout=60.0)
    telemetry.start()
    collector.fault = Fault.BLACKHOLE
    end_a_span(provider)

    started = time.monotonic()
    telemetry.stop(timeout)

    assert time.monotonic() - started < PATIENCE


@pytest.mark.parametrize("timeout", [60, float("inf")])
def test_stop_returns_as_soon_as_all_is_delivered(
    collector: FaultyCollector, provider: TracerProvider, timeout: float
) -> None:
    telemetry = Telemetry(provider=provider, endpoint=collector.http_base)
    telemetry.start()
    sent = end_a_span(provider)

    started = time.monotonic()
    telemetry.stop(timeout)

    assert time.monotonic() - started < PATIENCE
    assert collector.span_ids == {sent}


def test_stop_before_start_does_nothing(provider: TracerProvider) -> None:
    telemetry = Telemetry(provider=provider)
    telemetry.stop()
    telemetry.prepare()
    telemetry.stop()

    assert telemetry.exporters == ()


def test_listeners_and_thresholds_reach_the_circuit(
    collector: FaultyCollector, provider: TracerProvider
) -> None:
    seen: list[CircuitTransition] = []
    telemetry = Telemetry(
        provider=provider,
        endpoint=collector.http_base,
        failure_threshold=1,
        cooldown=40.0,
        listeners=[seen.append],
    )
    telemetry.start()
    collector.set_fault(Fault.STATUS, status=500)
    end_a_span(provider)
    provider.force_flush()

    assert telemetry.exporters[0].state is CircuitState.OPEN
    assert [(change.name, change.new, change.cooldown) for change in seen] == [
        ("collector", CircuitState.OPEN, 40.0)
    ]
    telemetry.stop()


class Listening(http.server.BaseHTTPRequestHandler):
    """Answers every post, and keeps what was posted where."""

    posts: ClassVar[list[tuple[str, str | None]]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.posts.append((self.path, self.headers["X-Api-Key"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Not to stderr."""


def test_path_and_headers_from_the_code_are_sent(provider: TracerProvider) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), Listening) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}/tenant"
        telemetry = Telemetry(provider=provider, endpoint=endpoint, headers={"X-Api-Key": "s3cret"})
        telemetry.start()
        end_a_span(provider)
        telemetry.stop()
        server.shutdown()

    assert Listening.posts == [("/tenant/v1/traces", "s3cret")]


class Overhearing(grpc.GenericRpcHandler):
    """Serves nothing, and keeps what came with each call."""

    def __init__(self) -> None:
        self.metadata: dict[str, str | bytes] = {}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> None:
        self.metadata.update(dict(handler_call_details.invocation_metadata))


def test_headers_are_sent_by_grpc_in_lower_case(provider: TracerProvider) -> None:
    overhearing = Overhearing()
    server = grpc.server(ThreadPoolExecutor(1), handlers=[overhearing])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    telemetry = Telemetry(
        provider=provider,
        endpoint=f"http://127.0.0.1:{port}",
        protocol="grpc",
        headers={"X-Api-Key": "s3cret"},
    )
    telemetry.start()
    end_a_span(provider)
    telemetry.stop()
    server.stop(None)

    assert overhearing.metadata["x-api-key"] == "s3cret"


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_the_otlp_timeout_ends_a_call_before_it_counts_as_hung(
    collector: FaultyCollector, provider: TracerProvider, protocol: str
) -> None:
    collector.fault = Fault.BLACKHOLE
    endpoint = collector.grpc_endpoint if protocol == "grpc" else collector.http_base
    telemetry = Telemetry(
        provider=provider,
        endpoint=endpoint,
        protocol=protocol,  # type: ignore[arg-type]
        timeout=0.2,
        export_timeout=30.0,
        shutdown_timeout=0.2,
        retention=Retention(memory=0),
    )
    telemetry.start()
    (exporter,) = telemetry.exporters
    end_a_span(provider)

    started = time.monotonic()
    provider.force_flush()

    assert time.monotonic() - started < PATIENCE
    assert (exporter.health().failed, exporter.health().hung_calls) == (1, 0)
    assert exporter.state is CircuitState.CLOSED
    telemetry.stop()


def test_an_answer_that_drips_ends_at_the_otlp_timeout_and_no_call_hangs(
    collector: FaultyCollector, provider: TracerProvider
) -> None:
    """A byte every now and then resets the timeout of requests; ours holds for the whole call."""
    collector.set_fault(Fault.DRIP, interval=0.1)
    telemetry = Telemetry(
        provider=provider,
        endpoint=collector.http_base,
        timeout=0.3,
        export_timeout=30.0,
        shutdown_timeout=0.2,
        retention=Retention(memory=0),
    )
    telemetry.start()
    (exporter,) = telemetry.exporters
    end_a_span(provider)

    started = time.monotonic()
    provider.force_flush()

    assert time.monotonic() - started < PATIENCE
    assert (exporter.health().failed, exporter.health().hung_calls) == (1, 0)
    telemetry.stop()


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("none", []),
        ("console", ["console"]),
        ("otlp,console", ["collector", "console"]),
        ("otlp,none", []),
        ("otlp_proto_grpc", ["collector"]),
    ],
)
def test_the_exporters_are_those_that_the_environment_names(
    provider: TracerProvider, monkeypatch: pytest.MonkeyPatch, value: str, names: list[str]
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", value)
    telemetry = Telemetry(provider=provider, endpoint="http://127.0.0.1:9", shutdown_timeout=1.0)

    telemetry.start()
    started = [exporter.health().name for exporter in telemetry.exporters]
    running = len(batch_threads())
    telemetry.stop()

    assert started == names
    assert running == len(names)
    assert batch_threads() == []


@pytest.mark.parametrize(("value", "names"), [("zipkin", ["collector"]), ("console,otpl", ["console"])])
def test_an_exporter_that_is_not_installed_is_left_out(
    provider: TracerProvider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    value: str,
    names: list[str],
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", value)
    telemetry = Telemetry(provider=provider)
    telemetry.start()
    started = [exporter.health().name for exporter in telemetry.exporters]
    telemetry.stop()

    assert started == names
    (warning,) = warnings(caplog)
    assert "OTEL_TRACES_EXPORTER must be none, or a list of otlp, console" in warning


@pytest.mark.parametrize(("protocol", "extra"), [("http/protobuf", "otlp"), ("grpc", "grpc")])
def test_a_missing_package_is_one_warning_with_the_command_that_mends_it(
    provider: TracerProvider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    protocol: str,
    extra: str,
) -> None:
    needs_it = {"grpc": "_grpc_spans", "otlp": "_http_spans"}
    monkeypatch.setitem(sys.modules, f"breaker_exporter.otlp.{needs_it[extra]}", None)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp,console")
    telemetry = Telemetry(provider=provider, protocol=protocol)  # type: ignore[arg-type]

    telemetry.start()
    started = [exporter.health().name for exporter in telemetry.exporters]
    telemetry.stop()

    assert started == ["console"]
    (warning,) = warnings(caplog)
    assert f'pip install "breaker-exporter[{extra}]"' in warning


def test_variables_on_which_opentelemetry_would_raise_leave_telemetry_running(
    collector: FaultyCollector,
    provider: TracerProvider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "soon")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")
    telemetry = Telemetry(provider=provider, endpoint=collector.grpc_endpoint, protocol="grpc")

    telemetry.start()
    sent = end_a_span(provider)
    telemetry.stop()

    assert collector.span_ids == {sent}
    assert len(warnings(caplog)) == 2
    assert not [record for record in caplog.records if record.levelno > logging.WARNING]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_certificate_that_cannot_be_read_does_not_keep_it_from_starting(
    provider: TracerProvider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, protocol: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file.pem")
    telemetry = Telemetry(
        provider=provider,
        endpoint="https://127.0.0.1:9",
        protocol=protocol,  # type: ignore[arg-type]
        shutdown_timeout=0.5,
    )

    telemetry.start()
    assert telemetry.exporters
    end_a_span(provider)
    telemetry.stop()

    assert (
        "OTEL_EXPORTER_OTLP_CERTIFICATE must be a readable file in PEM format, not '/no/such/file.pem'"
        in warnings(caplog)[0]
    )


def test_bsp_variables_keep_their_meaning(
    collector: FaultyCollector, provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "40")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")
    telemetry = Telemetry(provider=provider, endpoint=collector.http_base)
    telemetry.start()
    for _ in range(6):
        end_a_span(provider)
    telemetry.stop()

    assert collector.spans_received == 6
    assert collector.counts().requests >= 3


def test_disabled_means_no_thread_no_processor_no_provider(
    provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    before = threading.enumerate()
    telemetry = Telemetry(provider=provider)

    telemetry.start()
    end_a_span(provider)
    telemetry.stop()

    assert telemetry.provider is None
    assert telemetry.exporters == ()
    assert threading.enumerate() == before


def test_strict_raises_what_would_have_been_a_warning(
    provider: TracerProvider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("BREAKER_EXPORTER_STRICT", "1")
    monkeypatch.setenv("BREAKER_EXPORTER_COOLDOWN", "soon")
    telemetry = Telemetry(provider=provider)

    telemetry.prepare()
    with pytest.raises(TelemetryError, match="BREAKER_EXPORTER_COOLDOWN must be a finite number"):
        telemetry.start()
    telemetry.stop()

    assert warnings(caplog) == []


def test_strict_is_about_the_exporters_too(provider: TracerProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKER_EXPORTER_STRICT", "1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "zip")

    with pytest.raises(TelemetryError, match=r"^OTEL_EXPORTER_OTLP_COMPRESSION must be one of"):
        Telemetry(provider=provider).start()


def test_an_exporter_that_cannot_be_made_is_left_out(
    provider: TracerProvider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    install(tmp_path, monkeypatch, "opentelemetry_traces_exporter", "broken", "make = [].pop")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "broken,console")
    telemetry = Telemetry(provider=provider)
    telemetry.start()
    started = [exporter.health().name for exporter in telemetry.exporters]
    telemetry.stop()

    assert started == ["console"]
    (warning,) = warnings(caplog)
    assert "no spans go to 'broken': IndexError" in warning


class Unhelpful(TracerProvider):
    def add_span_processor(self, span_processor: object) -> None:
        raise RuntimeError("token s3cret is wrong")


def test_any_failure_while_starting_is_a_warning_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    telemetry = Telemetry(provider=Unhelpful(resource=Resource({}), shutdown_on_exit=False))

    telemetry.start()
    telemetry.stop()

    (warning,) = warnings(caplog)
    assert "telemetry is off: RuntimeError in" in warning
    assert "test_telemetry.py" in warning
    assert "s3cret" not in warning


def test_where_strict_any_failure_while_starting_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKER_EXPORTER_STRICT", "1")
    telemetry = Telemetry(provider=Unhelpful(resource=Resource({}), shutdown_on_exit=False))

    with pytest.raises(TelemetryError, match="telemetry is off: RuntimeError in"):
        telemetry.start()


def test_a_start_that_failed_leaves_nothing_behind_and_is_tried_again(
    collector: FaultyCollector, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BREAKER_EXPORTER_PROFILE", "development")  # which sets the logger's level
    provider = Unhelpful(resource=Resource({}), shutdown_on_exit=False)
    telemetry = Telemetry(provider=provider, endpoint=collector.http_base)
    logger = logging.getLogger("breaker_exporter")
    before = logger.level

    telemetry.start()
    telemetry.start()
    assert (telemetry.exporters, batch_threads(), logger.level) == ((), [], before)
    assert len([line for line in warnings(caplog) if "telemetry is off" in line]) == 1

    monkeypatch.delattr(Unhelpful, "add_span_processor")
    telemetry.start()
    sent = end_a_span(provider)
    telemetry.stop()
    assert collector.span_ids == {sent}
    assert (batch_threads(), logger.level) == ([], before)


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("BREAKER_EXPORTER_COOLDOWN", "soon", "3"),
        ("OTEL_TRACES_EXPORTER", "otlp,zipkin", "otlp"),
        ("OTEL_TRACES_EXPORTER", "console,otlp_proto_grpc", "otlp"),
        ("BREAKER_EXPORTER_METRICS", "perhaps", "0"),
        ("SENTRY_DSN", "not a DSN", ""),
    ],
)
def test_a_strict_start_that_failed_leaves_nothing_behind_and_is_tried_again(
    collector: FaultyCollector,
    provider: TracerProvider,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    bad: str,
    good: str,
) -> None:
    monkeypatch.setenv("BREAKER_EXPORTER_STRICT", "1")
    monkeypatch.setenv(name, bad)
    monkeypatch.setitem(sys.modules, "breaker_exporter.otlp._grpc_spans", None)
    telemetry = Telemetry(provider=provider, endpoint=collector.http_base)

    for _ in range(2):
        with pytest.raises(TelemetryError):
            telemetry.start()
        assert (telemetry.exporters, batch_threads()) == ((), [])

    monkeypatch.setenv(name, good)
    telemetry.start()
    sent = end_a_span(provider)
    telemetry.stop()
    assert collector.span_ids == {sent}
    assert collector.duplicates == 0


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_start_where_no_thread_can_start_is_tried_again(
    collector: FaultyCollector,
    provider: TracerProvider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    protocol: str,
) -> None:
    endpoint = collector.grpc_endpoint if protocol == "grpc" else collector.http_base
    telemetry = Telemetry(provider=provider, endpoint=endpoint, protocol=protocol)  # type: ignore[arg-type]

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", refuse)
        telemetry.start()
    assert telemetry.exporters == ()
    assert len([line for line in warnings(caplog) if "telemetry is off" in line]) == 1

    telemetry.start()
    sent = end_a_span(provider)
    telemetry.stop()
    assert collector.span_ids == {sent}


def test_a_stop_that_fails_is_a_warning(
    collector: FaultyCollector,
    provider: TracerProvider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    telemetry = Telemetry(provider=provider, endpoint=collector.http_base)
    telemetry.start()
    (exporter,) = telemetry.exporters

    def fail(thread: threading.Thread) -> None:
        raise OSError("s3cret")

    with monkeypatch.context() as broken:
        broken.setattr(threading.Thread, "start", fail)
        telemetry.stop()

    (warning,) = warnings(caplog)
    assert "telemetry did not stop cleanly, what was queued may be lost: OSError" in warning
    assert "s3cret" not in warning
    exporter.shutdown()


def test_stop_from_two_threads_stops_once_and_both_wait_for_it(
    collector: FaultyCollector, provider: TracerProvider
) -> None:
    collector.set_fault(Fault.SLOW, seconds=0.3)
    telemetry = Telemetry(provider=provider, endpoint=collector.http_base)
    telemetry.start()
    sent = end_a_span(provider)
    arrived: list[frozenset[str]] = []

    def stop() -> None:
        telemetry.stop()
        arrived.append(collector.span_ids)

    threads = [threading.Thread(target=stop) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert arrived == [{sent}] * 4
    assert collector.duplicates == 0


def test_a_stop_that_interrupted_code_under_a_lock_of_ours_does_not_wait(
    collector: FaultyCollector, provider: TracerProvider
) -> None:
    """P1: in a signal handler, threads that wait for that lock cannot stop anything before it returns."""
    collector.set_fault(Fault.SLOW, seconds=1.0)
    telemetry = Telemetry(provider=provider, endpoint=collector.http_base, shutdown_timeout=60)
    telemetry.start()
    sent = end_a_span(provider)

    began = time.monotonic()
    with new_state_lock():
        telemetry.stop()
    returned = time.monotonic()
    telemetry.stop()

    assert returned - began < time.monotonic() - returned
    assert collector.span_ids == {sent}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"service_name": ""}, ValueError, "service_name"),
        ({"service_name": 3}, TypeError, "service_name"),
        ({"resource_attributes": ["a"]}, TypeError, "resource_attributes"),
        ({"resource_attributes": {1: "a"}}, TypeError, "resource_attributes"),
        ({"endpoint": "collector:4318"}, ValueError, "endpoint must be a URL such as http://collector:4318"),
        ({"endpoint": "http://me:s3cret@[bad"}, ValueError, r"http://\*\*\*@"),
        ({"endpoint": "a b", "protocol": "grpc"}, ValueError, "endpoint"),
        ({"endpoint": 4318}, TypeError, "endpoint"),
        (
            {"protocol": "http/json"},
            ValueError,
            "protocol must be one of http/protobuf, grpc, not 'http/json'",
        ),
        ({"headers": "a=b"}, TypeError, "headers must be a mapping"),
        ({"headers": {"a": 1}}, TypeError, "headers must be a mapping"),
        ({"headers": {"a": "b\nc"}}, ValueError, "headers"),
        ({"timeout": 0}, ValueError, "timeout"),
        ({"timeout": True}, TypeError, "timeout"),
        ({"timeout": "5"}, TypeError, "timeout"),
        ({"failure_threshold": 0}, ValueError, "failure_threshold"),
        ({"failure_threshold": 1.5}, TypeError, "failure_threshold"),
        ({"cooldown": float("nan")}, ValueError, "cooldown"),
        ({"cooldown": 20.0, "max_cooldown": 10.0}, ValueError, "max_cooldown must not be below the cooldown"),
        ({"max_cooldown": 10.0}, ValueError, r"max_cooldown must not be below the cooldown \(15 s\), not 10"),
        ({"export_timeout": float("inf")}, ValueError, "export_timeout"),
        (
            {"export_timeout": 5.0},
            ValueError,
            r"export_timeout must be above the OTLP timeout \(5 s\), not 5",
        ),
        ({"export_timeout": 9.0, "timeout": 9.0}, ValueError, "export_timeout"),
        ({"shutdown_timeout": -1}, ValueError, "shutdown_timeout"),
        ({"listeners": [1]}, TypeError, "listeners"),
        ({"listeners": 1}, TypeError, "listeners"),
        ({"provider": object()}, TypeError, "provider must be an opentelemetry.sdk.trace.TracerProvider"),
        ({"cool_down": 1.0}, TypeError, "cool_down"),
    ],
)
def test_a_bad_argument_is_refused_at_once_by_name(
    arguments: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as raised:
        Telemetry(**arguments)  # type: ignore[arg-type]

    assert "s3cret" not in str(raised.value)


def test_a_service_name_beside_a_given_provider_is_refused(provider: TracerProvider) -> None:
    with pytest.raises(TypeError, match="service_name and resource_attributes cannot be given with provider"):
        Telemetry(provider=provider, service_name="shop")


def test_two_values_that_do_not_fit_are_not_refused_at_once_where_one_is_a_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")
    monkeypatch.setenv("BREAKER_EXPORTER_COOLDOWN", "5")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")

    Telemetry(export_timeout=4.0, max_cooldown=6.0, endpoint="collector:4317")


def test_a_flush_before_the_start_and_after_the_stop_does_nothing(
    collector: FaultyCollector, provider: TracerProvider
) -> None:
    telemetry = Telemetry(provider=provider, endpoint=collector.http_base)
    telemetry._lifecycle.flush()
    telemetry.start()
    ended = end_a_span(provider)
    telemetry.stop()
    telemetry._lifecycle.flush()

    assert collector.span_ids == {ended}
