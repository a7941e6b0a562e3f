"""All three signals: who is asked for them, in how many connections, and what is said of their settings."""

from __future__ import annotations

import sys

import pytest

from breaker_exporter._doctor.report import Finding, Level
from breaker_exporter._doctor.settings.given import Given
from breaker_exporter._wiring.settings import Arguments
from breaker_exporter.otlp._signals import METRICS, SIGNALS, TRACES
from breaker_exporter.testing import Fault, FaultyCollector, Signal

from ..otlp._peer import peer
from ..otlp._server import answer, serving
from ._findings import asked, bad, by_protocol, in_force
from ._servers import read_and_close
from .test_collector import by

ON = {"OTEL_SERVICE_NAME": "shop", "OTEL_LOGS_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp"}
WAYS = pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
UNITS = [signal.unit for signal in SIGNALS]


def of(check: str, findings: list[Finding]) -> list[str]:
    """The texts of the findings of that name."""
    return [finding.text for finding in findings if finding.check == check]


def test_a_signal_is_looked_at_where_it_is_on() -> None:
    _, force = in_force({})
    assert [route.signal for route in force.routes] == [TRACES]

    _, force = in_force({**ON, "OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "console"})
    assert [route.signal for route in force.routes] == [METRICS]

    _, force = in_force({**ON, "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "grpc"})
    assert [by_protocol(force, signal) for signal in SIGNALS] == [
        ("http/protobuf",),
        ("grpc",),
        ("http/protobuf",),
    ]
    assert in_force({**ON, "OTEL_SDK_DISABLED": "true"})[1].routes == ()


@WAYS
def test_one_origin_is_connected_to_once_and_asked_for_each_signal(
    collector: FaultyCollector, protocol: str
) -> None:
    before = collector.counts().connections
    findings = asked({**ON, **by(protocol, collector)})

    assert bad(findings) == []
    assert [text.split(" is answered")[0] for text in of("otlp", findings)] == [
        f"an empty request for {unit}" for unit in UNITS
    ]
    assert len(of("dns", findings)) == len(of("tcp", findings)) == 1
    counts = collector.counts()
    assert counts.connections - before == 2  # a look, and the requests
    assert (counts.spans, counts.log_records, counts.data_points) == (0, 0, 0)


def test_each_request_has_the_path_and_the_headers_of_its_signal() -> None:
    with serving() as server:
        more = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"{server.base}/otlp",
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": f"{server.base}/ingest",
            "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "x-key=logs",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-key=all",
        }
        assert bad(asked({**ON, **more})) == []
        assert bad(asked(ON, Given(Arguments(endpoint=server.base, headers={"x-key": "code"})))) == []

    assert [(request.path, request.headers["x-key"]) for request in server.requests] == [
        ("/otlp/v1/traces", "all"),
        ("/ingest", "logs"),
        ("/otlp/v1/metrics", "all"),
        *((signal.path, "code") for signal in SIGNALS),
    ]


@WAYS
def test_a_backend_that_takes_traces_alone_is_told_from_a_wrong_path(
    collector: FaultyCollector, protocol: str
) -> None:
    collector.set_fault(Fault.STATUS, status=404, signal=Signal.LOGS)

    findings = asked({**ON, **by(protocol, collector)})

    (finding,) = [each for each in findings if each.level is not Level.OK]
    assert finding.check == ("http-404" if protocol == "http/protobuf" else "grpc-unimplemented")
    assert "answer to log records is" in finding.text
    assert "takes no log records, as Jaeger, set OTEL_LOGS_EXPORTER=none" in finding.advice
    assert len(of("otlp", findings)) == 2


def test_of_traces_a_path_that_is_not_there_is_no_missing_signal() -> None:
    with serving(answer(404)) as server:
        findings = asked({"OTEL_EXPORTER_OTLP_ENDPOINT": server.base})

    assert bad(findings) == ["broken http-404"]
    assert "none" not in findings[-1].advice
    assert "/v1/traces" in findings[-1].advice


@WAYS
@pytest.mark.parametrize(
    ("fault", "expected"),
    [(Fault.REFUSE, "tcp-refused"), (Fault.BLACKHOLE, "otlp-silent"), (Fault.RESET, "otlp-reset")],
)
def test_a_dead_collector_is_told_once(
    collector: FaultyCollector, protocol: str, fault: Fault, expected: str
) -> None:
    collector.fault = fault

    findings = asked({**ON, **by(protocol, collector), "OTEL_EXPORTER_OTLP_TIMEOUT": "0.2"})

    assert bad(findings) == [f"broken {expected}"]


def test_by_grpc_an_answer_that_never_comes_is_waited_for_once(collector: FaultyCollector) -> None:
    collector.set_fault(Fault.SLOW, seconds=30)

    findings = asked({**ON, **by("grpc", collector), "OTEL_EXPORTER_OTLP_TIMEOUT": "0.1"})

    assert bad(findings) == ["broken otlp-silent"]


def test_several_origins_are_looked_at_one_by_one(collector: FaultyCollector) -> None:
    with peer(read_and_close) as port:
        more = {
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://127.0.0.1:1/v1/logs",
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"http://127.0.0.1:{port}/v1/metrics",
        }
        findings = asked({**ON, **by("http/protobuf", collector), **more})

    assert bad(findings) == ["broken tcp-refused", "broken otlp-no-answer"]
    assert len(of("otlp", findings)) == 1


MISTAKES: dict[str, tuple[dict[str, str], list[str]]] = {
    "nothing": ({}, []),
    "unknown": ({"OTEL_LOGS_EXPORTER": "loki"}, ["warning exporter-unknown"]),
    "unknown, strict": (
        {"OTEL_METRICS_EXPORTER": "otlp,statsd", "BREAKER_EXPORTER_STRICT": "1"},
        ["broken exporter-unknown"],
    ),
    "twice": ({"OTEL_LOGS_EXPORTER": "otlp,otlp_proto_http"}, ["warning exporter-twice"]),
    "none beside another": ({"OTEL_LOGS_EXPORTER": "otlp,none"}, ["warning exporter-none"]),
    "no traces": ({"OTEL_TRACES_EXPORTER": "none"}, ["warning exporter-none"]),
    "others": ({"OTEL_LOGS_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "console,prometheus"}, []),
    "no path": (
        {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://collector:4318"},
        ["warning logs-endpoint-path"],
    ),
    "no path by gRPC": (
        {
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://collector:4317",
            "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc",
        },
        [],
    ),
    "headers": ({"OTEL_EXPORTER_OTLP_METRICS_HEADERS": "Authorization: Bearer abc"}, ["warning variable"]),
    "timeout": ({"OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "0.1"}, ["warning timeout-short"]),
    "timeout of all": ({"OTEL_EXPORTER_OTLP_TIMEOUT": "0.1"}, ["warning timeout-short"]),
    "log delay in seconds": ({"OTEL_BLRP_SCHEDULE_DELAY": "1"}, ["warning schedule-delay"]),
    "log limit in seconds": ({"OTEL_BLRP_EXPORT_TIMEOUT": "30"}, ["warning blrp-export-timeout"]),
    "log queue": ({"OTEL_BLRP_MAX_QUEUE_SIZE": "100"}, ["warning variable"]),
    "interval in seconds": ({"OTEL_METRIC_EXPORT_INTERVAL": "60"}, ["warning metric-export-interval"]),
    "limit in seconds": ({"OTEL_METRIC_EXPORT_TIMEOUT": "30"}, ["warning metric-export-timeout"]),
    "temporality": (
        {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "sometimes"},
        ["warning variable"],
    ),
    "credentials": (
        {"OTEL_PYTHON_EXPORTER_OTLP_HTTP_LOGS_CREDENTIAL_PROVIDER": "nowhere"},
        ["warning variable"],
    ),
    "what is off": (
        {
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_METRIC_EXPORT_INTERVAL": "60",
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://collector:4318",
        },
        [],
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_of_one_signal_has_its_diagnosis(case: str) -> None:
    environ, expected = MISTAKES[case]

    findings, _ = in_force({**ON, **environ})

    assert bad(findings) == expected
    assert all(finding.advice for finding in findings if finding.level is not Level.OK)


def test_settings_of_each_signal_that_is_on_are_shown_with_their_sources() -> None:
    def table(environ: dict[str, str]) -> dict[str, tuple[object, str]]:
        return {row.name: (row.value, row.source) for row in in_force(environ)[1].rows}

    found = table(
        {
            **ON,
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "https://user:secret@logs.example.org/in",
            "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "x-key=secret",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "3",
            "OTEL_BLRP_SCHEDULE_DELAY": "700",
            "OTEL_METRIC_EXPORT_INTERVAL": "10000",
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
        }
    )

    assert [found[f"{signal.word.lower()}_exporter"] for signal in SIGNALS] == [
        ("otlp", "default"),
        ("otlp", "OTEL_LOGS_EXPORTER"),
        ("otlp", "OTEL_METRICS_EXPORTER"),
    ]
    assert found["logs_endpoint"] == ("https://***@logs.example.org/in", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT")
    assert found["logs_headers"] == ("x-key", "OTEL_EXPORTER_OTLP_LOGS_HEADERS")
    assert found["metrics_endpoint"] == ("http://localhost:4318/v1/metrics", "default")
    assert found["metrics_timeout"] == (3.0, "OTEL_EXPORTER_OTLP_TIMEOUT")
    assert found["logs_schedule_delay"] == (700, "OTEL_BLRP_SCHEDULE_DELAY")
    assert found["logs_max_queue_size"] == (2048, "default")
    assert found["metrics_export_interval"] == (10000.0, "OTEL_METRIC_EXPORT_INTERVAL")
    assert found["metrics_collect_timeout"] == (30000.0, "default")
    assert found["metrics_temporality"] == ("delta", "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE")
    of_traces = table({})
    assert found.keys() > of_traces.keys()
    assert not [name for name in of_traces if name.startswith(("logs_", "metrics_"))]


@pytest.mark.parametrize(
    ("environ", "is_there", "expected", "words"),
    [
        ({}, True, "ok", "by the handler of opentelemetry-instrumentation-logging"),
        ({}, False, "warning", "ModuleNotFoundError"),
        ({"BREAKER_EXPORTER_STRICT": "1"}, False, "broken", "fatal"),
        ({"OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION": "false"}, False, "ok", "OTEL_PYTHON_LOG_AUTO_"),
        ({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "flask, logging"}, True, "ok", "OTEL_PYTHON_DISABLED_"),
        ({"OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": "true"}, False, "ok", "deprecated"),
    ],
)
def test_it_is_told_if_lines_of_pythons_logging_are_exported(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], is_there: bool, expected: str, words: str
) -> None:
    """Without the package, the handler is not there at all."""
    if is_there:
        pytest.importorskip("opentelemetry.instrumentation.logging.handler")
    else:
        monkeypatch.setitem(sys.modules, "opentelemetry.instrumentation.logging", None)
        monkeypatch.delitem(sys.modules, "opentelemetry.instrumentation.logging.handler", raising=False)

    findings, _ = in_force({**ON, **environ})

    (finding,) = [each for each in findings if each.check == "log-handler"]
    assert finding.level.value == expected
    assert words in finding.text
    assert of("log-handler", in_force({**environ, "OTEL_LOGS_EXPORTER": "none"})[0]) == []


def test_an_instance_id_that_metrics_do_not_have_as_it_is_is_told() -> None:
    given = {"OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=pod-7,team=shop"}

    (text,) = of("instance-id", in_force({**ON, **given})[0])

    assert "pod-7-PID" in text
    assert of("instance-id", in_force({**given, "OTEL_METRICS_EXPORTER": "none"})[0]) == []
    assert of("instance-id", in_force(ON)[0]) == []
