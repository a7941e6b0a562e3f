"""Random schedules in which the sender runs by itself, on its thread or in its greenlet.

When it makes which call is its own business here. What is checked holds at any time: the sums, the memory,
one call at a time, no call with what had an end. Once nothing is held any more, the counts are exact.
"""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from breaker_exporter import CircuitBreakerSpanExporter
from breaker_exporter._core import choice, cooldown, intake, replay_pace, sender_steps
from breaker_exporter._core.report import Cause, Verdict
from breaker_exporter._core.retention import Retention
from breaker_exporter.testing import ManualClock

from ..semantics._children import in_child
from ..semantics._spans import spans
from ..semantics._waiting import PATIENCE, start, until
from ._answers import FOR_ENCODER, FOR_PLAIN, held_back
from ._backend import Answer, Backend, EncodingExporter, PlainExporter, ids_of
from ._retaining import sum_agrees

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from breaker_exporter import CircuitTransition

    from ._backend import Ids

SIZES = st.integers(1, 5)
TIMEOUT = 0.4
"""Seconds."""
SHORT = {
    (intake, "_ANSWER_WITHIN"): 0.02,
    (sender_steps, "_LOOK_AGAIN"): 0.002,
    (choice, "_FIRST_RETRY"): 0.001,
    (choice, "_LONGEST_RETRY"): 0.005,
    (choice, "_STAYS_NEW"): 0.01,
    (replay_pace, "_LONGEST_GAP"): 0.002,
}
"""Seconds of the product, as short as schedules need them."""


class Watching(Backend):
    """Knows which items have had an end that was told in time.

    Attributes:
        ended: Items that were accepted or rejected for good.
        rejected: Those of them that were not accepted.
        faults: Breaches of the contract.
    """

    def __init__(self) -> None:
        super().__init__(ManualClock())
        self.ended: set[int] = set()
        self.rejected: set[int] = set()
        self.faults: list[str] = []

    def send(self, ids: Ids, *, is_packed: bool) -> Answer:
        if again := self.ended.intersection(ids):
            self.faults.append(f"{again} sent again after its end")
        answer = super().send(ids, is_packed=is_packed)
        if answer.throws is None and answer.hangs_for is None:
            accepted, lost, _ = answer.split(ids)
            self.ended.update(accepted, lost)
            self.rejected.update(lost)
        return answer


class RunningMachine(RuleBasedStateMachine):
    """One exporter, of either kind."""

    few_schedules = 8

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.held: list[Answer] = []
        self.answers: list[Any] = []
        self.overruns = self.forks = self.received = 0
        self.is_over = self.is_killed = False

    def prepare(self) -> None:
        """Before the exporter is made."""

    @initialize(
        encodes=st.booleans(),
        threshold=st.integers(1, 3),
        limit=st.sampled_from([30_000, 100_000, 10_000_000]),
        keep=st.sampled_from(["newest", "oldest"]),
    )
    def begin(self, encodes: bool, threshold: int, limit: int, keep: Any) -> None:
        for (module, name), seconds in SHORT.items():
            self.patch.setattr(module, name, seconds)
        # Hypothesis warns of whoever asks the common one while it draws.
        self.patch.setattr(cooldown, "random", random.Random(0))
        self.prepare()
        self.encodes, self.limit = encodes, limit
        self.backend = Watching()
        self.exporter = CircuitBreakerSpanExporter(
            EncodingExporter(self.backend) if encodes else PlainExporter(self.backend),
            failure_threshold=threshold,
            cooldown=0.004,
            max_cooldown=0.016,
            export_timeout=TIMEOUT,
            listeners=[self.listen],
            retention=Retention(memory=limit, keep=keep),
        )

    def listen(self, change: CircuitTransition) -> None:
        self.overruns += "gave no answer" in change.reason

    def some_answers(self, data: st.DataObject) -> list[Answer]:
        drawn: list[Answer] = data.draw(st.lists(FOR_ENCODER if self.encodes else FOR_PLAIN, max_size=6))
        return [replace(answer, retry_after=None) for answer in drawn]  # real seconds, here

    @rule(data=st.data())
    def answers_come(self, data: st.DataObject) -> None:
        self.backend.script = self.some_answers(data)

    @rule(cause=st.sampled_from(Cause))
    def an_outage_begins(self, cause: Cause) -> None:
        self.backend.default = Answer(Verdict.FAILED, cause)

    @rule()
    def the_outage_ends(self) -> None:
        self.backend.default = Answer()

    @rule(size=SIZES)
    def export(self, size: int) -> None:
        self.take(spans(size))

    @rule(size=SIZES)
    def export_poison(self, size: int) -> None:
        batch = spans(size)
        self.backend.poison.update(ids_of(batch))
        self.take(batch)

    @rule(sizes=st.lists(SIZES, min_size=2, max_size=5))
    def export_at_once(self, sizes: list[int]) -> None:
        batches = [spans(size) for size in sizes]
        self.received += sum(sizes)
        callers = [start(lambda batch=batch: self.exporter.export(batch)) for batch in batches]  # type: ignore[misc]
        succeeded = [caller.result(20).name == "SUCCESS" for caller in callers]
        assert all(succeeded) or self.is_over or self.may_fail()

    @precondition(lambda self: len(self.held) < 2)
    @rule(data=st.data())
    def hold_a_call(self, data: st.DataObject) -> None:
        """It comes back slowly, or after it was given up."""
        answers = FOR_ENCODER if self.encodes else FOR_PLAIN
        self.held.append(replace(data.draw(held_back(0, answers)), retry_after=None))
        self.backend.script.insert(0, self.held[-1])

    @precondition(lambda self: self.held)
    @rule()
    def let_a_call_end(self) -> None:
        self.held.pop(0).gate.open()

    @precondition(lambda self: not self.is_over)
    @rule()
    def all_is_settled(self) -> None:
        """P5, K14: the backend is back, and nothing has to come for that."""
        self.recover()
        if self.is_killed:
            self.is_killed = False
            self.take(spans(1))
        self.wait_until_settled()
        assert self.exporter.force_flush(timeout_millis=5_000)
        self.check_counts()

    @precondition(lambda self: self.received > 12 * self.forks)
    @rule()
    def fork(self) -> None:
        """K11."""
        self.forks += 1
        in_child(self.check_child)

    @precondition(lambda self: self.received > 30 and not self.is_over)
    @rule()
    def shut_down(self) -> None:
        self.exporter.shutdown(timeout_millis=200)
        self.is_over = True
        until(lambda: self.exporter.health().in_flight == 0)
        assert self.exporter.health().retained == 0
        self.check_counts()

    @invariant()
    def the_sums_agree(self) -> None:
        if not hasattr(self, "exporter"):
            return
        health = self.exporter.health()
        assert sum_agrees(health), health
        assert health.received == self.received
        assert health.retained_bytes <= self.limit
        assert health.exported <= len(set(self.backend.accepted)), health
        if self.is_exact():
            assert self.backend.faults == []

    def take(self, batch: tuple[ReadableSpan, ...]) -> None:
        self.received += len(batch)
        answer = self.exporter.export(batch)
        assert answer.name == "SUCCESS" or self.is_over or self.may_fail()

    def may_fail(self) -> bool:
        """A verdict was final, a batch had no room, or one was poison."""
        health = self.exporter.health()
        answers = [sent.answer for sent in self.backend.calls]
        is_final = any(
            answer.verdict is not Verdict.DELIVERED and not answer.leaves_all for answer in answers
        )
        return bool(health.failed or health.dropped or is_final)

    def is_exact(self) -> bool:
        """No call was given up: whatever was answered was heard."""
        return self.overruns == 0

    def wait_until_settled(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while (health := self.exporter.health()).retained or health.in_flight:
            assert time.monotonic() < deadline, health
            time.sleep(0.001)

    def recover(self) -> None:
        self.backend.script, self.backend.default = [], Answer()
        while self.held:
            self.held.pop().gate.open()

    def check_counts(self) -> None:
        """Each item has exactly one end, and it is the one that the backend gave it."""
        health = self.exporter.health()
        ends = health.exported + health.failed + health.refused + health.dropped
        assert ends == self.received, health
        if self.is_exact() and not self.forks:
            sure = self.backend.ended - self.backend.rejected
            assert health.exported >= len(sure), health
            assert health.failed >= len(self.backend.rejected), health

    def check_child(self) -> None:
        self.recover()
        self.backend.is_free = True
        self.received, self.overruns = 0, 1
        assert self.exporter.health().retained == 0
        before = len(self.backend.accepted)
        self.take(spans(3))
        if not self.is_over:
            self.wait_until_settled()
            assert self.exporter.health().exported == 3
            assert len(self.backend.accepted) == before + 3
        self.the_sums_agree()

    def teardown(self) -> None:
        if hasattr(self, "exporter"):
            self.recover()
            self.backend.is_free = True
            self.exporter.shutdown(timeout_millis=200)
        self.patch.undo()
