"""Each signal has variables, a place and a method of its own, as OpenTelemetry's exporters have them (O4)."""

from __future__ import annotations

import logging
from importlib import import_module

import pytest

from breaker_exporter._base.environment import Environment, TelemetryError
from breaker_exporter._wiring.declared import DECLARED
from breaker_exporter.otlp import _credentials
from breaker_exporter.otlp import _environment as variables
from breaker_exporter.otlp._settings import Protocol
from breaker_exporter.otlp._signals import LOGS, METRICS, SIGNALS, TRACES, Signal

pytestmark = pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.name)


def own(signal: Signal, name: str) -> str:
    return f"OTEL_EXPORTER_OTLP_{signal.word}_{name}"


def others(signal: Signal, name: str, value: str) -> dict[str, str]:
    return {own(other, name): value for other in SIGNALS if other is not signal}


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_variable_of_the_signal_wins_and_those_of_others_do_not_count(
    signal: Signal, protocol: Protocol
) -> None:
    """HTTP takes the URL of the signal as it is."""
    general = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://all:1",
        "OTEL_EXPORTER_OTLP_HEADERS": "k=all",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "7",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        "OTEL_EXPORTER_OTLP_INSECURE": "true",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "all.pem",
        **others(signal, "ENDPOINT", "http://other:1"),
        **others(signal, "HEADERS", "k=other"),
        **others(signal, "TIMEOUT", "3"),
        **others(signal, "COMPRESSION", "gzip"),
        **others(signal, "INSECURE", "false"),
        **others(signal, "CERTIFICATE", "other.pem"),
    }
    for_all = Environment(general)
    path = "" if protocol == "grpc" else signal.path
    assert variables.endpoint(for_all, protocol, signal) == f"http://all:1{path}"
    assert variables.headers(for_all, protocol, signal) == {"k": "all"}
    assert variables.timeout(for_all, signal, None) == 7
    assert variables.compression(for_all, protocol, signal) == "none"
    assert variables.insecure(for_all, signal) == ("OTEL_EXPORTER_OTLP_INSECURE", True)
    assert variables.files(for_all, signal).certificate == "all.pem"

    of_one = Environment(
        {
            **general,
            own(signal, "ENDPOINT"): "http://one:1",
            own(signal, "HEADERS"): "k=one",
            own(signal, "TIMEOUT"): "5",
            own(signal, "COMPRESSION"): "gzip",
            own(signal, "INSECURE"): "false",
            own(signal, "CERTIFICATE"): "one.pem",
        }
    )
    assert variables.endpoint(of_one, protocol, signal) == "http://one:1"
    assert variables.headers(of_one, protocol, signal) == {"k": "one"}
    assert variables.timeout(of_one, signal, None) == 5
    assert variables.compression(of_one, protocol, signal) == "gzip"
    assert variables.insecure(of_one, signal) == (own(signal, "INSECURE"), False)
    assert variables.files(of_one, signal).certificate == "one.pem"


@pytest.mark.parametrize("base", ["http://h/x?k=v", *(f"http://h/x{one.path}?k=v" for one in SIGNALS)])
def test_an_endpoint_for_all_gets_the_path_of_the_signal_also_where_it_has_that_of_another(
    signal: Signal, base: str
) -> None:
    environment = Environment({"OTEL_EXPORTER_OTLP_ENDPOINT": base})

    assert variables.endpoint(environment, "http/protobuf", signal) == f"http://h/x{signal.path}?k=v"


def test_a_bad_value_is_told_by_the_variable_that_has_it(
    signal: Signal, caplog: pytest.LogCaptureFixture
) -> None:
    bad = {own(signal, "COMPRESSION"): "brotli", own(signal, "CERTIFICATE"): "/no/such"}
    variables.check(Environment(bad), "http/protobuf", signal)

    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [text.split()[0] for text in told] == list(bad)
    with pytest.raises(TelemetryError, match=own(signal, "COMPRESSION")):
        variables.check(Environment({**bad, "BREAKER_EXPORTER_STRICT": "1"}), "grpc", signal)


def test_credential_providers_are_asked_in_the_order_of_opentelemetrys_exporters(signal: Signal) -> None:
    begin, end = "OTEL_PYTHON_EXPORTER_OTLP", "CREDENTIAL_PROVIDER"
    assert _credentials.variables("http/protobuf", signal) == (
        f"{begin}_HTTP_{end}",
        f"{begin}_HTTP_{signal.word}_{end}",
    )
    assert _credentials.variables("grpc", signal) == (
        f"{begin}_GRPC_{signal.word}_{end}",
        f"{begin}_GRPC_{end}",
    )


def test_all_variables_that_opentelemetry_lists_for_the_signal_are_declared(signal: Signal) -> None:
    listed = vars(import_module("opentelemetry.sdk.environment_variables")).values()
    read = {name for setting in DECLARED for name in setting.variables}

    begin = f"OTEL_EXPORTER_OTLP_{signal.word}_"
    assert {value for value in listed if str(value).startswith(begin)} - read == set()


def test_requests_go_where_the_services_of_opentelemetry_are(signal: Signal) -> None:
    word = {TRACES: "trace", LOGS: "logs", METRICS: "metrics"}[signal]
    service = import_module(f"opentelemetry.proto.collector.{word}.v1.{word}_service_pb2").DESCRIPTOR
    ((name, found),) = service.services_by_name.items()

    assert signal.method == f"/{service.package}.{name}/{found.methods[0].name}"
