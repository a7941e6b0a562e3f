"""What the wiring's tests share: a clean environment, and nothing left running for the next test."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest

from breaker_exporter.testing import FaultyCollector


@pytest.fixture(autouse=True)
def no_variables_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have a collector of their own."""
    for name in os.environ:
        if name.startswith(("OTEL_", "BREAKER_EXPORTER_")):
            monkeypatch.delenv(name)


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
