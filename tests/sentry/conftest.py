"""Fixtures of the tests of Sentry: a Sentry, a collector, a provider, and a process as before."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import sentry_sdk
from opentelemetry import propagate
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from sentry_sdk import integrations, scope
from sentry_sdk.integrations import logging as sentry_logging
from sentry_sdk.integrations.opentelemetry import SentrySpanProcessor

from breaker_exporter import CircuitTransition
from breaker_exporter.sentry import Sentry
from breaker_exporter.telemetry import Telemetry
from breaker_exporter.testing import FaultyCollector

from ..semantics._waiting import until
from ._sentry import FEW, Connected, MakeProvider
from ._server import Server

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _as_before(no_variables_from_outside: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nearly all that sentry_sdk knows belongs to the process; the next test finds none of it."""
    for name in _PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    threads = set(threading.enumerate())
    textmap = propagate.get_global_textmap()
    names = ("_IGNORED_LOGGERS", "_IGNORED_LOGGERS_SENTRY_LOGS")  # older versions have only the first
    ignored = [found for name in names if (found := getattr(sentry_logging, name, None)) is not None]
    ignored_before = [set(loggers) for loggers in ignored]
    yield
    sentry_sdk.get_client().close(timeout=0)
    for each in (
        sentry_sdk.get_global_scope(),
        sentry_sdk.get_isolation_scope(),
        sentry_sdk.get_current_scope(),
    ):
        each.set_client(None)
        each.clear()
    propagate.set_global_textmap(textmap)
    scope.remove_external_propagation_context()
    for once in (integrations._processed_integrations, integrations._installed_integrations):
        once.discard("otlp")  # else the next client would not be linked to OpenTelemetry
    for loggers, before in zip(ignored, ignored_before, strict=True):
        loggers.clear()
        loggers.update(before)
    SentrySpanProcessor.otel_span_map.clear()
    SentrySpanProcessor.open_spans.clear()
    until(lambda: not _ours(threads), within=10.0)


def _ours(before: set[threading.Thread]) -> list[threading.Thread]:
    """Threads that would log, or be counted, in the next test."""
    started = set(threading.enumerate()) - before
    return [thread for thread in started if thread.name == "breaker-exporter" or "Otel" in thread.name]


@pytest.fixture
def collector(faulty_collector: FaultyCollector) -> Iterator[FaultyCollector]:
    """A collector."""
    yield faulty_collector
    faulty_collector.renew()


@pytest.fixture
def make_provider(sentry: FaultyCollector) -> Iterator[MakeProvider]:
    """Makes providers of the application's, each shut down while Sentry is there yet."""
    made: list[TracerProvider] = []

    def make(**attributes: str) -> TracerProvider:
        resource = Resource({name.replace("_", ".", 1): value for name, value in attributes.items()})
        made.append(TracerProvider(resource=resource, shutdown_on_exit=False))
        return made[-1]

    yield make
    for provider in made:
        provider.shutdown()


@pytest.fixture
def provider(make_provider: MakeProvider) -> TracerProvider:
    """One of them."""
    return make_provider()


@pytest.fixture
def connected(sentry: FaultyCollector, provider: TracerProvider) -> Connected:
    """``connect_sentry`` for that Sentry and that provider."""
    return Connected(provider, sentry.sentry_dsn)


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that takes whatever it is sent."""
    with Server() as server:
        yield server


@pytest.fixture
def changes() -> list[CircuitTransition]:
    return []


@pytest.fixture
def wary(
    sentry: FaultyCollector,
    collector: FaultyCollector,
    provider: TracerProvider,
    changes: list[CircuitTransition],
) -> Iterator[Telemetry]:
    """A telemetry that is started with both; a circuit opens at the first failure."""
    telemetry = Telemetry(
        provider=provider,
        endpoint=collector.http_base,
        failure_threshold=1,
        timeout=1.0,
        export_timeout=5.0,
        shutdown_timeout=2.0,
        listeners=[changes.append],
        sentry=Sentry(dsn=sentry.sentry_dsn, release="shop@1", report_transitions=True, options=FEW),
    )
    telemetry.start()
    yield telemetry
    telemetry.stop()
