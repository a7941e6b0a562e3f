"""A flush of the wrapped exporter, as the runner takes it: no business of the circuit."""

from __future__ import annotations

from collections.abc import Callable

from . import deadline_clock as time
from .turn import Outcome, Returned


class Flush:
    """A :class:`Task` of the runner.

    Args:
        call: Flushes the wrapped exporter.
        deadline: Monotonic seconds at which the caller must have its thread back.
        timeout: Seconds that an export may take, and a flush at least before it counts as hung.
    """

    def __init__(self, call: Callable[[], object], *, deadline: float, timeout: float) -> None:
        self._call = call
        self.deadline = deadline
        self._timeout = timeout
        self._outcome: Outcome | None = None

    @property
    def has_succeeded(self) -> bool:
        """True where the call came back in time, and returned nothing or something true."""
        outcome = self._outcome
        return isinstance(outcome, Returned) and (outcome.value is None or bool(outcome.value))

    def refusal(self) -> str | None:
        return None

    def admit(self, *, queued: bool) -> float:
        return max(self.deadline, time.monotonic() + self._timeout)

    def call(self) -> object:
        return self._call()

    def settle(self, outcome: Outcome) -> None:
        self._outcome = outcome

    def settle_late(self, outcome: Outcome) -> None:
        """Nothing: nobody waits for it any more."""

    def settle_abandoned(self, outcome: Outcome) -> None:
        """Nothing: nobody waits for it any more."""

    def withdraw(self) -> None:
        """Nothing: no circuit has admitted it."""
