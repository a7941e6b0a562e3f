"""Credential providers that OpenTelemetry's variables name: loaded as its own exporters load them."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter._base.environment import TelemetryError
from breaker_exporter._zero_code import GRPCSpanExporter, HTTPSpanExporter
from breaker_exporter.otlp import CooperativeOTLPSpanExporter
from breaker_exporter.telemetry import Telemetry
from breaker_exporter.testing import FaultyCollector

from ..otlp._peer import peer
from ..otlp._server import answer, serving
from ..semantics._spans import spans
from ._installed import install

GROUP = "opentelemetry_otlp_credential_provider"
HTTP = "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER"
HTTP_TRACES = "OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER"
GRPC = "OTEL_PYTHON_EXPORTER_OTLP_GRPC_CREDENTIAL_PROVIDER"
GRPC_TRACES = "OTEL_PYTHON_EXPORTER_OTLP_GRPC_TRACES_CREDENTIAL_PROVIDER"
SESSION = """
import requests

def make():
    session = requests.Session()
    session.auth = ("{user}", "secret")
    return session
"""
INSECURE = """
import grpc.experimental

make = grpc.experimental.insecure_channel_credentials
"""


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    ours = [record for record in caplog.records if record.name == "breaker_exporter"]
    return [record.getMessage() for record in ours if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("way", ["constructor", "telemetry", "zero code"])
@pytest.mark.parametrize("name", [HTTP, HTTP_TRACES])
def test_the_session_of_a_provider_posts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, provider: TracerProvider, name: str, way: str
) -> None:
    install(tmp_path, monkeypatch, GROUP, "vault", SESSION.format(user="shop"))
    monkeypatch.setenv(name, "vault")
    with serving(answer(200)) as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.url)
        if way == "telemetry":
            telemetry = Telemetry(provider=provider)
            telemetry.start()
            provider.get_tracer("tests").start_span("sell").end()
            telemetry.stop()
        else:
            exporter = CooperativeOTLPSpanExporter() if way == "constructor" else HTTPSpanExporter()
            assert exporter.export(spans(1)) is SpanExportResult.SUCCESS
            exporter.shutdown()

        assert server.requests[0].headers["authorization"].startswith("Basic ")


BY_EACH = """
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext
from breaker_exporter.otlp import CooperativeOTLPSpanExporter

for kind in (OTLPSpanExporter, CooperativeOTLPSpanExporter):
    exporter = kind()
    exporter.export([ReadableSpan("a", SpanContext(1, 2, False))])
    exporter.shutdown()
"""


def test_of_two_the_general_one_comes_first_by_http_as_in_the_official_exporter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In a process of its own: OpenTelemetry 1.39 remembers what was installed when it was asked first."""
    for user in ("all", "traces"):
        (tmp_path / user).mkdir()
        install(tmp_path / user, monkeypatch, GROUP, user, SESSION.format(user=user))
    with serving(answer(200)) as server:
        subprocess.run(
            [sys.executable, "-c", BY_EACH],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(tmp_path / "all"), str(tmp_path / "traces")]),
                "OTEL_EXPORTER_OTLP_ENDPOINT": server.url,
                HTTP: "all",
                HTTP_TRACES: "traces",
            },
            timeout=60,
            check=True,
        )

    official, ours = (request.headers["authorization"] for request in server.requests)
    assert official == ours


@pytest.mark.parametrize("way", ["telemetry", "zero code"])
@pytest.mark.parametrize("name", [GRPC, GRPC_TRACES])
def test_the_credentials_of_a_provider_secure_the_channel_of_grpc(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    provider: TracerProvider,
    collector: FaultyCollector,
    name: str,
    way: str,
) -> None:
    """Without a scheme gRPC means TLS; these credentials say that it is none. The official exporter reads the
    one for traces only beside a certificate for traces."""
    install(tmp_path, monkeypatch, GROUP, "plain", INSECURE)
    monkeypatch.setenv(name, "plain")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.grpc_endpoint.removeprefix("http://"))
    if way == "telemetry":
        telemetry = Telemetry(provider=provider, protocol="grpc")
        telemetry.start()
        provider.get_tracer("tests").start_span("sell").end()
        telemetry.stop()
    else:
        exporter = GRPCSpanExporter()
        assert exporter.export(spans(1)) is SpanExportResult.SUCCESS
        exporter.shutdown()

    assert len(collector.span_ids) == 1


@pytest.mark.parametrize("name", [GRPC, GRPC_TRACES])
def test_credentials_beside_an_endpoint_without_tls_have_no_effect_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    collector: FaultyCollector,
    name: str,
) -> None:
    """The official exporter says nothing. It is no mistake: other signals may go elsewhere."""
    install(tmp_path, monkeypatch, GROUP, "plain", "def make():\n    raise AssertionError")
    monkeypatch.setenv(name, "plain")
    monkeypatch.setenv("BREAKER_EXPORTER_STRICT", "1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.grpc_endpoint)
    exporter = GRPCSpanExporter()
    assert exporter.export(spans(1)) is SpanExportResult.SUCCESS
    exporter.shutdown()

    place = collector.grpc_endpoint.removeprefix("http://")
    assert warnings(caplog) == [f"{name} has no effect on spans: {place} goes without TLS"]


MISTAKES = {
    "not installed": ("", "must name an installed credential provider"),
    "cannot be imported": (
        "import nothing_of_that_name",
        "cannot be imported: ModuleNotFoundError:",
    ),
    "fails": ("def make():\n    raise ValueError('s3cret')", "failed: ValueError in"),
    "another type": ("make = object", "must give a {wanted}, not <class 'object'>"),
}


@pytest.mark.parametrize("case", MISTAKES)
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_provider_that_is_of_no_use_is_one_warning_and_fatal_where_strict(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    provider: TracerProvider,
    case: str,
    protocol: str,
) -> None:
    code, words = MISTAKES[case]
    words = words.format(wanted="grpc.ChannelCredentials" if protocol == "grpc" else "requests.Session")
    name = GRPC if protocol == "grpc" else HTTP
    if code:
        install(tmp_path, monkeypatch, GROUP, "vault", code)
    monkeypatch.setenv(name, "vault")
    telemetry = Telemetry(
        provider=provider,
        protocol=protocol,  # type: ignore[arg-type]
        endpoint="https://127.0.0.1:9",
        shutdown_timeout=0.5,
    )
    telemetry.start()
    assert telemetry.exporters
    telemetry.stop()

    (warning,) = warnings(caplog)
    assert name in warning
    assert "'vault'" in warning
    assert words in warning
    assert "s3cret" not in warning
    monkeypatch.setenv("BREAKER_EXPORTER_STRICT", "1")
    with pytest.raises(TelemetryError, match=name):
        Telemetry(provider=provider, protocol=protocol, endpoint="https://127.0.0.1:9").start()  # type: ignore[arg-type]


def test_a_session_given_in_code_wins(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import requests

    monkeypatch.setenv(HTTP, "not-installed")
    with requests.Session() as session:
        CooperativeOTLPSpanExporter(session=session).shutdown()

    assert warnings(caplog) == []


@pytest.mark.parametrize(
    ("protocol", "alone"),
    [("grpc", "CLIENT_CERTIFICATE"), ("grpc", "CLIENT_KEY"), ("http/protobuf", "CLIENT_KEY")],
)
def test_key_and_certificate_of_a_client_come_together(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    provider: TracerProvider,
    protocol: str,
    alone: str,
) -> None:
    """By HTTP a certificate's file may hold its key."""
    file = tmp_path / "client.pem"
    file.write_text("-----BEGIN one of two-----")
    monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{alone}", str(file))
    telemetry = Telemetry(
        provider=provider,
        protocol=protocol,  # type: ignore[arg-type]
        endpoint="https://127.0.0.1:9",
        shutdown_timeout=0.5,
    )
    telemetry.start()
    telemetry.stop()

    (warning,) = warnings(caplog)
    assert (
        "OTEL_EXPORTER_OTLP_CLIENT_KEY and OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE must be set together"
        in warning
    )


MADE = """
import sys
from breaker_exporter._zero_code import GRPCSpanExporter, HTTPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

exporter = {"grpc": GRPCSpanExporter, "http": HTTPSpanExporter}[sys.argv[1]]()
print(exporter.export([ReadableSpan("a", SpanContext(1, 2, False))]).name)
exporter.shutdown()
"""


@pytest.mark.parametrize("protocol", ["grpc", "http"])
@pytest.mark.parametrize("empty", ["CLIENT_KEY", "CLIENT_CERTIFICATE", "CERTIFICATE"])
def test_an_empty_file_for_tls_ends_no_process(tmp_path: Path, protocol: str, empty: str) -> None:
    """gRPC aborts where one of key and certificate is empty, as a secret is that is not mounted yet. What is
    verified by an empty file is not verified by whatever gRPC trusts by itself."""
    issued = trustme.CA().issue_cert("client")
    names = ("CLIENT_KEY", "CLIENT_CERTIFICATE", *(["CERTIFICATE"] if empty == "CERTIFICATE" else []))
    files = {name: tmp_path / name for name in names}
    files["CLIENT_KEY"].write_bytes(issued.private_key_pem.bytes())
    files["CLIENT_CERTIFICATE"].write_bytes(issued.cert_chain_pems[0].bytes())
    files[empty].write_bytes(b"")
    with peer(lambda connection: None) as port:
        done = subprocess.run(
            [sys.executable, "-c", MADE, protocol],
            env={
                "PATH": os.environ["PATH"],
                **{f"OTEL_EXPORTER_OTLP_{name}": str(file) for name, file in files.items()},
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"https://127.0.0.1:{port}",
                "BREAKER_EXPORTER_RETAIN_MEMORY": "0",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert (done.returncode, done.stdout.strip()) == (0, "FAILURE"), done.stderr
    assert f"OTEL_EXPORTER_OTLP_{empty} must be a readable file in PEM format" in done.stderr
