"""Arguments and variables of the gRPC exporter: as OpenTelemetry's has them, and what is told of bad ones."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

from breaker_exporter import ExportReport, Verdict
from breaker_exporter.otlp import OTLPGrpcSpanExporter
from breaker_exporter.telemetry import TelemetryError
from breaker_exporter.testing import Fault, FaultyCollector

from ..semantics._spans import spans
from ._grpc_server import answering

pytestmark = pytest.mark.usefixtures("no_variables_from_outside")

DELIVERED = ExportReport(Verdict.DELIVERED)
FILE = "must be a readable file in PEM format"


def exported(*arguments: Any, **more: Any) -> ExportReport:
    exporter = OTLPGrpcSpanExporter(*arguments, **more)
    try:
        return exporter.export_and_report(spans(1))
    finally:
        exporter.shutdown()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    ours = [record for record in caplog.records if record.name == "breaker_exporter"]
    return [record.getMessage() for record in ours if record.levelno >= logging.WARNING]


TARGETS: list[tuple[Callable[[str], str], dict[str, Any], dict[str, str]]] = [
    (lambda at: f"http://{at}", {}, {}),
    (lambda at: f"HTTP://{at}", {}, {}),
    (lambda at: f"http://{at}/any/path?and=query", {}, {}),
    (lambda at: at, {"insecure": True}, {}),
    (lambda at: f"grpc://{at}", {"insecure": True}, {}),
    (lambda at: at, {}, {"OTEL_EXPORTER_OTLP_INSECURE": "TRUE"}),
    (lambda at: at, {}, {"OTEL_EXPORTER_OTLP_TRACES_INSECURE": "true", "OTEL_EXPORTER_OTLP_INSECURE": "no"}),
    (lambda at: f"http://{at}", {}, {"OTEL_EXPORTER_OTLP_INSECURE": "true"}),
]


@pytest.mark.parametrize(("url", "arguments", "variables"), TARGETS)
@pytest.mark.parametrize("kind", [OTLPGrpcSpanExporter, OTLPSpanExporter])
def test_a_target_is_read_as_openTelemetry_reads_it(
    monkeypatch: pytest.MonkeyPatch,
    kind: Callable[..., Any],
    url: Callable[[str], str],
    arguments: dict[str, Any],
    variables: dict[str, str],
) -> None:
    """O4: by both exporters, given in code or by a variable."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with answering() as server:
        given = kind(url(server.target), timeout=5, **arguments)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url(server.target))
        found = kind(timeout=5, **arguments)
        assert [exporter.export(spans(1)).name for exporter in (given, found)] == ["SUCCESS"] * 2
        for exporter in (given, found):
            exporter.shutdown()


@pytest.mark.parametrize(
    ("url", "arguments", "variables"),
    [
        (lambda at: f"https://{at}", {"insecure": True}, {}),
        (lambda at: f"https://{at}", {}, {"OTEL_EXPORTER_OTLP_INSECURE": "true"}),
        (lambda at: f"http://{at}", {"insecure": False}, {}),
        (lambda at: f"http://{at}", {}, {"OTEL_EXPORTER_OTLP_TRACES_INSECURE": "false"}),
        (lambda at: at, {}, {}),
    ],
)
def test_what_means_tls_is_tried_with_tls(
    monkeypatch: pytest.MonkeyPatch,
    url: Callable[[str], str],
    arguments: dict[str, Any],
    variables: dict[str, str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with answering() as server:
        assert "handshake" in exported(url(server.target), **arguments).reason.lower()
        assert server.requests == []


def test_a_socket_of_the_file_system_is_a_target(tmp_path: Path) -> None:
    with answering(address=f"unix:{tmp_path}/otlp"):
        assert exported(f"unix:{tmp_path}/otlp", insecure=True) == DELIVERED
        assert exported(f"unix://{tmp_path}/otlp", insecure=True) == DELIVERED


@pytest.mark.parametrize("target", ["dns:///{}", "dns:{}", "ipv4:{}"])
def test_targets_of_grpcs_own_are_left_as_they_are(target: str) -> None:
    with answering() as server:
        assert exported(target.format(server.target), insecure=True) == DELIVERED


@pytest.mark.parametrize("url", ["GRPC://collector", "grpcs://collector", "xds:///collector", "collector:1"])
def test_other_schemes_that_mean_grpc_will_do(url: str) -> None:
    OTLPGrpcSpanExporter(url).shutdown()


@pytest.mark.parametrize(
    ("endpoint", "destination"),
    [
        ("http://collector:4317", "grpc://collector:4317"),
        ("http://collector:4317/path?key=s3cret", "grpc://collector:4317"),
        ("collector:4317", "grpc://collector:4317"),
        ("dns:///collector:4317", "grpc://collector:4317"),
        ("dns://1.1.1.1/collector:4317", "grpc://collector:4317"),
        ("ipv4:10.0.0.1:4317", "grpc://10.0.0.1:4317"),
        ("[::1]:4317", "grpc://[::1]:4317"),
        ("collector:otlp", "grpc://collector:otlp"),
        ("unix:///run/collector.sock", "grpc:///run/collector.sock"),
        ("unix:/run/collector.sock", "grpc:///run/collector.sock"),
        ("", "grpc://localhost:4317"),
        (None, "grpc://localhost:4317"),
    ],
)
def test_its_destination_is_host_and_port_without_a_secret(endpoint: str | None, destination: str) -> None:
    """G1. Empty means unset, as to OpenTelemetry's exporter."""
    exporter = OTLPGrpcSpanExporter(endpoint, insecure=True)
    assert exporter.destination == destination
    exporter.shutdown()


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Key": "text"},
        [("x-key", "text")],
        (("x-key", "text"),),
        "x-key=text",
        "X-Key=te%78t",
    ],
)
def test_headers_are_sent_in_any_form(monkeypatch: pytest.MonkeyPatch, headers: Any) -> None:
    """In place of those of the variable, as OpenTelemetry's exporter has it."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-other=variable")
    with answering() as server:
        assert exported(server.url, headers=headers) == DELIVERED
    assert server.metadata[0]["x-key"] == "text"
    assert "x-other" not in server.metadata[0]


@pytest.mark.parametrize("headers", [None, {}, "", ()])
def test_without_headers_those_of_the_variable_are_sent(
    monkeypatch: pytest.MonkeyPatch, headers: Any
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-other=variable")
    with answering() as server:
        assert exported(server.url, headers=headers) == DELIVERED
    assert server.metadata[0]["x-other"] == "variable"


def test_binary_headers_have_bytes() -> None:
    with answering() as server:
        assert exported(server.url, headers={"X-Key-Bin": b"\x00\xff"}) == DELIVERED
    assert server.metadata[0]["x-key-bin"] == b"\x00\xff"


def test_it_says_who_it_is_unless_told_otherwise() -> None:
    with answering() as server:
        exported(server.url)
        exported(server.url, channel_options=[("grpc.primary_user_agent", "shop/1")])
    agents = [metadata["user-agent"] for metadata in server.metadata]
    assert agents[0].startswith("breaker-exporter/")
    assert agents[1].startswith("shop/1 ")


def test_the_environment_says_how(collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.grpc_endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "GZIP")
    assert exported() == DELIVERED
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    collector.fault = Fault.BLACKHOLE
    assert exported().reason == "DEADLINE_EXCEEDED: no answer in 0.2 s"


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"endpoint": "http://"}, ValueError, "endpoint must be a URL"),
        ({"endpoint": "http://user:word@collector"}, ValueError, "endpoint must have no user"),
        ({"endpoint": 4317}, TypeError, "endpoint must be a string"),
        ({"insecure": "yes"}, TypeError, "insecure must be True, False or None, not 'yes'"),
        ({"credentials": object()}, TypeError, "credentials must be grpc.ChannelCredentials"),
        ({"headers": {"x y": "z"}}, ValueError, "header number 1 can never be sent"),
        ({"headers": {"x-bin": "text"}}, ValueError, "names that end in -bin have binary values"),
        ({"headers": {"x": b"bytes"}}, TypeError, "headers must be a mapping of strings to strings"),
        ({"headers": {"grpc-x-bin": b"bytes"}}, ValueError, "names that begin with grpc- are gRPC's own"),
        ({"headers": "x"}, ValueError, "must be name=value"),
        ({"headers": ["x"]}, TypeError, "headers must be pairs of a name and a value, not list"),
        ({"headers": 7}, TypeError, "headers must be pairs of a name and a value, not int"),
        ({"timeout": 0}, ValueError, "timeout must be"),
        ({"compression": "deflate"}, ValueError, "compression must be one of none, gzip"),
        ({"compression": 7}, TypeError, "compression must be a string"),
        ({"channel_options": {"grpc.x": 1}}, TypeError, "channel_options must be pairs"),
        ({"channel_options": "grpc.x"}, TypeError, "channel_options must be pairs"),
        ({"channel_options": [("grpc.x", None)]}, TypeError, "channel_options must be pairs"),
        ({"certificate_file": "/nothing/there"}, ValueError, f"certificate_file {FILE}"),
        ({"client_key_file": "/nothing/there"}, ValueError, f"client_key_file {FILE}"),
        ({"client_certificate_file": "/nothing/there"}, ValueError, f"client_certificate_file {FILE}"),
        ({"max_request_size": "1"}, TypeError, "max_request_size must be a whole number, not '1'"),
        (
            {"endpoint": "htp://collector:4317"},
            *(ValueError, "endpoint must have one of the schemes http, https, .* not 'htp://collector:4317'"),
        ),
        ({"endpoint": "htp://user:word@collector"}, ValueError, r"not 'htp://\*\*\*@collector'"),
        ({"client_key_file": pytest.__file__}, ValueError, f"client_key_file {FILE}"),
    ],
)
def test_a_bad_argument_is_named(arguments: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        OTLPGrpcSpanExporter(**arguments)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://", "must be a URL"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "htp://collector:4317", "must have one of the schemes http, https"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "perhaps", "must be true or false"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-bin=text", "binary values"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "must be a finite number"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "deflate", "must be one of none, gzip"),
    ],
)
def test_a_bad_variable_is_one_warning_and_fatal_where_strict(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(name, value)
    OTLPGrpcSpanExporter().shutdown()
    (warning,) = warnings(caplog)
    assert name in warning
    assert says in warning
    monkeypatch.setenv("BREAKER_EXPORTER_STRICT", "1")
    with pytest.raises(TelemetryError, match=says):
        OTLPGrpcSpanExporter()


def test_credentials_beside_an_endpoint_without_tls_have_no_effect_and_that_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    credentials = grpc.ssl_channel_credentials()
    OTLPGrpcSpanExporter("http://collector:4317", credentials=credentials).shutdown()
    assert warnings(caplog) == ["credentials has no effect on spans: collector:4317 goes without TLS"]
