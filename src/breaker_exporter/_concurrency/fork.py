"""Locks in a forked child: the thread that held one at the fork does not exist there."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol

from .state_lock import forget_locks_of_others


class Locked(Protocol):
    """An object that guards its state with a lock."""

    lock: threading.RLock

    def _new_lock(self) -> threading.RLock: ...


_locked: weakref.WeakSet[Locked] = weakref.WeakSet()


def renew_lock_in_child(owner: Locked) -> None:
    """In every forked child, give `owner` a new lock.

    Copies of the parent's greenlets go on in the child, and take the lock as they end.
    """
    _locked.add(owner)


def _renew_locks() -> None:
    forget_locks_of_others()
    for owner in list(_locked):
        owner.lock = owner._new_lock()


os.register_at_fork(after_in_child=_renew_locks)
