"""An exporter as the circuit that it may share with others sees it."""

from __future__ import annotations

from typing import Protocol


class Member(Protocol):
    """An exporter that may share a circuit with others."""

    def look_again(self) -> None:
        """Wake the callers that wait: a call of some exporter has changed the circuit."""
        ...

    def settle_late(self) -> None:
        """Settle the call whose caller has left, if there is one and it is over."""
        ...
