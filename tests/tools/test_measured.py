"""`make measured`: few tests whose child processes reach what no test reaches in its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from coverage import CoverageData

ROOT = Path(__file__).parents[2]
SOURCE = """\
def answer(given):
    if given:
        return 1
    return 2
"""


def test_few_tests_reach_each_line_and_branch_twice_where_two_do(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(SOURCE)
    (tmp_path / "pyproject.toml").write_text("[tool.coverage.run]\nbranch = true\n")
    data = CoverageData(str(tmp_path / ".coverage"))
    ends, one, two = (-1, 1), [(-1, 2), (2, 3), (3, -1)], [(-1, 2), (2, 4), (4, -1)]
    for context, arcs in {
        "": [ends, (1, -1)],
        "test_x.py::test_all": one + two,
        "test_x.py::test_first": one,
        "test_x.py::test_second": two,
        "test_x.py::test_third": two,
        "test_x.py::test_nothing_new": [ends],
    }.items():
        data.set_context(context)
        data.add_arcs({str(module): arcs})
    data.write()

    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    said = subprocess.run(
        [sys.executable, ROOT / "tools" / "measured"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    title, *tests = said.splitlines()
    assert title.startswith("# ")
    assert tests == ["test_x.py::test_all", "test_x.py::test_first", "test_x.py::test_second"]


@pytest.mark.parametrize("name", ["measured.txt", "slow.txt"])
def test_each_line_of_a_list_names_tests_that_exist(name: str) -> None:
    lines = [line for line in (ROOT / "tests" / name).read_text().splitlines() if not line.startswith("#")]

    assert [line for line in lines if not _exists(line)] == []
    assert lines == sorted(lines)


def _exists(line: str) -> bool:
    file, *names = line.split("::")
    text = (ROOT / file).read_text() if (ROOT / file).exists() else ""
    return bool(text) and all(f"def {name}(" in text or f"class {name}:" in text for name in names)
