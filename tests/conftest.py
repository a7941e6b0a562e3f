"""Marks (slow, alone), signals, and the fixtures that tests share: a clean environment, a collector."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from breaker_exporter.testing import FaultyCollector


def pytest_configure() -> None:
    # A shell starts what it runs in the background with Ctrl-C ignored, and children inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _slow() -> frozenset[str]:
    """Return the lines of ``slow.txt``: node ids of files, and of tests without their parameters."""
    lines = (Path(__file__).parent / "slow.txt").read_text().splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow = _slow()
    for item in items:
        test = item.nodeid.partition("[")[0]
        if not slow.isdisjoint({test, test.partition("::")[0]}):
            item.add_marker(pytest.mark.slow)
        if "tests/demo/test_run.py" in item.nodeid:
            item.add_marker(pytest.mark.alone)


@pytest.fixture
def no_variables_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove variables of the developer's own collector."""
    for name in os.environ:
        if name.startswith(("OTEL_", "BREAKER_EXPORTER_", "SENTRY_")):
            monkeypatch.delenv(name)


@pytest.fixture
def collector(faulty_collector: FaultyCollector) -> FaultyCollector:
    """A running collector, as new: the fixture that ships, under a short name."""
    return faulty_collector
