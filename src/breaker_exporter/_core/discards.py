"""Gives up what was kept: for want of memory, for its age, at the end of the process."""

from __future__ import annotations

from .destination import Destination
from .kept_accounts import KeptAccounts
from .loss import Loss
from .parcel import Parcel
from .retention import Retention


class Discards:
    """Accounts for parcels that have left the backlog without having been delivered.

    Args:
        accounts: Of what the exporter keeps.
        destination: Told that it will not be asked to send them any more.
        retention: Its limits are the reasons.
    """

    def __init__(self, accounts: KeptAccounts, destination: Destination, retention: Retention) -> None:
        self._accounts = accounts
        self._destination = destination
        self._retention = retention

    def evicted(self, parcel: Parcel) -> None:
        """There was no memory for it."""
        self._drop(parcel, Loss.EVICTED, self._retention.full())

    def expired(self, parcel: Parcel) -> None:
        """It was too old."""
        self._drop(parcel, Loss.EXPIRED, self._retention.too_old())

    def stopped_in_call(self, parcel: Parcel) -> None:
        """The process ended while it was in a call."""
        self._accounts.keep(parcel.payload.items, lambda: True)
        self.stopped(parcel)

    def stopped(self, parcel: Parcel) -> None:
        """The process ended."""
        self._drop(parcel, Loss.STOPPED, "the process ended")

    def _drop(self, parcel: Parcel, kind: Loss, reason: str) -> None:
        parcel.is_lost = True
        self._accounts.drop(parcel.payload.items, parcel.outage, kind, reason)
        self._destination.drop(parcel.payload)
