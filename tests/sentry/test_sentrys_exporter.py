"""Sentry's exporter: nothing of the collector's reaches it; the client's certificates and proxies hold."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import sentry_sdk
import trustme
from opentelemetry.sdk.trace import TracerProvider

from breaker_exporter import CircuitState
from breaker_exporter.testing import Fault, FaultyCollector

from ._sentry import (
    FEW,
    Connected,
    arrived,
    connect,
    end_a_span,
    fail_in_a_span,
    ids_of,
    linked,
    payload,
    spans_at,
)
from ._server import Server

CANARY = "only-for-the-collector"


def test_headers_of_the_collector_never_reach_sentry(
    server: Server, provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization=Bearer {CANARY}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", f"x-api-key={CANARY}")
    connect(provider, dsn=server.dsn, **FEW)

    fail_in_a_span(provider)
    provider.force_flush()
    sentry_sdk.flush(timeout=10)

    assert len(server.of("/v1/traces")) == len(server.of("/envelope")) == 1
    assert CANARY not in repr(server.requests)


def test_endpoints_and_other_settings_of_the_collector_change_nothing_at_sentry(
    sentry: FaultyCollector,
    collector: FaultyCollector,
    provider: TracerProvider,
    connected: Connected,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.http_base)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.http_endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "deflate")
    connected()

    span = end_a_span(provider)
    provider.force_flush()

    assert spans_at(sentry) == [span]
    assert collector.counts().requests == 0


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_CERTIFICATE", "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE"])
def test_sentry_is_not_verified_by_the_collectors_certificate(
    provider: TracerProvider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "collector.pem")
    monkeypatch.setenv(name, str(tmp_path / "collector.pem"))
    with Server(ca) as server:
        exporter = connect(provider, dsn=server.dsn, **FEW)
        end_a_span(provider)
        provider.force_flush(5_000)  # less than the cooldown

    assert server.requests == []
    assert exporter is not None
    assert exporter.health().retained == 1


def test_the_variables_are_set_again_afterwards(
    connected: Connected, monkeypatch: pytest.MonkeyPatch, collector: FaultyCollector
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.http_base)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "a=b")
    before = dict(os.environ)
    connected()

    assert dict(os.environ) == before


def test_ca_certs_of_the_client_verify_sentry_for_events_and_spans(
    provider: TracerProvider, tmp_path: Path
) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    with Server(ca) as server:
        connect(provider, dsn=server.dsn, ca_certs=str(tmp_path / "ca.pem"), **FEW)
        fail_in_a_span(provider)
        provider.force_flush()
        sentry_sdk.flush(timeout=10)

    assert len(server.of("/v1/traces")) == len(server.of("/envelope")) == 1


def test_an_http_proxy_of_the_client_takes_events_and_spans(provider: TracerProvider, server: Server) -> None:
    connect(provider, dsn="http://key@sentry.invalid/1", http_proxy=server.url, **FEW)

    fail_in_a_span(provider)
    provider.force_flush()
    sentry_sdk.flush(timeout=10)

    targets = {request.target.rstrip("/") for request in server.requests}
    assert targets == {
        "http://sentry.invalid/api/1/envelope",
        "http://sentry.invalid/api/1/integration/otlp/v1/traces",
    }


@pytest.mark.parametrize("option", ["https_proxy", "http_proxy"])
def test_spans_take_the_proxy_that_events_take_where_sentry_speaks_tls(
    provider: TracerProvider, server: Server, option: str
) -> None:
    """By sentry_sdk's rule: the one for HTTP also serves HTTPS where there is no other."""
    exporter = connect(provider, dsn="https://key@sentry.invalid/1", **{**FEW, option: server.url})

    end_a_span(provider)
    provider.force_flush(5_000)  # less than the cooldown

    asked = {(request.method, request.target) for request in server.requests}
    assert asked == {("CONNECT", "sentry.invalid:443")}
    assert exporter is not None
    assert exporter.health().retained == 1


def test_the_clients_proxy_wins_over_that_of_the_environment(
    provider: TracerProvider, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does for events."""
    with Server() as of_the_environment:
        monkeypatch.setenv("HTTP_PROXY", of_the_environment.url)
        connect(provider, dsn="http://key@sentry.invalid/1", http_proxy=server.url, **FEW)
        fail_in_a_span(provider)
        provider.force_flush()
        sentry_sdk.flush(timeout=10)

    assert of_the_environment.requests == []
    assert len(server.requests) == 2


def test_a_proxy_of_the_environment_takes_events_and_spans(
    provider: TracerProvider, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    connect(provider, dsn="http://key@sentry.invalid/1", **FEW)

    fail_in_a_span(provider)
    provider.force_flush()
    sentry_sdk.flush(timeout=10)

    assert len(server.requests) == 2


def test_an_empty_proxy_of_the_client_overrides_that_of_the_environment(
    provider: TracerProvider, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server() as of_the_environment:
        monkeypatch.setenv("HTTP_PROXY", of_the_environment.url)
        connect(provider, dsn=server.dsn, http_proxy="", **FEW)
        fail_in_a_span(provider)
        provider.force_flush()
        sentry_sdk.flush(timeout=10)

    assert of_the_environment.requests == []
    assert len(server.of("/v1/traces")) == len(server.of("/envelope")) == 1


def test_its_circuit_takes_its_settings_from_the_environment(
    sentry: FaultyCollector,
    provider: TracerProvider,
    connected: Connected,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BREAKER_EXPORTER_FAILURE_THRESHOLD", "1")
    monkeypatch.setenv("BREAKER_EXPORTER_COOLDOWN", "42")
    exporter = connected()
    assert exporter is not None
    sentry.set_fault(Fault.STATUS, status=500)

    end_a_span(provider)
    provider.force_flush()

    assert exporter.state is CircuitState.OPEN
    assert exporter.health().cooldown == 42.0


def test_exports_leave_no_breadcrumbs_on_the_applications_errors(
    sentry: FaultyCollector,
    provider: TracerProvider,
    connected: Connected,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    connected()
    with provider.get_tracer("shop").start_as_current_span("request") as request:
        end_a_span(provider)
        assert sentry.wait_for_spans(1)
        sentry_sdk.capture_message("sold out")

    (event,) = arrived(sentry)
    assert linked(event) == ids_of(request)
    assert payload(event).get("breadcrumbs", {"values": []})["values"] == []
