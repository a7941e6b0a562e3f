"""Fixtures that read metrics: a receiver of pushed ones, and an address to scrape."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.metrics import MeterProvider

from ..otlp._server import Server, serving


@pytest.fixture(autouse=True)
def _no_variables(no_variables_from_outside: None) -> None:
    """For all tests here."""


@pytest.fixture
def receiver() -> Iterator[Server]:
    with serving() as receiver:
        yield receiver


@pytest.fixture
def for_prometheus() -> Iterator[tuple[MeterProvider, str]]:
    """A provider, and where it is scraped."""
    pytest.importorskip("opentelemetry.exporter.prometheus", reason="needs the group services")
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from prometheus_client import CollectorRegistry, start_http_server

    registry = CollectorRegistry()
    provider = MeterProvider([PrometheusMetricReader(registry=registry)], shutdown_on_exit=False)
    server, thread = start_http_server(0, "127.0.0.1", registry)
    yield provider, f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    server.server_close()
    thread.join()
    provider.shutdown()
