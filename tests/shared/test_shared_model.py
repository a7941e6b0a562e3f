"""Random schedules of three exporters on one shared circuit against a simple model (L7, C1-C6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from breaker_exporter import CircuitBreakerSpanExporter, SharedCircuit
from breaker_exporter.testing import ManualClock

from ..retention._retaining import BUSY, DELIVERED, REJECTED, UNREACHABLE, UNSENT
from ..semantics._deadlines import moved_by_hand
from ..semantics._exporters import FAILURE, Gated
from ..semantics._waiting import start, until
from ._sharing import NOT_FOUND, UNANSWERED, succeeds
from .circuit_pair import FIRST, LONGEST, THRESHOLD, Pair

if TYPE_CHECKING:
    from concurrent.futures import Future

EXPORTERS = 3
STEPS = 30
TIMEOUT = 0.01
ANSWERS = {
    "delivered": DELIVERED,
    "rejected": REJECTED,
    "unsent": UNSENT,
    "unreachable": UNREACHABLE,
    "unanswered": UNANSWERED,
    "busy": BUSY,
    "refused": NOT_FOUND,
    "untold": FAILURE,
}
one_of_them = st.integers(0, EXPORTERS - 1)
any_answer = st.sampled_from([*ANSWERS, "unreachable", "unreachable", "delivered"])


class Sharing(RuleBasedStateMachine):
    """Calls begin and end in any order; time passes; calls overrun."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.by_hand = moved_by_hand()
        self.deadlines = self.by_hand.__enter__()
        self.shared = SharedCircuit(
            failure_threshold=THRESHOLD, cooldown=FIRST, max_cooldown=LONGEST, jitter=0, clock=self.clock
        )
        self.inner = [Gated(STEPS + 1) for _ in range(EXPORTERS)]
        self.exporters = [
            CircuitBreakerSpanExporter(each, circuit=self.shared, export_timeout=TIMEOUT)
            for each in self.inner
        ]
        self.model = Pair(EXPORTERS)
        self.callers: dict[int, Future[bool]] = {}

    def teardown(self) -> None:
        for each in self.inner:
            each.let_all_out()
        for caller in self.callers.values():
            caller.result(20)
        for exporter in self.exporters:
            exporter.shutdown(1000)
        self.by_hand.__exit__(None, None, None)

    @rule(number=one_of_them, answer=any_answer)
    def export(self, number: int, answer: str) -> None:
        if number not in self.callers:
            self.begin(number)
        if number in self.callers:
            self.end(number, answer)

    @rule(number=one_of_them)
    def begin(self, number: int) -> None:
        if number in self.callers:
            return
        caller = start(lambda: succeeds(self.exporters[number]))
        if self.model.begin(number):
            self.inner[number].entered(self.model.exporters[number].calls)
            self.callers[number] = caller
        else:
            assert caller.result(20) is False

    @precondition(lambda self: self.callers)
    @rule(data=st.data(), answer=any_answer)
    def end_one(self, data: Any, answer: str) -> None:
        self.end(data.draw(st.sampled_from(sorted(self.callers))), answer)

    @precondition(lambda self: self.callers)
    @rule()
    def overrun(self) -> None:
        self.deadlines.advance(TIMEOUT)
        for number, caller in self.callers.items():
            assert caller.result(20) is False
            self.model.end(number, "overrun")
        for number in self.callers:
            self.inner[number].let_out(self.model.exporters[number].calls - 1)
            until(lambda number=number: self.exporters[number].health().hung_calls == 0)  # type: ignore[misc]
        self.callers.clear()

    @rule(seconds=st.sampled_from([1.0, 5.0, FIRST, 2 * FIRST, LONGEST]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.model.now += seconds

    @invariant()
    def agrees(self) -> None:
        assert self.shared.state is self.model.shared.state
        for number, exporter in enumerate(self.exporters):
            health, expected = exporter.health(), self.model.exporters[number]
            assert health.state is exporter.state is self.model.state(number)
            assert health.retry_in == self.model.retry_in(number)
            assert health.consecutive_failures in self.model.failures(number)
            assert health.refused == expected.refused
            assert health.in_flight == (number in self.callers)
            assert len(self.inner[number].threads) == expected.calls

    def end(self, number: int, answer: str) -> None:
        self.inner[number].let_out(self.model.exporters[number].calls - 1, ANSWERS[answer])
        self.model.end(number, answer)
        assert self.callers.pop(number).result(20) is (answer == "delivered")


def test_exporters_that_share_a_circuit_agree_with_the_model() -> None:
    run_state_machine_as_test(
        Sharing,
        settings=settings(
            max_examples=40,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
