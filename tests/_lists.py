"""Lists of tests in text files: node ids of files, or of tests without their parameters, a line each."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent


class Listed:
    """The tests that a list in this folder names."""

    def __init__(self, name: str) -> None:
        lines = (HERE / name).read_text().splitlines()
        self._named = {line for line in lines if not line.startswith("#")}

    def __contains__(self, node_id: str) -> bool:
        return not self._named.isdisjoint({test_of(node_id), file_of(node_id)})

    def names_file(self, path: Path) -> bool:
        """Return whether all tests of a file are in the list."""
        return path.is_relative_to(HERE) and path.relative_to(HERE.parent).as_posix() in self._named


def write(name: str, title: str, lines: list[str]) -> None:
    """Write a list, below a line that says what it is."""
    (HERE / name).write_text("\n".join([title, *lines]) + "\n")


def test_of(node_id: str) -> str:
    """Return the node id of a test without the parameters of its case."""
    return node_id.partition("[")[0]


def file_of(node_id: str) -> str:
    """Return the node id of a test's file."""
    return node_id.partition("::")[0]
