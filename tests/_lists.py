"""Lists of tests in text files: node ids of files, or of tests without their parameters, a line each."""

from __future__ import annotations

from pathlib import Path


class Listed:
    """The tests that a list in this folder names."""

    def __init__(self, name: str) -> None:
        lines = (Path(__file__).parent / name).read_text().splitlines()
        self._named = {line for line in lines if not line.startswith("#")}

    def __contains__(self, node_id: str) -> bool:
        test = node_id.partition("[")[0]
        return not self._named.isdisjoint({test, test.partition("::")[0]})
