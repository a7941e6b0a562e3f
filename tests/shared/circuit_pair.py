"""A simple model of exporters that share a circuit: what they admit, and what they learn."""

from __future__ import annotations

from dataclasses import dataclass, field

from breaker_exporter import CircuitState

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
WORSE = [CLOSED, HALF_OPEN, OPEN]
THRESHOLD, FIRST, LONGEST = 2, 10.0, 40.0
GONE = {"unreachable", "unanswered", "overrun"}
LIFE = {"delivered", "rejected", "busy", "refused"}

Permit = tuple[int, bool]


@dataclass
class One:
    """One circuit."""

    state: CircuitState = CLOSED
    failures: int = 0
    cooldown: float = FIRST
    due: float = 0.0
    generation: int = 0

    def move(self, state: CircuitState) -> None:
        self.generation += self.state is not state
        self.state = state

    def lets_through(self, now: float) -> bool:
        return self.state is CLOSED or (self.state is OPEN and now >= self.due)

    def retry_in(self, now: float) -> float | None:
        if self.state is CLOSED:
            return None
        return max(0.0, self.due - now) if self.state is OPEN else 0.0

    def admit(self) -> Permit:
        is_probe = self.state is OPEN
        if is_probe:
            self.move(HALF_OPEN)
        return self.generation, is_probe

    def succeed(self, permit: Permit) -> None:
        if permit[0] == self.generation:
            self.failures = 0
            if permit[1]:
                self.cooldown = FIRST
                self.move(CLOSED)

    def fail(self, permit: Permit, now: float, *, at_once: bool) -> None:
        if permit[0] != self.generation:
            return
        self.failures += 1
        if permit[1]:
            self.cooldown = min(self.cooldown * 2, LONGEST)
        if permit[1] or at_once or self.failures >= THRESHOLD:
            self.move(OPEN)
            self.due = now + self.cooldown

    def cancel(self, permit: Permit) -> None:
        if permit[0] == self.generation and permit[1]:
            self.move(OPEN)
            self.due = 0.0


@dataclass
class Exporter:
    """An exporter with its own circuit, and its call that is out."""

    own: One = field(default_factory=One)
    out: tuple[Permit, Permit] | None = None
    calls: int = 0
    refused: int = 0


class Pair:
    """The shared circuit and its exporters."""

    def __init__(self, exporters: int) -> None:
        self.shared = One()
        self.exporters = [Exporter() for _ in range(exporters)]
        self.now = 0.0

    def begin(self, number: int) -> bool:
        exporter = self.exporters[number]
        if not (self.shared.lets_through(self.now) and exporter.own.lets_through(self.now)):
            exporter.refused += 1
            return False
        exporter.calls += 1
        exporter.out = exporter.own.admit(), self.shared.admit()
        return True

    def end(self, number: int, answer: str) -> None:
        exporter = self.exporters[number]
        assert exporter.out is not None
        (own, shared), exporter.out = exporter.out, None
        if answer in GONE:
            exporter.own.cancel(own)
            self.shared.fail(shared, self.now, at_once=answer == "overrun")
            return
        if answer in LIFE:
            self.shared.succeed(shared)
        else:
            self.shared.cancel(shared)
        if answer in ("delivered", "rejected"):
            exporter.own.succeed(own)
        elif answer == "unsent":
            exporter.own.cancel(own)
        else:
            exporter.own.fail(own, self.now, at_once=answer == "refused")

    def state(self, number: int) -> CircuitState:
        return max(self.shared.state, self.exporters[number].own.state, key=WORSE.index)

    def retry_in(self, number: int) -> float | None:
        both = self.shared.retry_in(self.now), self.exporters[number].own.retry_in(self.now)
        return max((left for left in both if left is not None), default=None)

    def failures(self, number: int) -> set[int]:
        """Those of the circuit that governs, which may be either where both are as bad."""
        governing = self.state(number)
        return {
            each.failures for each in (self.shared, self.exporters[number].own) if each.state is governing
        }
