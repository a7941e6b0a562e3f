"""The files and folders that CONTRIBUTING and the architecture page name are those of the repository."""

from __future__ import annotations

import re

from ._pages import ROOT

SOURCE = ROOT / "src" / "breaker_exporter"
BEFORE, _, _REST = (ROOT / "docs" / "architecture.md").read_text().partition("## Layout\n\n```text\n")
LAYOUT, _, AFTER = _REST.partition("\n```")


def layout() -> dict[str, list[str]]:
    """Return the names below each folder of the layout; ``""`` has the folders themselves."""
    found: dict[str, list[str]] = {"": []}
    for line in LAYOUT.splitlines():
        name = line.split()[0].rstrip("/")
        if not line.startswith(" "):
            found[""].append(name)
            found[name] = []
        else:
            found[found[""][-1]].append(name)
    return found


def entries(folder: str) -> set[str]:
    """Return the names in a folder that a contributor may have to find."""
    unnamed = {"__pycache__", "__init__.py", "conftest.py", "py.typed"}
    return {path.name for path in (ROOT / folder).iterdir() if not path.name.startswith(".")} - unnamed


def test_each_file_and_folder_in_the_layout_exists() -> None:
    missing = [
        f"{folder}/{name}"
        for folder, names in layout().items()
        for name in names
        if not (ROOT / folder / name).exists()
    ]

    assert missing == []


def test_the_layout_names_each_part_of_the_package_and_each_tool() -> None:
    named = layout()

    assert entries("src/breaker_exporter") - set(named["src/breaker_exporter"]) == set()
    assert entries("tools") - set(named["tools"]) == set()


def test_the_layout_names_each_folder_of_tests_and_benchmarks() -> None:
    named = layout()
    for folder in ("tests", "benchmarks"):
        below = {name for name in entries(folder) if (ROOT / folder / name).is_dir()}
        assert below - {"plots", "out"} - set(named[folder]) == set()


def test_each_file_that_contributing_names_exists() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"`((?:src|tests|tools|benchmarks|docs|examples)/[\w./-]+)`", text))

    assert "tests/slow.txt" in named
    made = {"benchmarks/out", "docs/_build/html"}  # by a run
    assert [name for name in sorted(named - made) if not (ROOT / name).exists()] == []


def test_each_file_that_architecture_names_exists() -> None:
    named = set(re.findall(r"(?<![\w/.-])_?[a-z]\w*(?:/\w+)*(?:\.py|/(?=[\s`;,]))", BEFORE + AFTER))

    assert "_core/circuit.py" in named
    assert [
        name for name in sorted(named) if not any((place / name).exists() for place in (SOURCE, ROOT))
    ] == []


def test_architecture_says_what_each_folder_of_the_package_is_for() -> None:
    folders = {path.name for path in SOURCE.iterdir() if path.is_dir()} - {"__pycache__"}

    assert {name for name in folders if f"{name}/" not in BEFORE + AFTER} == set()
