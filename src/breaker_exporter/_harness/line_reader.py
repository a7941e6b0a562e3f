"""The lines of several processes, read by the one that measures them."""

from __future__ import annotations

import selectors
from collections.abc import Mapping
from types import TracebackType
from typing import Any, cast

from .pipe import Lines


class LineReader:
    """Reads the lines of several processes as they come; leaving it closes no pipe.

    Args:
        processes: The pipe of each process, by its name.
    """

    def __init__(self, processes: Mapping[str, Lines]) -> None:
        self._selector = selectors.DefaultSelector()
        self._open = set[str]()
        for name, lines in processes.items():
            self.add(name, lines)

    def __enter__(self) -> LineReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._selector.close()

    def add(self, name: str, lines: Lines) -> None:
        """Read the lines of one more process."""
        self._open.add(name)
        self._selector.register(lines, selectors.EVENT_READ, name)

    @property
    def open(self) -> frozenset[str]:
        """Names of the processes that have not closed their pipes yet."""
        return frozenset(self._open)

    def read(self, timeout: float) -> list[tuple[str, dict[str, Any]]]:
        """Wait up to `timeout` seconds for lines; return each with the name of its process."""
        found: list[tuple[str, dict[str, Any]]] = []
        for key, _ in self._selector.select(timeout):
            lines = cast("Lines", key.fileobj)
            read = lines.read()
            if read is None:
                self._selector.unregister(lines)
                self._open.remove(key.data)
            found += [(key.data, line) for line in read or ()]
        return found
