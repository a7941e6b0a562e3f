"""What the evaluation of a configuration leaves to see: which line imported what."""

from __future__ import annotations

import importlib.abc
import sys
from collections.abc import Sequence
from types import ModuleType

from .._concurrency.patch_order import holders_of


class Witness(importlib.abc.MetaPathFinder):
    """Notes which line of the configuration each module is first imported for; finds none itself."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.lines: dict[str, int] = {}

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        frame = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename != self._path:
            frame = frame.f_back  # type: ignore[assignment]
        if frame is not None:
            self.lines.setdefault(fullname, frame.f_lineno)


def place(lines: list[str], number: int | None) -> str:
    """A line of the configuration, its source with it where that is an import: else it may hold anything."""
    if number is None:
        return "a thread of it"
    source = lines[number - 1].strip()
    return f"line {number}: {source}" if source.startswith(("import ", "from ")) else f"line {number}"


def holders(original: type) -> list[str]:
    """The loaded modules that hold this class, which gevent's patch takes the place of: each by one name."""
    return [name for name in holders_of(original) if name != "__config__" and not _is_alias(name)]


def _is_alias(name: str) -> bool:
    module = sys.modules.get(name)
    return issubclass(type(module), ModuleType) and vars(module).get("__name__") != name
