"""The circuit as design.md has it, where an answer says more than success or failure (R2, K2)."""

from __future__ import annotations

from dataclasses import dataclass

from breaker_exporter._core.report import Verdict

from ..semantics.model import CLOSED, HALF_OPEN, OPEN, Model
from ._backend import FINAL


@dataclass
class Circuit(Model):
    """The circuit of `Model`, where answers say more than success or failure."""

    asked_until: float = float("-inf")
    asked: float = 0.0

    def probe(self) -> None:
        self._become(HALF_OPEN)

    def learn(self, told: Verdict, retry_after: float | None, *, probe: bool) -> None:
        if told is Verdict.UNSENT:
            if probe:
                self._become(OPEN)
                self._ask()
                self.due_at = self.now
        elif told in FINAL:
            self.asked_until = float("-inf")
            self.settle(success=True)
            if self.state is CLOSED:
                self.asked = 0.0
        else:
            if retry_after:
                until = self.now + min(retry_after, self.max_cooldown)
                self.asked_until = max(self.asked_until, until)
            self._fail(at_once=told is Verdict.MISCONFIGURED)

    def _ask(self) -> None:
        self.asked = min(max(0.0, self.asked_until - self.now), self.max_cooldown)

    def _open(self) -> None:
        super()._open()
        self._ask()
        self.due_at = self.now + max(self.cooldown, self.asked)
