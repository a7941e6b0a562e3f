"""The supported Pythons stand in one place, the classifiers of pyproject.toml; all else follows them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SUPPORTED = [
    match[1]
    for classifier in PROJECT["project"]["classifiers"]
    if (match := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", classifier))
]


def listed(*arguments: str, path: str = os.environ["PATH"]) -> list[str]:
    command = ["sh", str(ROOT / "tools" / "pythons"), *arguments]
    done = subprocess.run(command, env={"PATH": path}, check=True, capture_output=True, text=True)
    return done.stdout.split()


def test_every_list_of_python_versions_agrees_with_the_classifiers() -> None:
    oldest, newest = SUPPORTED[0], SUPPORTED[-1]

    assert [f"3.{minor}" for minor in range(int(oldest[2:]), int(newest[2:]) + 1)] == SUPPORTED
    assert PROJECT["project"]["requires-python"] == f">={oldest}"
    assert PROJECT["tool"]["mypy"]["python_version"] == oldest
    assert "target-version" not in PROJECT["tool"]["ruff"]  # it follows requires-python
    for page in ("README.md", "docs/reference/versions.md"):
        assert f"Python {oldest} to {newest};" in (ROOT / page).read_text()
    for page in ("README.md", "CONTRIBUTING.md", "docs/explanation/benchmarks.md"):
        assert f"Python {oldest} or newer and make" in (ROOT / page).read_text()
    tests = (ROOT / ".github" / "workflows" / "tests.yml").read_text()
    assert f"python: {json.dumps(SUPPORTED)}" in tests


@pytest.mark.parametrize(("order", "step"), [("", 1), ("newest-first", -1)])
def test_only_interpreters_of_supported_versions_are_found(tmp_path: Path, order: str, step: int) -> None:
    for name in ("3.9", *SUPPORTED, "3.99"):
        python = tmp_path / f"python{name}"
        python.write_text("#!/bin/sh\n")  # reports that it is every version
        python.chmod(0o755)

    found = listed(*filter(None, [order]), path=f"{tmp_path}:/usr/bin:/bin")

    assert found == [f"{tmp_path}/python{version}" for version in SUPPORTED[::step]]


def test_the_supported_versions_do_not_depend_on_what_is_installed() -> None:
    assert listed("versions", path="/usr/bin:/bin") == SUPPORTED
