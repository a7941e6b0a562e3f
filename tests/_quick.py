"""The tests that `make quick` runs: no slow ones, and three cases of each of the others."""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import TYPE_CHECKING, TypeVar

import pytest

from ._lists import HERE, Listed, file_of, test_of, write

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Case = TypeVar("Case")

LIST = "slow.txt"
SLOW = 0.05
"""Seconds that the cases of a slow test take on average. A process that a test starts takes longer."""

_TITLE = "# Slow tests, which make quick leaves out: a file, or one test of it, a line; by make slow."
_LEFT_OUT = ("slow", "long", "alone")


class Slow:
    """A plug-in that marks slow tests."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Mark those that are listed, and those for which Hypothesis makes a hundred cases."""
        listed = Listed(LIST)
        for item in items:
            if item.nodeid in listed or _is_property(item):
                item.add_marker(pytest.mark.slow)


class Quick:
    """A plug-in that leaves out slow tests."""

    def __init__(self) -> None:
        self._listed = Listed(LIST)

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Import no file in which all tests are slow."""
        return True if self._listed.names_file(collection_path) else None

    # First, since Hypothesis reads all of the source where one of its tests is left.
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item], config: pytest.Config) -> None:
        """Keep what is quick."""
        _keep([item for item in items if not any(map(item.get_closest_marker, _LEFT_OUT))], items, config)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name tests that took twenty times as long as a quick one may: new ones, or the machine is busy."""
        took: dict[str, float] = defaultdict(float)
        for report in terminalreporter.stats.get("passed", []):
            took[report.nodeid] += report.duration
        if slow := sorted(test for test, seconds in took.items() if seconds >= 20 * SLOW):
            terminalreporter.write_line(f"over {20 * SLOW:g} s, make slow would list them: {', '.join(slow)}")


class ThreeCases:
    """A plug-in that leaves out most cases of each test, or of slow ones. A scenario is a test of its own."""

    def __init__(self, tests: str) -> None:
        self._tests = tests

    def pytest_collection_modifyitems(self, items: list[pytest.Item], config: pytest.Config) -> None:
        """Keep three of each."""
        cases: dict[str, list[pytest.Item]] = defaultdict(list)
        for item in items:
            of = getattr(item, "callspec", None)
            keeps_all = self._tests == "slow" and not item.get_closest_marker("slow")
            is_alone = keeps_all or (of and "scenario" in of.params)
            cases[item.nodeid if is_alone else test_of(item.nodeid)].append(item)
        _keep([item for each in cases.values() for item in three_of(each)], items, config)


class Share:
    """A plug-in that leaves all but every third file to other processes, where the share is `1/3`."""

    def __init__(self, share: str) -> None:
        mine, _, number = share.partition("/")
        files = sorted(HERE.rglob("test_*.py"))
        self._others = {file for at, file in enumerate(files) if at % int(number) != int(mine) - 1}

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Import no file of the others."""
        return True if collection_path in self._others else None


class Durations:
    """A plug-in that writes the list of slow tests."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up what setup, call and teardown of a case take."""
        self._seconds[report.nodeid] += report.duration

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Write the list, if all tests have passed."""
        if exitstatus == pytest.ExitCode.OK:
            write(LIST, _TITLE, slow_tests(self._seconds, Listed(LIST)))


def slow_tests(seconds: Mapping[str, float], before: Listed) -> list[str]:
    """Return the lines of the list.

    Args:
        seconds: What each case took, by node id.
        before: The list as it is; a test stays there until it takes half as long as one that comes anew.
    """
    cases: dict[str, list[float]] = defaultdict(list)
    for node_id, took in seconds.items():
        cases[test_of(node_id)].append(took)
    slow = {
        test
        for test, took in cases.items()
        if sum(took) / len(took) >= (SLOW / 2 if test in before else SLOW)
    }
    mixed = {file_of(test) for test in cases.keys() - slow}
    return sorted({test if file_of(test) in mixed else file_of(test) for test in slow})


def three_of(cases: list[Case]) -> list[Case]:
    """Return the first, the last, and one between: of three signals and of two protocols, each comes."""
    return [cases[number] for number in sorted({0, len(cases) // 2, len(cases) - 1})]


def _keep(kept: list[pytest.Item], items: list[pytest.Item], config: pytest.Config) -> None:
    staying = set(kept)
    config.hook.pytest_deselected(items=[item for item in items if item not in staying])
    items[:] = [item for item in items if item in staying]


def _is_property(item: pytest.Item) -> bool:
    hypothesis = sys.modules.get("hypothesis")
    return hypothesis is not None and hypothesis.is_hypothesis_test(getattr(item, "obj", None))
