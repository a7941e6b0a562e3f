"""The user's wish to keep what cannot be delivered yet, and the memory for that."""

from __future__ import annotations

import logging
import os
from typing import Literal

from .._base.cgroup import memory_limit
from .._base.log import say
from .budget import Budget
from .retention_settings import KEEP, REPLAY_RATE, RETAIN_MAX_AGE, RETAIN_MEMORY

SHARE_OF_CGROUP = 64
"""One part in so many of the memory that the process's cgroup may use is the most that is kept (K6)."""


class Retention:
    """Keeps what could not be delivered, and delivers it when the backend is back.

    Given to several exporters, it is one budget for all of them. A forked child has a budget of its own.

    Args:
        memory: Bytes in each process, cut to 1/64 of what its cgroup may use (one WARNING); 0: nothing is
            kept. Default 16777216 (16 MiB).
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
        max_age: float | None = RETAIN_MAX_AGE.default,
        replay_rate: float | None = REPLAY_RATE.default,
        keep: Literal["newest", "oldest"] | None = "newest",
    ) -> None:
        self.memory = RETAIN_MEMORY.accept(memory)
        self.max_age = RETAIN_MAX_AGE.accept(max_age)
        self.replay_rate = REPLAY_RATE.accept(replay_rate)
        self.keep = KEEP.accept(keep)
        self._budgets: dict[int, Budget] = {}

    def __repr__(self) -> str:
        return (
            f"Retention(memory={self.memory}, max_age={self.max_age:g}, "
            f"replay_rate={self.replay_rate:g}, keep={self.keep.value!r})"
        )

    @property
    def budget(self) -> Budget:
        """This process's memory."""
        pid = os.getpid()
        budget = self._budgets.get(pid)
        if budget is None:
            # Several threads of a child may come here at once: all get the first one's.
            budget = self._budgets.setdefault(pid, Budget(affordable(self.memory), self.keep))
            self._budgets = {pid: budget}
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


def affordable(memory: int) -> int:
    """So many bytes, or the share of the process's cgroup where that is less."""
    limit = memory_limit()
    return memory if limit is None else min(memory, limit // SHARE_OF_CGROUP)
