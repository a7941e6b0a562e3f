"""An object of which each gevent hub has its own; where sockets are not gevent's, all threads share one.

What waits in one hub cannot be woken in another: a connection that is kept alive belongs to the hub of the
thread that opened it. A native thread has one hub, so it is looked up by the thread. There is no lock: a
forked child could find it held.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

from .native import new_local
from .patched import is_patched

T = TypeVar("T")

_all: list[weakref.ref[OneAHub[Any]]] = []


class OneAHub(Generic[T]):
    """Holds the objects of all hubs of this process.

    In a forked child it holds on to those of threads that the child does not have: to finalize one there
    could wait for a lock that nobody holds any more.

    Args:
        shared: That of all threads, where sockets are not gevent's.
        make: Makes one for a hub.
        close: Ends one of a hub, when its hub or its thread ends.
    """

    def __init__(self, shared: T, make: Callable[[], T], close: Callable[[T], object]) -> None:
        self._shared = None if is_patched("socket") else shared
        self._make = make
        self._close = close
        self._pid = os.getpid()
        self._own = new_local()
        self._by_end: dict[weakref.ref[_End], T] = {}
        _all.append(weakref.ref(self, _all.remove))

    @property
    def here(self) -> T:
        """That of the caller's hub."""
        if self._shared is not None:
            return self._shared
        try:
            made: T = self._own.made
        except AttributeError:
            end, made = _End(), self._make()
            self._by_end[weakref.ref(end, partial(_end_of, weakref.ref(self)))] = made
            self._own.end, self._own.made = end, made
        return made

    @property
    def known(self) -> tuple[T, ...]:
        """All that there are."""
        return tuple(self._by_end.values()) if self._shared is None else (self._shared,)

    def leave_hub(self) -> None:
        """Close that of the caller's hub, which ends."""
        vars(self._own).clear()

    def _ended(self, end: weakref.ref[_End]) -> None:
        # In a forked child, the threads of its parent end at once.
        if os.getpid() == self._pid:
            with contextlib.suppress(Exception):  # where its hub is destroyed already
                self._close(self._by_end.pop(end))


class _End:
    """Dies with the thread that has it, or when that leaves its hub."""


def _end_of(owner: weakref.ref[OneAHub[T]], end: weakref.ref[_End]) -> None:
    if (known := owner()) is not None:
        known._ended(end)


def leave_hub() -> None:
    """Close what the caller's hub has of all such objects: it ends."""
    for known in list(_all):
        if (each := known()) is not None:
            each.leave_hub()
