"""The parts of a custody that its other parts share."""

from __future__ import annotations

from dataclasses import dataclass

from .accounts import Accounts
from .backlog import Backlog
from .change import Change
from .choice import Choice
from .custody_settings import CustodySettings
from .discards import Discards
from .kept_accounts import KeptAccounts
from .replay_pace import ReplayPace
from .runner import Runner
from .store import Store


@dataclass(frozen=True, slots=True)
class CustodyParts:
    """The shared parts of one exporter's custody, in one process.

    Attributes:
        settings: Of the exporter.
        accounts: Of the exporter, with its circuit.
        kept_accounts: Of what it keeps.
        runner: Makes the calls.
        discards: Gets what is given up.
        store: Holds what waits.
        pace: Of the replay, which goes by the live rate.
        choice: Of the next parcel.
        change: Happens when a parcel is settled.
    """

    settings: CustodySettings
    accounts: Accounts
    kept_accounts: KeptAccounts
    runner: Runner
    discards: Discards
    store: Store
    pace: ReplayPace
    choice: Choice
    change: Change

    @classmethod
    def of(cls, settings: CustodySettings, accounts: Accounts, runner: Runner) -> CustodyParts:
        """Make the parts for an exporter with these accounts and this runner."""
        retention = settings.retention
        kept_accounts = KeptAccounts(accounts)
        discards = Discards(kept_accounts, settings.destination, retention)
        store = Store(Backlog(retention.budget, discards.evicted))
        pace = ReplayPace(retention.replay_rate, carries_live=settings.in_order)
        choice = Choice(store, pace, in_order=settings.in_order)
        return cls(settings, accounts, kept_accounts, runner, discards, store, pace, choice, Change())
