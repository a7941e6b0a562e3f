"""Judges test results by the list of tests that cannot pass."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LIST = Path(__file__).with_name("cannot_pass.toml")


@dataclass(frozen=True)
class Result:
    """The result of a test.

    Attributes:
        test: Its name, which begins with the key of its package.
        outcome: ``passed``, ``failed`` or ``skipped``.
        why: The last line of its failure.
        used: Number of times that it has made or called what is ours.
    """

    test: str
    outcome: str
    why: str = ""
    used: int = 0


@dataclass(frozen=True)
class Listed:
    """Tests that cannot pass, for one reason.

    Attributes:
        reason: The reason.
        ways: The ways in which they cannot.
        tests: Their names; ``*`` stands for any text.
        sometimes: True where it depends on time whether they pass: one that does is not told.
    """

    reason: str
    ways: Sequence[str]
    tests: Sequence[str]
    sometimes: bool = False

    def names(self, test: str, way: str) -> bool:
        """Return whether this test is one of them."""
        return way in self.ways and any(_matches(pattern, test) for pattern in self.tests)


@dataclass
class Verdict:
    """The results of one run of tests.

    Attributes:
        passed: Tests that passed.
        skipped: Those that skipped themselves.
        failed: Failures that are not listed.
        left_out: Failures that are, by reason.
        passing: Tests that are listed, and pass.
        used: Tests in which something of ours took part.
    """

    passed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: list[Result] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    passing: list[str] = field(default_factory=list)
    used: int = 0

    @property
    def is_good(self) -> bool:
        """Nothing has failed that is not listed, and what ran had something of ours in it."""
        return not self.failed and self.used > 0

    @property
    def ran(self) -> int:
        """Number of tests that did not skip themselves."""
        return len(self.passed) + len(self.failed) + self.number_left_out

    @property
    def number_left_out(self) -> int:
        return sum(map(len, self.left_out.values()))


def read(path: Path = LIST) -> list[Listed]:
    """Return what is listed.

    Raises:
        ValueError: An entry has no reason, or names no test or no way.
    """
    listed = [Listed(**entry) for entry in tomllib.loads(path.read_text())["cannot_pass"]]
    for entry in listed:
        if not (entry.reason and entry.ways and entry.tests):
            raise ValueError(f"{path.name}: an entry needs a reason, ways and tests: {entry}")
    return listed


def judge(results: Iterable[Result], way: str, listed: Sequence[Listed]) -> Verdict:
    """Return what the results of one way mean."""
    verdict = Verdict()
    for result in results:
        entry = next((entry for entry in listed if entry.names(result.test, way)), None)
        verdict.used += result.used > 0
        if result.outcome == "skipped":
            verdict.skipped.append(result.test)
        elif result.outcome == "passed":
            verdict.passed.append(result.test)
            if entry is not None and not entry.sometimes:
                verdict.passing.append(result.test)
        elif entry is None:
            verdict.failed.append(result)
        else:
            verdict.left_out.setdefault(entry.reason, []).append(result.test)
    return verdict


def missing(listed: Sequence[Listed], tests: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the listed names that no test of that way has.

    Args:
        listed: The list.
        tests: The names of all tests that ran, by way.
    """
    return [
        f"{way}: {pattern}"
        for entry in listed
        for way in entry.ways
        for pattern in entry.tests
        if way in tests and not any(_matches(pattern, test) for test in tests[way])
    ]


def _matches(pattern: str, test: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), test) is not None
