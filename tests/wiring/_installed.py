"""A package that has an entry point, installed for one test."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import pytest

_numbers = itertools.count(1)


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, group: str, name: str, code: str) -> None:
    """Installs a module of `code`, whose ``make`` is the entry point `name` of `group`."""
    module = f"installed_{next(_numbers)}"
    write(folder, module, group, {name: "make"}, code)
    monkeypatch.syspath_prepend(str(folder))


def write(folder: Path, module: str, group: str, functions: Mapping[str, str], code: str) -> None:
    """Writes a module of `code` with entry points in `group`: the name of each, and its function."""
    (folder / f"{module}.py").write_text(code)
    information = folder / f"{module}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    entries = "".join(f"{name} = {module}:{function}\n" for name, function in functions.items())
    (information / "entry_points.txt").write_text(f"[{group}]\n{entries}")
