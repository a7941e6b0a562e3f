"""A gate that exports pass, closed while the process forks.

The first export imports modules, on a thread of OpenTelemetry's. A child that was forked meanwhile would wait
for the lock of such a module for ever.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

from .._concurrency.patched import is_patched

_FOR_EXPORTS = 1.0
"""Seconds that a fork waits for the exports that are out, which may be until a backend answers."""
_FOR_IMPORTS = 10.0
"""Seconds that a fork waits for imports, which end by themselves, and that an export waits for a fork."""


class ForkGate:
    """Counts the exports that are out, and holds new ones back while it is closed."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._out = 0
        self._importing = 0
        self._is_closed = False

    @contextlib.contextmanager
    def passing(self) -> Iterator[None]:
        """Inside, an export is out."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_closed, _FOR_IMPORTS)
            self._out += 1
        try:
            yield
        finally:
            with self._changed:
                self._out -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def importing(self) -> Iterator[None]:
        """Inside, an export that is out imports."""
        with self._changed:
            self._importing += 1
        try:
            yield
        finally:
            with self._changed:
                self._importing -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Hold back new exports, and wait until no export is out, or too long."""
        with self._changed:
            self._is_closed = True
            self._changed.wait_for(lambda: not self._importing, _FOR_IMPORTS)
            self._changed.wait_for(lambda: not self._out, _FOR_EXPORTS)

    def open(self) -> None:
        """Let exports pass again."""
        with self._changed:
            self._is_closed = False
            self._changed.notify_all()


_gate = ForkGate()


def export_passing() -> contextlib.AbstractContextManager[None]:
    """Inside, an export is out, and the process does not fork unless that takes too long."""
    return _gate.passing()


def making() -> contextlib.AbstractContextManager[None]:
    """Inside, an export makes what it exports by, and imports for that."""
    return _gate.importing()


def _before_fork() -> None:
    # Greenlets import in one go, and their hub must not wait here.
    if not is_patched():
        _gate.close()


def _in_parent() -> None:
    _gate.open()


def _in_child() -> None:
    global _gate  # noqa: PLW0603
    _gate = ForkGate()  # the exports that were out are the parent's


os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)
