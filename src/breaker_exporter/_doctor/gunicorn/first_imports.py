"""Observation of a configuration while it runs: the line for which each module is first imported."""

from __future__ import annotations

import importlib.abc
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType

from ..._concurrency.patch_order import holders_of


class FirstImports(importlib.abc.MetaPathFinder):
    """Notes the line of a file that each module is first imported for; finds no module itself."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lines: dict[str, int] = {}

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        frame = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename != self._path:
            frame = frame.f_back  # type: ignore[assignment]
        if frame is not None:
            self._lines.setdefault(fullname, frame.f_lineno)

    def of_holders(self, context: type, before: set[str], source: str) -> dict[str, list[str]]:
        """Return the modules that hold this class and did not before, by where they were imported."""
        found: dict[str, list[str]] = {}
        lines = source.splitlines()
        for name in set(holders(context)) - before:
            number = self._lines.get(name)
            # The source of an import is shown; that of another line may hold anything.
            line = "" if number is None else lines[number - 1].strip()
            shown = f": {line}" if line.startswith(("import ", "from ")) else ""
            place = "a thread of it" if number is None else f"line {number}{shown}"
            found.setdefault(place, []).append(name)
        return {place: sorted(names) for place, names in found.items()}


def holders(context: type) -> Iterator[str]:
    """Return the loaded modules that hold this class, each by one name."""
    for name in holders_of(context):
        module = sys.modules.get(name)
        is_alias = issubclass(type(module), ModuleType) and vars(module).get("__name__") != name
        if name != "__config__" and not is_alias:
            yield name
