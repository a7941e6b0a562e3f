"""One call with a parcel, as the runner takes it: admitted by the circuit, settled by the custody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from . import deadline_clock as time
from .accounts import Accounts
from .circuit import Permit
from .parcel import Parcel
from .payload import Delivery
from .report import Verdict
from .turn import Outcome


class Owner(Protocol):
    """The custody of the parcel."""

    def settle(self, attempt: ParcelAttempt, outcome: Outcome) -> None:
        """The call has ended or is given up."""
        ...

    def settle_abandoned(self, attempt: ParcelAttempt, outcome: Outcome) -> None:
        """A call that was given up has ended after all."""
        ...

    def take_back(self, parcel: Parcel) -> None:
        """No call was made."""
        ...


class ParcelAttempt:
    """A :class:`Task` of the runner: one call with a parcel.

    Args:
        owner: Of the parcel.
        accounts: Of the exporter.
        parcel: In a call, by the backlog.
        call: Sends it.
        deadline: Monotonic seconds at which the caller must have its thread back.
        timeout: Seconds that a call may take before it counts as hung.

    Attributes:
        items: Number of items that are sent.
        permit: ``None`` until the circuit has let the call through.
        is_replay: True where the parcel was kept for later before.
        began_at: Monotonic seconds at which its turn came.
        verdict: What came of it; ``None`` where that is not known yet.
        pauses_replay: True where the backend has too much to do for what was kept.
    """

    def __init__(
        self,
        owner: Owner,
        accounts: Accounts,
        parcel: Parcel,
        call: Callable[[], Delivery],
        *,
        deadline: float,
        timeout: float,
    ) -> None:
        self._owner = owner
        self._accounts = accounts
        self.parcel = parcel
        self.items = parcel.payload.items
        self._call = call
        self.deadline = deadline
        self._timeout = timeout
        self.permit: Permit | None = None
        self.is_replay = parcel.was_kept
        self.began_at = 0.0
        self.verdict: Verdict | None = None
        self.pauses_replay = False

    def refusal(self) -> str | None:
        return self._accounts.refusal()

    def admit(self, *, queued: bool) -> float:
        self._accounts.admit(self)
        self.began_at = time.monotonic()
        return self.began_at + self._timeout

    def call(self) -> Delivery:
        return self._call()

    def settle(self, outcome: Outcome) -> None:
        self._owner.settle(self, outcome)

    def settle_late(self, outcome: Outcome) -> None:
        self._owner.settle(self, outcome)

    def settle_abandoned(self, outcome: Outcome) -> None:
        self._owner.settle_abandoned(self, outcome)

    def withdraw(self) -> None:
        try:
            if self.permit is not None:
                self._accounts.give_back(self.permit)
        finally:
            self._owner.take_back(self.parcel)
