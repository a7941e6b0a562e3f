"""`make upstream`: the results of OpenTelemetry's tests beside the list of those that cannot pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.upstream.report import concluded
from tools.upstream.verdict import LIST, Listed, Result, judge, missing, read

PRIVATE = Listed("It uses what is private.", ("ours",), ("http/*::test_session", "sdk/test_x.py::test_of[*"))


def test_a_failure_that_is_not_listed_is_a_failure_of_the_run() -> None:
    verdict = judge([Result("http/test_a.py::T::test_other", "failed", "1 != 2", used=1)], "ours", [PRIVATE])

    assert [result.why for result in verdict.failed] == ["1 != 2"]
    assert not verdict.is_good


def test_a_listed_failure_is_left_out_with_its_reason() -> None:
    verdict = judge([Result("http/test_a.py::T::test_session", "failed", used=1)], "ours", [PRIVATE])

    assert verdict.left_out == {PRIVATE.reason: ["http/test_a.py::T::test_session"]}
    assert verdict.is_good
    assert (verdict.ran, verdict.used, len(verdict.passed)) == (1, 1, 0)


def test_what_is_listed_for_one_way_has_to_pass_in_the_others() -> None:
    verdict = judge([Result("http/test_a.py::T::test_session", "failed", used=1)], "wrapped", [PRIVATE])

    assert not verdict.is_good


def test_a_listed_test_that_passes_is_told_and_no_failure() -> None:
    verdict = judge([Result("http/test_a.py::T::test_session", "passed", used=1)], "ours", [PRIVATE])

    assert verdict.passing == ["http/test_a.py::T::test_session"]
    assert verdict.is_good


def test_a_listed_test_that_passes_sometimes_is_not_told() -> None:
    listed = Listed("It does not wait.", ("ours",), ("http/*::test_session",), sometimes=True)
    verdict = judge([Result("http/test_a.py::T::test_session", "passed", used=1)], "ours", [listed])

    assert (verdict.passing, len(verdict.passed)) == ([], 1)


def test_a_run_in_which_nothing_of_ours_took_part_is_a_failure() -> None:
    """Otherwise a change of a name of theirs would leave their exporters alone, and all would pass."""
    assert not judge([Result("http/test_a.py::T::test_other", "passed")], "ours", [PRIVATE]).is_good


def test_a_test_that_skips_itself_did_not_run() -> None:
    verdict = judge([Result("http/test_a.py::T::test_other", "skipped")], "ours", [PRIVATE])

    assert (verdict.ran, verdict.skipped) == (0, ["http/test_a.py::T::test_other"])


def test_only_a_star_stands_for_other_text() -> None:
    assert PRIVATE.names("sdk/test_x.py::test_of[BatchSpanProcessor]", "ours")
    assert not PRIVATE.names("sdk/test_xxpy::test_of[BatchSpanProcessor]", "ours")
    assert not PRIVATE.names("http/test_a.py::T::test_session_of_mine", "ours")


def test_a_listed_name_that_no_test_has_is_found() -> None:
    tests = {"ours": ["http/test_a.py::T::test_session"], "wrapped": ["sdk/test_x.py::test_of[A]"]}

    assert missing([PRIVATE], tests) == ["ours: sdk/test_x.py::test_of[*"]


def test_the_committed_list_has_a_reason_for_each_test_and_names_none_twice() -> None:
    names = [(way, test) for entry in read(LIST) for way in entry.ways for test in entry.tests]

    assert names
    assert len(names) == len(set(names))


def test_an_entry_without_a_reason_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "list.toml"
    path.write_text('[[cannot_pass]]\nreason = ""\nways = ["ours"]\ntests = ["a"]\n')

    with pytest.raises(ValueError, match="needs a reason"):
        read(path)


def test_the_report_ends_with_the_figures_of_all_runs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    passed = judge([Result("http/test_a.py::T::test_other", "passed", used=1)], "ours", [PRIVATE])
    failed = judge([Result("http/test_a.py::T::test_new", "failed", "1 != 2", used=1)], "wrapped", [PRIVATE])

    assert concluded({("http 1.45", "ours"): passed}, [], 1.0) == 0
    assert concluded({("http 1.45", "ours"): passed, ("http 1.45", "wrapped"): failed}, [], 1.0) == 1
    said = capsys.readouterr().out.splitlines()
    assert "FAILED wrapped: http/test_a.py::T::test_new: 1 != 2" in said
    assert [line.split()[1:] for line in said if line.startswith("all")] == [
        ["1", "1", "1", "0", "0"],
        ["2", "2", "1", "0", "1"],
    ]
