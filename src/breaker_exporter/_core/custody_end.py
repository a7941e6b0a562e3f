"""The end of a custody: what waits is sent, then written to disk; what is neither is lost (K10)."""

from __future__ import annotations

import logging

from .._base.log import counted, say
from .._concurrency.thrown import passing_on
from . import deadline_clock as time
from .change import LOOKS_AGAIN
from .custody_parts import CustodyParts
from .intake import Intake
from .last_sends import LastSends
from .retention_settings import RETAIN_DIRECTORY
from .sender import Sender

_SHARE_OF_DISK = 0.2
"""Part of the time of a shutdown that is kept for writing."""
_WRITTEN_WITHIN = 0.2
"""Seconds that the end of a process waits for what it keeps on disk at last."""


class CustodyEnd:
    """Ends the custody of one exporter in one process.

    Args:
        parts: Of the custody.
        intake: Is closed.
        sender: Is stopped.
        last_sends: Makes the last calls.

    Attributes:
        is_drained: True once the shutdown has sent what it had the time for.
    """

    def __init__(self, parts: CustodyParts, intake: Intake, sender: Sender, last_sends: LastSends) -> None:
        self._settings = parts.settings
        self._runner = parts.runner
        self._store = parts.store
        self._intake = intake
        self._sender = sender
        self._last_sends = last_sends
        self._discards = parts.discards
        self._change = parts.change
        self.is_drained = False

    def close(self, deadline: float) -> bool:
        """Refuse later batches; send what waits until `deadline`, while the circuit is closed.

        A second caller waits until the first has done so.

        Returns:
            False for a second caller.
        """
        is_first, self._intake.is_closed = not self._intake.is_closed, True
        self._sender.stop()
        try:
            if not self._runner.must_not_wait():
                with passing_on():
                    if is_first:
                        self._drain(deadline)
                    else:
                        self._wait_until_drained(deadline)
        finally:
            if is_first:
                self.is_drained = True
                self._change.happened()
        return is_first

    def drop_rest(self) -> None:
        """Give up what is still here: the process ends, and who closes later waits for nothing."""
        self._intake.is_closed = True
        self._sender.stop()
        with passing_on():
            self._store.disk.finish(time.monotonic() + _WRITTEN_WITHIN)
        self._store.disk.stop()
        waiting, in_call = self._store.backlog.take_all()
        self.is_drained = True
        self._change.happened()
        for parcel in waiting:
            self._discards.stopped(parcel)
        for parcel in in_call:
            self._discards.stopped_in_call(parcel)
        if items := sum(parcel.payload.items for parcel in (*waiting, *in_call)):
            text = "%s: %s in memory could not be delivered before the end and are lost%s"
            lost = counted(items, self._settings.unit)
            say(logging.WARNING, text, self._settings.name, lost, self._advice())

    def _drain(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        for_disk = left * _SHARE_OF_DISK if self._settings.place is not None else 0.0
        self._last_sends.send(deadline - for_disk, is_last=True)
        self._store.disk.finish(min(deadline, time.monotonic() + for_disk))

    def _wait_until_drained(self, deadline: float) -> None:
        while not self.is_drained and (left := deadline - time.monotonic()) > 0:
            self._change.wait(lambda: self.is_drained, min(left, LOOKS_AGAIN))

    def _advice(self) -> str:
        if self._settings.place is not None:
            return ": they could not be written to disk in time either"
        if self._settings.can_use_disk:
            return f"; {RETAIN_DIRECTORY.variable} names a directory that keeps them"
        return ""
