"""The memory that a cgroup leaves is found in either version, and retention keeps to its share of it."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from breaker_exporter import Retention
from breaker_exporter._base.cgroup import memory_limit
from breaker_exporter._core import retention as retentions

MIB = 1 << 20
V1_NONE = "9223372036854771712"


def tree(root: Path, groups: str | None, files: dict[str, str]) -> Path:
    """A root with this ``/proc/self/cgroup`` and these files below ``/sys/fs/cgroup``."""
    if groups is not None:
        (root / "proc/self").mkdir(parents=True)
        (root / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        file = root / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    return root


OWN = {"a/b/memory.max": str(512 * MIB)}
CASES: dict[str, tuple[str | None, dict[str, str], int | None]] = {
    "own group": ("0::/a/b\n", OWN, 512 * MIB),
    "a group above has less": ("0::/a/b\n", {**OWN, "a/memory.max": str(256 * MIB)}, 256 * MIB),
    "own group has less": ("0::/a/b\n", {**OWN, "a/memory.max": str(900 * MIB)}, 512 * MIB),
    "own group has none, one above has": (
        "0::/a/b\n",
        {"a/b/memory.max": "max", "a/memory.max": str(256 * MIB)},
        256 * MIB,
    ),
    "no limit": ("0::/a/b\n", {"a/b/memory.max": "max", "a/memory.max": "max"}, None),
    "container, which sees its own as the root": ("0::/\n", {"memory.max": str(64 * MIB)}, 64 * MIB),
    "container with the host's path": ("0::/host/pod\n", {"memory.max": str(64 * MIB)}, 64 * MIB),
    "process outside of its container's groups": (
        "0::/../other\n",
        {"memory.max": str(64 * MIB)},
        64 * MIB,
    ),
    "version 1": (
        "5:cpu,cpuacct:/a\n4:memory:/a\n0::/\n",
        {"memory/a/memory.limit_in_bytes": str(128 * MIB), "memory/memory.limit_in_bytes": V1_NONE},
        128 * MIB,
    ),
    "version 1, container with the host's path": (
        "4:memory:/docker/0123\n",
        {"memory/memory.limit_in_bytes": str(128 * MIB)},
        128 * MIB,
    ),
    "version 1, no limit": ("4:memory:/\n", {"memory/memory.limit_in_bytes": V1_NONE}, None),
    "version 1, other controllers alone": ("5:cpu:/a\n", {"cpu/a/memory.limit_in_bytes": "1"}, None),
    "no number": ("0::/\n", {"memory.max": "plenty"}, None),
    "no files": ("0::/a\n", {}, None),
    "not a line of cgroups": ("nonsense\n", {}, None),
    "no Linux": (None, {}, None),
}


@pytest.mark.parametrize("case", CASES)
def test_the_least_limit_of_the_group_and_those_around_it_holds(tmp_path: Path, case: str) -> None:
    groups, files, limit = CASES[case]

    assert memory_limit(tree(tmp_path, groups, files)) == limit


def test_the_limit_of_this_process_can_be_asked_for() -> None:
    limit = memory_limit()

    assert limit is None or limit > 0


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> int:
    """Of a container with half a GiB."""
    monkeypatch.setattr(retentions, "memory_limit", lambda: 512 * MIB)
    return 512 * MIB


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records]


@pytest.mark.parametrize(("memory", "level"), [(24 * MIB, "WARNING"), (16 * MIB, "INFO")])
def test_a_budget_above_a_64th_of_the_cgroup_is_cut_and_one_line_says_so(
    limit: int, memory: int, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    """K6. It is no warning where nobody asked for so much: it is the default."""
    caplog.set_level(logging.INFO)
    retention = Retention(memory=memory)

    assert {retention.budget.limit for _ in range(3)} == {8 * MIB}

    assert lines(caplog) == [
        (
            level,
            f"retention: 8388608 bytes are kept at most, not {memory}: 1/64 of what the cgroup may use",
        )
    ]


@pytest.mark.parametrize("memory", [0, 8 * MIB])
def test_a_budget_within_its_share_stays_as_it_is(
    limit: int, memory: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    assert Retention(memory=memory).budget.limit == memory

    assert lines(caplog) == []


def test_without_a_limit_the_budget_is_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retentions, "memory_limit", lambda: None)

    assert Retention(memory=1 << 40).budget.limit == 1 << 40


def test_each_process_has_a_budget_of_its_own_whenever_the_retention_was_made() -> None:
    """K11."""
    retention = Retention()
    before = retention.budget

    if (child := os.fork()) == 0:
        own = retention.budget
        os._exit(0 if own is not before and own is retention.budget and own.used == 0 else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert retention.budget is before
