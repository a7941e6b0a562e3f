"""The lease of a spool, for one piece of work beside the workers that share it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .interruption import Interruption

if TYPE_CHECKING:
    from .._spool.spool import Spool

_WITHIN = 30.0
"""Seconds: a worker gives it back after each batch, which may take as long as its call."""
_LOOK_EVERY = 0.5
"""Seconds between two looks whether Ctrl-C was pressed."""


class GivenUp(Exception):
    """Nothing more is done for now; the text says why."""


class Leasing:
    """Holds one lease after another.

    Args:
        interruption: Ends a wait.
        say: Writes a line, where a wait begins for the first time.
    """

    def __init__(self, interruption: Interruption, say: Callable[[str], object]) -> None:
        self._interruption = interruption
        self._say = say
        self._has_said = False

    @contextmanager
    def held(self, spool: Spool) -> Iterator[None]:
        """Hold the lease of an open spool meanwhile.

        Raises:
            GivenUp: Another process keeps it.
            Interrupted: Ctrl-C was pressed.
            OSError: The folder has vanished, or its file system cannot lock.
        """
        deadline = time.monotonic() + _WITHIN
        while not (spool.try_lease() or spool.wait_for_lease(_LOOK_EVERY)):
            if time.monotonic() >= deadline:
                raise GivenUp(
                    f"another process has held the lease of {spool.path!r} for {_WITHIN:g} s: is it stopped?"
                )
            if not self._has_said:
                self._has_said = True
                self._say(f"waiting until another process gives the lease of {spool.path!r} back")
            self._interruption.check()
        try:
            yield
        finally:
            spool.give_back()
