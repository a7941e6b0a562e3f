"""The user's wish to keep what cannot be delivered yet, and the memory for that."""

from __future__ import annotations

import logging
import os
from typing import Literal

from .._base.cgroup import memory_limit
from .._base.log import say
from .budget import Budget
from .retention_settings import (
    KEEP,
    REPLAY_RATE,
    RETAIN_DIRECTORY,
    RETAIN_DISK,
    RETAIN_MAX_AGE,
    RETAIN_MEMORY,
    Keep,
)

SHARE_OF_CGROUP = 64
"""One part in so many of the memory that the process's cgroup may use is the most that is kept (K6)."""
_ON_THE_WAY = 1 << 20
"""Bytes of memory at least, where there is a directory: for what is on its way to the disk."""


class Retention:
    """Keeps what could not be delivered, and delivers it when the backend is back.

    Given to several exporters, it is one budget for all of them. A forked child has a budget of its own.

    Args:
        memory: Bytes in each process, cut to 1/64 of what its cgroup may use (one WARNING); 0: nothing is
            kept there, but for what is on its way to `directory`. Default 16777216 (16 MiB).
        directory: An absolute path. What cannot be delivered is kept there too, so that it survives the
            process, and any process of the same service delivers it. Default ``None``: in memory alone.
        disk: Bytes that the files of a service may take there, those of all its processes together. Default
            268435456 (256 MiB).
        max_age: Seconds after which what is kept is dropped. Default 86400 (a day).
        replay_rate: Most that is replayed, in multiples of what the service sends by itself. Default 4.
        keep: ``"newest"`` drops the oldest items where not all fit; ``"oldest"`` keeps the start of an
            outage. Default ``"newest"``.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of its range.
    """

    def __init__(
        self,
        *,
        memory: int | None = RETAIN_MEMORY.default,
        directory: str | os.PathLike[str] | None = RETAIN_DIRECTORY.default,
        disk: int | None = RETAIN_DISK.default,
        max_age: float | None = RETAIN_MAX_AGE.default,
        replay_rate: float | None = REPLAY_RATE.default,
        keep: Literal["newest", "oldest"] | None = "newest",
    ) -> None:
        self.memory = RETAIN_MEMORY.accept(memory)
        self.directory = RETAIN_DIRECTORY.accept(directory)
        self.disk = RETAIN_DISK.accept(disk)
        self.max_age = RETAIN_MAX_AGE.accept(max_age)
        self.replay_rate = REPLAY_RATE.accept(replay_rate)
        self.keep = KEEP.accept(keep)
        self._budgets: dict[int, Budget] = {}

    def __repr__(self) -> str:
        on_disk = "" if self.directory is None else f"directory={self.directory!r}, disk={self.disk}, "
        return (
            f"Retention(memory={self.memory}, {on_disk}max_age={self.max_age:g}, "
            f"replay_rate={self.replay_rate:g}, keep={self.keep.value!r})"
        )

    @property
    def is_on(self) -> bool:
        """True where anything is kept."""
        return self.memory > 0 or self.directory is not None

    @property
    def least(self) -> int:
        """Bytes of memory that are used at least, also where `memory` is 0."""
        return 0 if self.directory is None else _ON_THE_WAY

    def in_memory(self) -> Retention:
        """The same without the directory, with the same budget: for exporters that cannot encode."""
        if self.directory is None:
            return self
        alone = Retention(
            memory=self.memory, max_age=self.max_age, replay_rate=self.replay_rate, keep=self.keep.value
        )
        alone._budgets = self._budgets
        return alone

    @property
    def budget(self) -> Budget:
        """This process's memory."""
        pid = os.getpid()
        budget = self._budgets.get(pid)
        if budget is None:
            # Several threads of a child may come here at once: all get the first one's.
            limit = max(affordable(self.memory), self.least)
            budget = self._budgets.setdefault(pid, Budget(limit, self.keep))
            for parent in [known for known in self._budgets if known != pid]:
                self._budgets.pop(parent, None)
            if budget.limit < self.memory:
                was_chosen = self.memory != RETAIN_MEMORY.default
                say(
                    logging.WARNING if was_chosen else logging.INFO,
                    "retention: %d bytes are kept at most, not %d: 1/%d of what the cgroup may use",
                    budget.limit,
                    self.memory,
                    SHARE_OF_CGROUP,
                )
        return budget

    def too_old(self) -> str:
        """The reason why a batch goes for its age."""
        return f"not delivered within {self.max_age:g} s"

    def disk_full(self) -> str:
        """The reason why a batch goes where the disk's share is used up, and what helps."""
        return (
            f"the disk for what is kept is full ({self.disk} bytes for a service), the oldest go; "
            f"{RETAIN_DISK.variables[0]} raises that"
        )

    def full(self) -> str:
        """The reason why kept items go: what is full, which of them go, and what to do about it."""
        which = "oldest" if self.keep is Keep.NEWEST else "newest"
        limit = self.budget.limit
        is_cut = limit < self.memory
        advice = "the cgroup allows no more" if is_cut else f"raise {RETAIN_MEMORY.variable} to keep more"
        return f"the memory for what is kept is full ({limit} bytes), and the {which} go; {advice}"


def affordable(memory: int) -> int:
    """So many bytes, or the share of the process's cgroup where that is less."""
    limit = memory_limit()
    return memory if limit is None else min(memory, limit // SHARE_OF_CGROUP)
