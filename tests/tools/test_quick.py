"""`make quick` and `make slow`: which tests are slow, and which cases of a test are run all the time."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest

from tests import _lists
from tests._lists import Listed
from tests._quick import SLOW, Share, slow_tests, three_of


def listed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *lines: str) -> Listed:
    monkeypatch.setattr(_lists, "HERE", tmp_path / "tests")
    (tmp_path / "tests").mkdir()
    _lists.write("list.txt", "# a list", [*lines])
    return Listed("list.txt")


def test_a_list_names_tests_or_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    named = listed(monkeypatch, tmp_path, "tests/test_a.py", "tests/test_b.py::test_one")

    assert "tests/test_a.py::test_any[case]" in named
    assert "tests/test_b.py::test_one[case]" in named
    assert "tests/test_b.py::test_one_more" not in named
    assert named.names_file(tmp_path / "tests" / "test_a.py")
    assert not named.names_file(tmp_path / "tests" / "test_b.py")
    assert not named.names_file(tmp_path / "elsewhere" / "test_a.py")


def test_a_test_is_slow_by_the_mean_of_its_cases(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    took = {
        "tests/test_a.py::test_slow[1]": 0.1 * SLOW,
        "tests/test_a.py::test_slow[2]": 1.9 * SLOW,
        "tests/test_a.py::test_quick[1]": 0.1 * SLOW,
        "tests/test_a.py::test_quick[2]": 1.8 * SLOW,
    }

    assert slow_tests(took, listed(monkeypatch, tmp_path)) == ["tests/test_a.py::test_slow"]


def test_a_file_is_listed_where_all_its_tests_are_slow(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    took = {"tests/test_a.py::test_one": SLOW, "tests/test_a.py::TestClass::test_two": SLOW}

    assert slow_tests(took, listed(monkeypatch, tmp_path)) == ["tests/test_a.py"]


def test_a_listed_test_stays_until_it_takes_half_as_long(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = listed(monkeypatch, tmp_path, "tests/test_a.py")
    took = {"tests/test_a.py::test_one": 0.6 * SLOW, "tests/test_a.py::test_two": 0.4 * SLOW}

    assert slow_tests(took, before) == ["tests/test_a.py::test_one"]


@pytest.mark.parametrize(("count", "kept"), [(1, [0]), (2, [0, 1]), (3, [0, 1, 2]), (6, [0, 3, 5])])
def test_three_cases_have_each_of_two_protocols_and_of_three_signals(count: int, kept: list[int]) -> None:
    assert three_of([*range(count)]) == kept


def test_the_shares_have_each_file_once() -> None:
    files = [*_lists.HERE.rglob("test_*.py")]
    shares = [Share(f"{mine}/3") for mine in (1, 2, 3)]

    kept = [[file for file in files if not share.pytest_ignore_collect(file)] for share in shares]

    assert sorted(chain.from_iterable(kept)) == sorted(files)
    assert max(map(len, kept)) - min(map(len, kept)) <= 1
