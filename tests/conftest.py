"""Marks, signals, coverage of child processes, and shared fixtures: a clean environment, two collectors."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ._measuring import ChildProcesses
from ._quick import Durations, Quick, Share, Slow, ThreeCases

if TYPE_CHECKING:
    from collections.abc import Iterator

    from breaker_exporter.testing import FaultyCollector


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("quick", "make quick, make slow")
    group.addoption("--quick", action="store_true", help="leave out tests marked as slow, long or alone")
    group.addoption("--three-cases", choices=["all", "slow"], help="leave out the other cases of these tests")
    group.addoption("--share", metavar="1/3", help="leave all but every third file to other processes")
    group.addoption("--list-slow", action="store_true", help="write the list of slow tests")


def pytest_configure(config: pytest.Config) -> None:
    if tests := config.getoption("three_cases"):
        config.pluginmanager.register(ThreeCases(tests))
    if config.getoption("quick"):
        config.pluginmanager.register(Quick())
    if share := config.getoption("share"):
        config.pluginmanager.register(Share(share))
    if config.getoption("list_slow") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Durations())
    config.pluginmanager.register(Slow())  # last, so that its hook comes first: what is slow is left out
    # A shell starts what it runs in the background with signals of keys ignored, and children inherit that.
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
    if config.getoption("dist", "no") == "no":  # this process runs tests, and does not only hand them out
        gc.disable()  # until they are collected, as nearly all that this makes stays
        _prepend_to_pythonpath(Path(__file__).parent / "children")
        if "COVERAGE_PROCESS_CONFIG" in os.environ:
            config.pluginmanager.register(ChildProcesses())


def _prepend_to_pythonpath(folder: Path) -> None:
    paths = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{folder}{os.pathsep}{paths}" if paths else str(folder)


def pytest_collection_finish() -> None:
    # Thousands of collected tests, which each later collection of garbage would look through.
    gc.collect()
    gc.freeze()
    gc.enable()


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


@pytest.fixture(scope="session")
def _sentry_process() -> Iterator[FaultyCollector]:
    from breaker_exporter.testing import FaultyCollector

    with FaultyCollector() as sentry:
        yield sentry


@pytest.fixture
def sentry(_sentry_process: FaultyCollector) -> Iterator[FaultyCollector]:
    """A Sentry: another process than the collector."""
    _sentry_process.renew()
    yield _sentry_process
    _sentry_process.renew()
