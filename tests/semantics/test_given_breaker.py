"""A pybreaker.CircuitBreaker of the caller's own: C10, and C9 where it can be seen from outside."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pybreaker
import pytest

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState, ExportReport, Verdict
from breaker_exporter.testing import ScriptedExporter, fail, succeed

from ._children import in_child
from ._exporters import FAILURE, SUCCESS, Gated
from ._spans import spans
from ._waiting import start, until

if TYPE_CHECKING:
    from breaker_exporter import CircuitTransition
    from breaker_exporter.testing import ManualClock

CLOSED, OPEN = CircuitState.CLOSED, CircuitState.OPEN


class _Recording(pybreaker.CircuitBreakerListener):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def failure(self, cb: pybreaker.CircuitBreaker, exc: BaseException) -> None:
        self.seen.append("failure")

    def success(self, cb: pybreaker.CircuitBreaker) -> None:
        self.seen.append("success")

    def state_change(
        self,
        cb: pybreaker.CircuitBreaker,
        old_state: pybreaker.CircuitBreakerState | None,
        new_state: pybreaker.CircuitBreakerState,
    ) -> None:
        self.seen.append(new_state.name)


class _Raising(pybreaker.CircuitBreakerListener):
    def state_change(
        self,
        cb: pybreaker.CircuitBreaker,
        old_state: pybreaker.CircuitBreakerState | None,
        new_state: pybreaker.CircuitBreakerState,
    ) -> None:
        raise RuntimeError("listener")


def test_its_own_fail_max_opens_the_circuit() -> None:
    """C10."""
    breaker = pybreaker.CircuitBreaker(fail_max=2, reset_timeout=60)
    inner = ScriptedExporter(default=fail)
    exporter = CircuitBreakerSpanExporter(inner, breaker=breaker)

    exporter.export(spans(1))
    assert (exporter.state, breaker.current_state) == (CLOSED, "closed")
    exporter.export(spans(1))
    assert (exporter.state, breaker.current_state) == (OPEN, "open")
    exporter.export(spans(1))

    assert len(inner.calls) == 2
    health = exporter.health()
    assert (health.failed, health.refused, health.opened) == (2, 1, 1)
    assert (health.cooldown, health.consecutive_failures) == (60, breaker.fail_counter)
    assert health.retry_in is not None
    assert 50 < health.retry_in <= 60


def test_its_cooldown_does_not_grow() -> None:
    """C10: growth and jitter are ours, not its."""
    breaker = pybreaker.CircuitBreaker(fail_max=1, reset_timeout=0.01)
    exporter = CircuitBreakerSpanExporter(ScriptedExporter([fail, fail, fail, succeed]), breaker=breaker)
    exporter.export(spans(1))

    for _ in range(2):
        until(lambda: exporter.health().retry_in == 0.0)
        assert exporter.state is OPEN
        assert exporter.export(spans(1)) is FAILURE
        assert exporter.health().cooldown == 0.01
    until(lambda: exporter.health().retry_in == 0.0)

    assert exporter.export(spans(1)) is SUCCESS
    assert exporter.state is CLOSED
    assert exporter.health().failed == 3


def test_an_excluded_exception_is_no_failure_of_its_circuit() -> None:
    """C10: the spans have failed all the same."""
    breaker = pybreaker.CircuitBreaker(fail_max=1, exclude=[LookupError])
    exporter = CircuitBreakerSpanExporter(ScriptedExporter([KeyError, KeyError, OSError]), breaker=breaker)

    assert exporter.export(spans(1)) is FAILURE
    assert exporter.export(spans(1)) is FAILURE
    assert exporter.state is CLOSED
    assert exporter.export(spans(1)) is FAILURE

    assert exporter.state is OPEN
    assert exporter.health().failed == 3


def test_an_exclusion_may_be_a_function() -> None:
    """C10."""
    breaker = pybreaker.CircuitBreaker(fail_max=1, exclude=[lambda error: "busy" in str(error)])
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter([OSError("busy"), OSError("gone")]), breaker=breaker
    )

    exporter.export(spans(1))
    assert exporter.state is CLOSED
    exporter.export(spans(1))

    assert exporter.state is OPEN


def test_its_success_threshold_asks_for_several_probes() -> None:
    """C10."""
    breaker = pybreaker.CircuitBreaker(fail_max=1, reset_timeout=0.01, success_threshold=3)
    exporter = CircuitBreakerSpanExporter(ScriptedExporter([fail]), breaker=breaker)
    exporter.export(spans(1))
    until(lambda: exporter.health().retry_in == 0.0)

    for _ in range(2):
        assert exporter.export(spans(1)) is SUCCESS
        assert exporter.state is CircuitState.HALF_OPEN
    assert exporter.export(spans(1)) is SUCCESS

    assert exporter.state is CLOSED


def test_between_two_of_its_probes_there_is_still_only_one_at_a_time() -> None:
    """C4, C10."""
    breaker = pybreaker.CircuitBreaker(fail_max=1, reset_timeout=0, success_threshold=3)
    inner = Gated()
    inner.let_out(0, FAILURE)
    inner.gates[1].open()
    exporter = CircuitBreakerSpanExporter(inner, breaker=breaker)
    exporter.export(spans(1))
    assert exporter.export(spans(1)) is SUCCESS
    second = start(lambda: exporter.export(spans(1)))
    inner.entered(3)

    others = [start(lambda: exporter.export(spans(2))) for _ in range(10)]
    assert {call.result(timeout=20) for call in others} == {FAILURE}

    assert len(inner.calls) == 3
    inner.let_all_out()
    assert second.result(timeout=20) is SUCCESS


def test_nothing_of_it_is_written() -> None:
    """C10."""
    listener = _Recording()
    storage = pybreaker.CircuitMemoryStorage("closed")
    breaker = pybreaker.CircuitBreaker(
        fail_max=2,
        reset_timeout=33,
        success_threshold=4,
        exclude=[LookupError],
        listeners=[listener],
        name="mine",
        state_storage=storage,
    )

    def settings() -> tuple[object, ...]:
        return (
            breaker.fail_max,
            breaker.reset_timeout,
            breaker.success_threshold,
            breaker.excluded_exceptions,
            breaker.listeners,
            breaker.name,
        )

    before = settings()
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=fail), breaker=breaker)
    for _ in range(3):
        exporter.export(spans(1))
    exporter.shutdown()

    assert settings() == before
    assert storage.state == "open"
    assert storage.opened_at is not None


def test_its_listeners_hear_of_our_exports_and_so_do_ours() -> None:
    """C10."""
    its, ours = _Recording(), list[CircuitState]()
    breaker = pybreaker.CircuitBreaker(fail_max=1, reset_timeout=0, listeners=[its])

    def listen(change: CircuitTransition) -> None:
        ours.append(change.new)

    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter([succeed, fail, succeed]), breaker=breaker, listeners=[listen]
    )
    for _ in range(3):
        exporter.export(spans(1))

    assert its.seen == ["success", "failure", "open", "half-open", "closed", "success"]
    assert ours == [OPEN, CircuitState.HALF_OPEN, CLOSED]


def test_a_listener_of_its_that_raises_is_logged_once_and_hurts_no_caller(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """C10: it may keep the circuit closed; export still answers and counts."""
    breaker = pybreaker.CircuitBreaker(fail_max=1, listeners=[_Raising()])
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=fail), breaker=breaker)

    with caplog.at_level(logging.INFO, logger="breaker_exporter"):
        for _ in range(4):
            assert exporter.export(spans(1)) is FAILURE

    health = exporter.health()
    assert (health.received, health.in_flight) == (4, 0)
    assert health.failed + health.refused == 4
    about_it = [record for record in caplog.records if "listener" in record.getMessage().lower()]
    assert len(about_it) == 1


def test_a_breaker_that_somebody_else_opened_refuses() -> None:
    """C4, C10: one breaker for a whole backend."""
    breaker = pybreaker.CircuitBreaker(fail_max=3, reset_timeout=60)
    inner = ScriptedExporter()
    exporter = CircuitBreakerSpanExporter(inner, breaker=breaker)
    breaker.open()

    assert exporter.state is OPEN
    assert exporter.export(spans(2)) is FAILURE

    assert inner.calls == []
    assert exporter.health().refused == 2
    breaker.close()
    assert exporter.state is CLOSED
    assert exporter.export(spans(1)) is SUCCESS


@pytest.mark.parametrize("outcome", [SUCCESS, FAILURE], ids=["success", "failure"])
def test_an_outcome_of_a_call_from_before_it_opened_is_counted_and_not_replayed(outcome: object) -> None:
    """C9."""
    breaker = pybreaker.CircuitBreaker(fail_max=3, reset_timeout=60)
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, breaker=breaker, export_timeout=60)
    exporting = start(lambda: exporter.export(spans(2)))
    inner.entered(1)
    breaker.open()
    assert exporter.state is OPEN

    inner.let_out(0, outcome)

    assert exporting.result(timeout=20) is outcome
    assert (exporter.state, breaker.current_state, breaker.fail_counter) == (OPEN, "open", 0)
    health = exporter.health()
    assert (health.exported, health.failed) == ((2, 0) if outcome is SUCCESS else (0, 2))


def test_its_lock_is_not_held_while_a_call_runs() -> None:
    """C9: admit first, run the export outside, then replay."""
    breaker = pybreaker.CircuitBreaker(fail_max=3)
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, breaker=breaker, export_timeout=60)
    exporting = start(lambda: exporter.export(spans(1)))
    inner.entered(1)

    assert start(lambda: breaker.call(lambda: 7)).result(timeout=20) == 7

    inner.let_all_out()
    assert exporting.result(timeout=20) is SUCCESS


def test_two_exporters_may_share_one() -> None:
    """C10: failures of one open the circuit of both."""
    breaker = pybreaker.CircuitBreaker(fail_max=2, reset_timeout=60)
    failing = CircuitBreakerSpanExporter(ScriptedExporter(default=fail), breaker=breaker)
    spared = ScriptedExporter()
    other = CircuitBreakerSpanExporter(spared, breaker=breaker)
    failing.export(spans(1))
    failing.export(spans(1))

    assert other.export(spans(3)) is FAILURE

    assert spared.calls == []
    assert other.health().refused == 3


def test_an_overrun_opens_it_at_once(deadlines: ManualClock) -> None:
    """C2."""
    breaker = pybreaker.CircuitBreaker(fail_max=3, reset_timeout=60)
    inner = Gated(when_stuck=lambda: deadlines.advance(0.05))
    exporter = CircuitBreakerSpanExporter(inner, breaker=breaker, export_timeout=0.05)

    assert exporter.export(spans(1)) is FAILURE

    assert exporter.state is OPEN
    assert exporter.health().hung_calls == 1
    inner.let_all_out()


def test_a_breaker_that_raises_new_errors_on_trip_or_does_not_is_the_same_to_us() -> None:
    """C10."""
    for throws in (True, False):
        breaker = pybreaker.CircuitBreaker(fail_max=1, reset_timeout=0, throw_new_error_on_trip=throws)
        exporter = CircuitBreakerSpanExporter(ScriptedExporter([fail, fail, succeed]), breaker=breaker)

        assert [exporter.export(spans(1)) for _ in range(3)] == [FAILURE, FAILURE, SUCCESS]
        assert exporter.state is CLOSED


def test_a_storage_that_raises_raises_nothing_into_the_caller() -> None:
    """P1: the export path still answers and counts."""

    class Broken(pybreaker.CircuitMemoryStorage):
        broken = False

        @property
        def state(self) -> str:
            if self.broken:
                raise OSError("no storage")
            return super().state

        @state.setter
        def state(self, state: str) -> None:
            if self.broken:
                raise OSError("no storage")
            self._state = state

    storage = Broken("closed")
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter(), breaker=pybreaker.CircuitBreaker(state_storage=storage)
    )
    storage.broken = True

    assert exporter.export(spans(2)) in (SUCCESS, FAILURE)

    storage.broken = False
    health = exporter.health()
    assert health.received == 2 == health.exported + health.failed + health.refused
    assert exporter.export(spans(1)) is SUCCESS


def test_a_forked_child_with_a_given_breaker_can_export() -> None:
    """R5, with the breaker's lock free."""
    breaker = pybreaker.CircuitBreaker(fail_max=2, reset_timeout=60)
    exporter = CircuitBreakerSpanExporter(ScriptedExporter([fail, succeed]), breaker=breaker)
    exporter.export(spans(1))

    def check() -> None:
        assert exporter.health().received == 0
        assert exporter.export(spans(2)) is SUCCESS
        assert exporter.health().exported == 2

    in_child(check)


def test_fifty_threads_that_find_it_due_send_one_probe() -> None:
    """C4."""
    breaker = pybreaker.CircuitBreaker(fail_max=1, reset_timeout=0)
    inner = Gated()
    inner.let_out(0, FAILURE)
    exporter = CircuitBreakerSpanExporter(inner, breaker=breaker, export_timeout=60)
    exporter.export(spans(1))
    batch = spans(1)
    together = threading.Barrier(50)

    def call() -> object:
        together.wait()
        return exporter.export(batch)

    calls = [start(call) for _ in range(50)]
    until(lambda: sum(call.done() for call in calls) == 49)
    inner.let_all_out()

    assert [call.result(timeout=20) for call in calls].count(SUCCESS) == 1
    assert len(inner.calls) == 2


@pytest.mark.parametrize("reads", range(1, 16))
def test_a_storage_that_opens_at_any_moment_loses_no_span(reads: int) -> None:
    """C10, P3: a storage is shared, so others may open the circuit between any two calls of ours."""

    class Flipping(pybreaker.CircuitMemoryStorage):
        left = reads

        @property
        def state(self) -> str:
            self.left -= 1
            return "open" if self.left < 0 else "closed"

        @state.setter
        def state(self, state: str) -> None:
            pass

    breaker = pybreaker.CircuitBreaker(reset_timeout=60, state_storage=Flipping("closed"))
    inner = ScriptedExporter()
    exporter = CircuitBreakerSpanExporter(inner, breaker=breaker)

    answer = exporter.export(spans(2))

    health = exporter.health()
    assert health.received == health.exported + health.failed + health.refused == 2
    assert (answer is SUCCESS) == (health.exported == 2) == bool(inner.calls)


def test_a_clock_that_raises_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """P1: exports fail, and the caller gets no exception."""
    broken = False

    def clock() -> float:
        if broken:
            raise OSError("clock")
        return 0.0

    exporter = CircuitBreakerSpanExporter(ScriptedExporter([fail]), failure_threshold=1, clock=clock)
    exporter.export(spans(1))
    broken = True
    caplog.clear()

    assert [exporter.export(spans(1)) for _ in range(2)] == [FAILURE, FAILURE]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize("outcome", [SUCCESS, FAILURE], ids=["success", "failure"])
def test_the_outcome_of_a_call_from_before_it_was_opened_and_closed_by_hand_is_not_replayed(
    outcome: object,
) -> None:
    """C9: a permit is valid for its generation only."""
    recording = _Recording()
    breaker = pybreaker.CircuitBreaker(fail_max=3, reset_timeout=60, listeners=[recording])
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, breaker=breaker, export_timeout=60)
    call = start(lambda: exporter.export(spans(2)))
    inner.entered(1)
    breaker.open()
    assert exporter.health().opened == 1
    breaker.close()
    assert exporter.health().retry_in is None

    inner.let_out(0, outcome)

    assert call.result(timeout=20) is outcome
    assert recording.seen == ["open", "closed"]
    assert (exporter.health().opened, exporter.health().consecutive_failures) == (1, 0)


def test_a_probe_that_could_not_be_sent_opens_no_breaker_that_was_closed_by_hand_meanwhile() -> None:
    """C9: nor is a permit taken back in another generation."""
    breaker = pybreaker.CircuitBreaker(fail_max=3, reset_timeout=0)
    breaker.open()
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, breaker=breaker, export_timeout=60)
    probe = start(lambda: exporter.export(spans(2)))
    inner.entered(1)
    breaker.close()
    assert exporter.health().retry_in is None

    inner.let_out(0, ExportReport(Verdict.UNSENT, reason="cannot be encoded"))

    assert probe.result(timeout=20) is FAILURE
    assert (exporter.state, breaker.current_state) == (CLOSED, "closed")
    inner.let_all_out()
    assert exporter.export(spans(1)) is SUCCESS
