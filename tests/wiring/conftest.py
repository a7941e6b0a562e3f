"""Fixtures of the tests of the wiring: nothing is left running for the next test."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from breaker_exporter.testing import FaultyCollector


@pytest.fixture(autouse=True)
def _no_variables(no_variables_from_outside: None) -> None:
    """For all tests here."""


@pytest.fixture
def collector(faulty_collector: FaultyCollector) -> Iterator[FaultyCollector]:
    """A running collector, as new, and no call into it that outlives the test and logs into the next one."""
    before = set(threading.enumerate())
    yield faulty_collector
    faulty_collector.renew()
    deadline = time.monotonic() + 20
    while any(thread.name == "breaker-exporter" for thread in set(threading.enumerate()) - before):
        assert time.monotonic() < deadline, "a call of this test does not end"
        time.sleep(0.001)


@pytest.fixture
def provider() -> Iterator[TracerProvider]:
    """A provider of the application's."""
    provider = TracerProvider(resource=Resource({}), shutdown_on_exit=False)
    yield provider
    provider.shutdown()
