"""The counts of what is kept: in memory, on disk, in a call, or given up (K12).

They change together with those of the calls, under the lock of :class:`Accounts`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .accounts import Accounts
from .loss import Loss

if TYPE_CHECKING:
    from .settlement import Settlement


class KeptAccounts:
    """Accounts for the items of one exporter that are kept.

    Args:
        accounts: Of the exporter.
    """

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._ledger = accounts.ledger

    def keep(self, items: int, put: Callable[[], bool]) -> None:
        """So many items of a parcel are kept for another call.

        Args:
            items: Number of them.
            put: Called under the lock; keeps them, or returns false.
        """
        with self._accounts.lock:
            if put():
                self._ledger.retained += items

    def take_out(self, items: int) -> None:
        """So many kept items go into a call."""
        with self._accounts.lock:
            self._ledger.retained -= items

    def account_parcel(self, outage: int, found: Settlement, resent: int) -> None:
        """Account for a call with a parcel that came after so many outages."""
        with self._accounts.lock:
            self._ledger.settle_parcel(outage, found, resent, self._accounts.now())

    def account_late(self, outage: int, found: Settlement, remove: Callable[[], bool]) -> None:
        """Account for kept items whose call had been a success after all.

        Args:
            outage: Number of outages that had ended when they came.
            found: What came of the call.
            remove: Called under the lock; removes what is kept, or returns false.
        """
        with self._accounts.lock:
            if remove():
                now = self._accounts.now()
                self._ledger.retained -= found.accepted + found.lost
                self._ledger.settle_parcel(outage, found, 0, now)
                self._accounts.collect(now)

    def spool(self, items: int, end: Callable[[], bool]) -> bool:
        """So many kept items lie on disk now.

        Args:
            items: Number of them.
            end: Called under the lock; ends their custody in memory, or returns false.

        Returns:
            What `end` returned.
        """
        with self._accounts.lock:
            if is_done := end():
                self._ledger.spool(items, were_kept=True)
                self._accounts.collect(self._accounts.now())
        return is_done

    def spool_call(self, items: int, attach: Callable[[], bool]) -> bool:
        """So many items in a call lie on disk too now, which is what is kept of them.

        Args:
            items: Number of them.
            attach: Called under the lock; notes the file, or returns false.

        Returns:
            What `attach` returned.
        """
        with self._accounts.lock:
            if is_done := attach():
                self._ledger.spool(items, were_kept=False)
        return is_done

    def fail_file(self, found: Settlement, resent: int) -> None:
        """Account for a call with a file that stays as it is."""
        with self._accounts.lock:
            self._ledger.fail_file(found, resent)

    def recover(self, items: int, found: Settlement, resent: int) -> None:
        """Account for a file that is removed since a call with its items was made."""
        with self._accounts.lock:
            now = self._accounts.now()
            self._ledger.recover(items, found, resent, now)
            self._accounts.collect(now)

    def recover_dropped(self, items: int, kind: Loss, reason: str) -> None:
        """Account for the items of a file that had to go."""
        with self._accounts.lock:
            now = self._accounts.now()
            self._ledger.recover_dropped(items, reason, kind, now)
            self._accounts.collect(now)

    def disk_is_empty(self) -> None:
        """Nothing lies on disk any more."""
        with self._accounts.lock:
            self._ledger.disk_is_empty()
            self._accounts.collect(self._accounts.now())

    def drop(self, items: int, outage: int, kind: Loss, reason: str) -> None:
        """Account for kept items that had to go."""
        with self._accounts.lock:
            now = self._accounts.now()
            self._ledger.drop(items, outage, reason, kind, now)
            self._accounts.collect(now)
