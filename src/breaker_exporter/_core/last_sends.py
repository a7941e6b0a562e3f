"""Sends what waits on the caller's own time: at the shutdown, and where no thread can be started any more."""

from __future__ import annotations

import os
from collections import deque
from functools import partial

from . import deadline_clock as time
from .change import LOOKS_AGAIN
from .custody_parts import CustodyParts
from .parcel import Parcel
from .parcel_calls import ParcelCalls
from .sender import Sender


class LastSends:
    """Makes the calls for what waits, while the circuit is closed.

    Args:
        parts: Of the custody.
        calls: Makes the calls.
        sender: Knows the context to make them in.
    """

    def __init__(self, parts: CustodyParts, calls: ParcelCalls, sender: Sender) -> None:
        self._accounts = parts.accounts
        self._runner = parts.runner
        self._backlog = parts.store.backlog
        self._choice = parts.choice
        self._calls = calls
        self._sender = sender
        self._change = parts.change
        self._pid = os.getpid()

    def send(self, until: float, *, is_last: bool = False) -> bool:
        """Send what waits in memory, each once; true where nothing does then.

        Args:
            until: Monotonic seconds.
            is_last: True where what others have in a call is waited for too: it may come back.
        """
        if self._choice.must_wait_for_disk:
            return False
        self._choice.put_in_order()
        return self._sender.run(partial(self._send_all, until, is_last=is_last))

    def _send_all(self, until: float, *, is_last: bool) -> bool:
        tried: set[Parcel] = set()  # each once: one that fails comes back
        untried: deque[Parcel] = deque()
        calls_end_by = None
        while os.getpid() == self._pid and self._accounts.is_closed and (now := time.monotonic()) < until:
            if not untried:
                untried.extend(parcel for parcel in self._backlog.queue.parcels() if parcel not in tried)
                tried.update(untried)
            if untried:
                if not self._send_one(untried.popleft(), until):
                    break
                continue
            # A call that hangs leaves time for the end of the wrapped exporter.
            calls_end_by = calls_end_by or now + (min(until, self._runner.cut_at) - now) / 2
            if not (is_last and self._backlog.has_calls and now < calls_end_by):
                break
            self._runner.settle_late()
            self._change.wait(lambda: not self._backlog.has_calls, min(calls_end_by - now, LOOKS_AGAIN))
        return self._backlog.queue.is_empty

    def _send_one(self, parcel: Parcel, until: float) -> bool:
        """Send one that waits, unless it is gone; false where no more can be sent now."""
        if not self._calls.take(parcel):
            return True
        attempt = self._calls.make(parcel, until)
        return attempt.permit is not None and not attempt.pauses_replay
