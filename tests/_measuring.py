"""Coverage of child processes: there it costs more than what the tests do, and most of them add nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ._lists import Listed

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

_START, _TEST = "COVERAGE_PROCESS_START", "MEASURED_TEST"  # pyproject.toml reads the other one
_STARTS_AGAIN = "faulty_collector"  # what all tests share, and a test has closed
_CONFIG = Path(__file__).parents[1] / "pyproject.toml"


class ChildProcesses:
    """A plug-in by which coverage starts in the children of the tests in measured.txt, or of all.

    It measures there as pyproject.toml says, with greenlets. `make coverage` measures this process without:
    it runs none, and they make coverage three times as slow.
    """

    def __init__(self) -> None:
        from coverage import Coverage

        running = Coverage.current()
        assert running is not None
        del os.environ["COVERAGE_PROCESS_CONFIG"]
        os.environ["COVERAGE_FILE"] = str(Path(str(running.get_option("run:data_file"))).absolute())
        self._measured = None if os.environ.get("MEASURED") == "all" else Listed("measured.txt")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """Set what coverage looks for when a Python starts, or remove it."""
        if self._measured is None or item.nodeid in self._measured:
            os.environ[_START] = str(_CONFIG)
            os.environ[_TEST] = item.nodeid.partition("[")[0]
        else:
            os.environ.pop(_START, None)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        """Measure what a fixture starts for several tests: which is the first depends on their order."""
        if fixturedef.scope == "function" and fixturedef.argname != _STARTS_AGAIN:
            return (yield)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(_START, str(_CONFIG))
            patch.delenv(_TEST, raising=False)
            return (yield)
