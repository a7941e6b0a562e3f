"""Sends the batches of a spool: one at a time, oldest first, each under the lease.

A batch goes from the disk once the backend has answered for it. Whatever ends the command before, it stays.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from .._core.payload import Delivery
from .._core.report import Cause, ExportReport
from .._spool.files import no_rest
from .._spool.spool import Full
from .interruption import Interruption
from .leasing import Leasing
from .pace import Pace
from .patience import Patience

if TYPE_CHECKING:
    from .._spool.record import Record
    from .._spool.spool import Spool
    from ..otlp._encoding_exporter import EncodingExporter
    from ..otlp._payload import EncodedPayload
    from ..otlp._signals import Signal


@dataclass(frozen=True, slots=True)
class Backend:
    """The backend of a signal, and how it is treated.

    Attributes:
        signal: The signal.
        exporter: Sends what was encoded.
        pace: Of all spools and signals together.
        patience: With all spools together, and with all signals that go to the same place.
        in_order: True where it refuses what is older than what it has (K3).
    """

    signal: Signal
    exporter: EncodingExporter[Any]
    pace: Pace
    patience: Patience
    in_order: bool


class Sending:
    """Sends one spool.

    Args:
        spool: Open.
        backend: Where to.
        leasing: Gets the lease for each batch.
        interruption: Ends it between two batches.
        tell: Called with the number of items that were settled, after each batch.

    Attributes:
        delivered: Number of items that the backend accepted.
        lost: Number of items that it has rejected for good, or that cannot be sent.
        reason: Of the latest such loss.
        unreadable: Names of files that the disk cannot read.
        path: The spool's folder.
    """

    def __init__(
        self,
        spool: Spool,
        backend: Backend,
        leasing: Leasing,
        interruption: Interruption,
        tell: Callable[[int], object],
    ) -> None:
        self._spool = spool
        self._backend = backend
        self._leasing = leasing
        self._interruption = interruption
        self._tell = tell
        self._names: deque[str] = deque()
        self.unreadable: set[str] = set()
        self.path = spool.path
        self.delivered = 0
        self.lost = 0
        self.reason = ""

    def run(self) -> None:
        """Send all that lies there, also what workers write meanwhile; unreadable batches stay.

        Raises:
            GivenUp: The backend fails, or another process keeps the lease.
            Interrupted: Ctrl-C was pressed.
            OSError: The folder has vanished, or its file system cannot lock.
        """
        while True:
            with self._leasing.held(self._spool):
                began_at = time.monotonic()
                if (found := self._next()) is None:
                    return
                name, record, payload = found
                delivery = self._backend.exporter.send_payload(payload)
                gone, accepted = self._settle(name, record, payload, delivery)
            self._tell(gone)
            is_left = delivery.left is not None
            pause = self._backend.patience.pause_after(delivery.report, is_left=is_left, accepted=accepted)
            self._interruption.sleep(max(pause, self._backend.pace.after(gone, began_at)))

    def _next(self) -> tuple[str, Record, EncodedPayload] | None:
        """The first batch that can be sent; ``None`` where there is none."""
        for name in self._listed():
            try:
                record = self._spool.read(name)
            except OSError:
                self.unreadable.add(name)
                continue
            if record is not None:
                try:
                    return name, record, self._backend.exporter.load_payload(record.payload, no_rest)
                except ValueError:
                    self._spool.put_aside(name)
        return None

    def _listed(self) -> Iterator[str]:
        """Names that are known, which may have gone meanwhile, and then those that are there."""
        while self._names:
            yield self._names.popleft()
        self._names.extend(name for name in self._spool.names(no_rest) if name not in self.unreadable)
        while self._names:
            yield self._names.popleft()

    def _settle(
        self, name: str, record: Record, payload: EncodedPayload, delivery: Delivery
    ) -> tuple[int, int]:
        """Remove what was answered for; return the number of its items, and of those that were accepted."""
        left = cast("EncodedPayload | None", delivery.left)
        again = None if left is None else self._name_of_rest(name, record, payload, left)
        if again is not None:
            self._put_back(again, delivery.report)
        if again == name:
            return 0, 0
        self._spool.remove(name)
        gone = payload.items - (left.items if left is not None else 0)
        accepted = delivery.report.accepted_of(gone)
        self.delivered += accepted
        if gone > accepted:
            self.lost += gone - accepted
            self.reason = delivery.report.reason
        return gone, accepted

    def _put_back(self, name: str, report: ExportReport) -> None:
        """Have a batch sent again: behind the others, as it may be its own fault, if the order allows it."""
        if self._backend.in_order and report.cause is not Cause.ANSWERED:
            self._names.appendleft(name)
        else:
            self._names.append(name)

    def _name_of_rest(self, name: str, record: Record, payload: EncodedPayload, left: EncodedPayload) -> str:
        if left.items < payload.items:
            with suppress(Full, OSError, ValueError):  # then all of it is sent again
                data = self._backend.exporter.dump_payload(left.packed(no_rest))
                return self._spool.write(data, left.items, record.written)
        return name
