"""What the wiring's tests share: a clean environment, a collector as new, and how each ends."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from breaker_exporter.testing import FaultyCollector


@pytest.fixture(autouse=True)
def no_variables_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have a collector of their own."""
    for name in os.environ:
        if name.startswith(("OTEL_", "BREAKER_EXPORTER_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def _process() -> Iterator[FaultyCollector]:
    with FaultyCollector() as collector:
        yield collector


@pytest.fixture
def collector(_process: FaultyCollector) -> FaultyCollector:
    """A running collector, as new."""
    _process.renew()
    return _process
