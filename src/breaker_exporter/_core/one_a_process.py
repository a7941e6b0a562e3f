"""An object of which each process has its own: a forked child makes its own from its parent's (R5)."""

from __future__ import annotations

import os
from typing import Generic, Protocol, Self, TypeVar


class Forking(Protocol):
    """An object that a forked child cannot use."""

    def forked(self) -> Self:
        """Return one for a forked child."""
        ...


T = TypeVar("T", bound=Forking)


class OneAProcess(Generic[T]):
    """Holds the object of the process that asks.

    Args:
        first: That of the current process.
    """

    def __init__(self, first: T) -> None:
        self._known = {os.getpid(): first}

    @property
    def here(self) -> T:
        """This process's. Looked up at every use: no hook of ours has to run in ``os.fork``."""
        known = self._known
        pid = os.getpid()
        here = known.get(pid)
        if here is None:
            # Several threads of a child may come here at once: all get the first one's.
            parent = next(one for process, one in list(known.items()) if process != pid)
            here = known.setdefault(pid, parent.forked())
            self._known = {pid: here}
        return here
