"""The circuit and the accounts as design.md has them, written down a second time and without a thread."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from breaker_exporter import CircuitState, ExporterHealth

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN

MOST_ABANDONED = 4
"""R2: at most four abandoned threads live at once."""


@dataclass
class Model:
    """The expected state of an exporter after the events so far; jitter is 0.

    Attributes:
        now: Seconds, as the clock shows them.
        due_at: Seconds at which the next probe may run; of no meaning while the circuit is closed.
        hung: Calls given up and still stuck.
        ever_failed: True where a call has failed; ``None`` where only a caller has left its call.
        ended: True where exports are refused for good.
        changes: The transitions that listeners have seen.
    """

    threshold: int
    first_cooldown: float
    max_cooldown: float
    now: float = 0.0
    state: CircuitState = CLOSED
    failures: int = 0
    cooldown: float = field(init=False)
    due_at: float = 0.0
    opened: int = 0
    received: int = 0
    exported: int = 0
    failed: int = 0
    refused: int = 0
    in_flight: int = 0
    hung: int = 0
    ended: bool = False
    ever_succeeded: bool = False
    ever_failed: bool | None = False
    changes: list[tuple[CircuitState, CircuitState]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cooldown = self.first_cooldown

    @property
    def due(self) -> bool:
        """True where a probe is due (C11: and nobody has called yet)."""
        return self.state is OPEN and self.now >= self.due_at

    @property
    def blocked(self) -> bool:
        """R2: a probe is due and no thread may start for it."""
        return self.due and self.hung >= MOST_ABANDONED

    @property
    def admits(self) -> bool:
        """True where an export would be let through now, to the wrapped exporter or into the queue."""
        return not self.ended and (self.state is CLOSED or (self.due and not self.blocked))

    def refuse(self, spans: int) -> None:
        """C4, S3: an export that is turned away."""
        self.received += spans
        self.refused += spans

    def admit(self, spans: int) -> None:
        """An export goes in, or into the queue; after the cooldown it is the probe."""
        assert self.admits
        self.received += spans
        self.in_flight += spans
        if self.state is OPEN:
            self._become(HALF_OPEN)

    def refuse_waiting(self, spans: int) -> None:
        """R2: one in the queue when the circuit opens, or shutdown comes."""
        self.in_flight -= spans
        self.refused += spans

    def cancel(self, spans: int) -> None:
        """C3: the caller has left, waiting or in its call; the circuit does not change."""
        self.in_flight -= spans
        self.failed += spans
        if not self.ever_failed:
            self.ever_failed = None  # spans have failed, the backend has not: design.md leaves it open

    def account(self, spans: int, *, success: bool) -> None:
        """Count the spans of a call whose caller is still there."""
        self.in_flight -= spans
        if success:
            self.exported += spans
        else:
            self.failed += spans

    def settle(self, *, success: bool) -> None:
        """C1, C2, C5: the circuit learns a call's result."""
        if success:
            self.ever_succeeded = True
            self.failures = 0
            if self.state is HALF_OPEN:
                self.cooldown = self.first_cooldown
                self._become(CLOSED)
        else:
            self._fail(at_once=False)

    def overrun(self) -> None:
        """C2: a hung call opens the circuit at once."""
        self.hung += 1
        self._fail(at_once=True)

    def come_late(self) -> None:
        """C6: a result after its call was given up: one stuck call less, and nothing else."""
        self.hung -= 1

    def forked(self) -> Model:
        """R5: the expected state of this exporter in a forked child."""
        child = copy.deepcopy(self)
        child.opened = child.received = child.exported = child.failed = child.refused = 0
        child.in_flight = child.hung = 0
        child.ever_failed = child.ever_succeeded = False
        if child.state is HALF_OPEN:
            child.state = OPEN
            child.due_at = child.now
        return child

    def assert_agrees(self, health: ExporterHealth) -> None:
        """Fail where ``health`` differs from this model."""
        counts = (health.received, health.exported, health.failed, health.refused, health.in_flight)
        assert health.received == health.exported + health.failed + health.refused + health.in_flight
        assert counts == (self.received, self.exported, self.failed, self.refused, self.in_flight), health
        circuit = (
            health.state,
            health.consecutive_failures,
            health.cooldown,
            health.opened,
            health.hung_calls,
        )
        assert circuit == (self.state, self.failures, self.cooldown, self.opened, self.hung), health
        if self.state is CLOSED:
            assert health.retry_in is None, health
        elif self.state is OPEN:
            assert health.retry_in is not None, health
            assert abs(health.retry_in - max(0.0, self.due_at - self.now)) < 1e-6, health
        assert (health.blocked_reason is not None) == self.blocked, health
        assert (health.last_success_at is not None) == self.ever_succeeded, health
        if self.ever_failed is not None:
            assert (health.last_failure_at is not None) == self.ever_failed, health

    def _fail(self, *, at_once: bool) -> None:
        self.ever_failed = True
        self.failures += 1
        if self.state is HALF_OPEN:
            self.cooldown = min(2 * self.cooldown, self.max_cooldown)
            self._open()
        elif at_once or self.failures >= self.threshold:
            self._open()

    def _open(self) -> None:
        self.due_at = self.now + self.cooldown
        self.opened += 1
        self._become(OPEN)

    def _become(self, state: CircuitState) -> None:
        self.changes.append((self.state, state))
        self.state = state
