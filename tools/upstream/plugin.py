"""The pytest plugin beside OpenTelemetry's tests: puts ours in, and writes down what became of each test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from .ways import WAYS, Way


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--way", choices=sorted(WAYS), help="what is put in")
    parser.addoption("--results", type=Path, help="the file that gets the results")


def pytest_configure(config: pytest.Config) -> None:
    way = WAYS[config.getoption("--way")]()
    way.install()
    config.pluginmanager.register(_Recorder(way, config.getoption("--results")))


class _Recorder:
    def __init__(self, way: Way, path: Path) -> None:
        self._way = way
        self._path = path
        self._results: dict[str, dict[str, object]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Change each module once, and only after it was imported whole."""
        for module in {item.module for item in items if isinstance(item, pytest.Function)}:
            self._way.change(module)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        before = self._way.used
        self._results[item.nodeid] = {"outcome": "passed", "why": ""}
        result = yield
        self._results[item.nodeid]["used"] = self._way.used - before
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Iterator[None]:
        result = yield
        self._way.check()
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test of three reports, or more with subtests, has failed where one of them has."""
        result = self._results[report.nodeid]
        if report.failed:
            result.update(outcome="failed", why=_reason(report.longreprtext))
        elif report.skipped and result["outcome"] == "passed":
            result["outcome"] = "skipped"

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._results[report.nodeid] = {"outcome": "failed", "why": report.longreprtext, "used": 0}

    def pytest_sessionfinish(self) -> None:
        self._path.write_text(json.dumps(self._results))


def _reason(text: str) -> str:
    """Return the first line of the error, which pytest marks."""
    lines = [line for line in text.splitlines() if line.startswith("E ")] or text.splitlines() or [""]
    return lines[0].removeprefix("E").strip()
