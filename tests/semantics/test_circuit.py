"""When the circuit lets an export through: C1-C7 and C11, on a clock that the tests move."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.metrics.export import MetricExportResult
from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState
from breaker_exporter.testing import ScriptedExporter, fail, succeed

from ._exporters import FAILURE, SUCCESS, Gated
from ._spans import spans
from ._waiting import start, until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from breaker_exporter import CircuitTransition
    from breaker_exporter.testing import ManualClock

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


class _Broken(Exception):
    """Raises when it is printed."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class _Hostile:
    """An answer that raises when it is compared."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not to be compared")

    def __bool__(self) -> bool:
        raise RuntimeError("not to be tested")

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        raise RuntimeError("not to be shown")


@pytest.mark.parametrize("threshold", [1, 2, 5])
def test_the_threshold_of_consecutive_failures_opens_the_circuit(clock: ManualClock, threshold: int) -> None:
    """C1."""
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter([fail] * threshold), failure_threshold=threshold, clock=clock
    )

    for failures in range(threshold):
        assert exporter.state is CLOSED
        assert exporter.health().consecutive_failures == failures
        assert exporter.export(spans(1)) is FAILURE

    assert exporter.state is OPEN
    assert exporter.health().consecutive_failures == threshold
    assert exporter.health().opened == 1


def test_one_success_sets_the_count_of_failures_to_zero(clock: ManualClock) -> None:
    """C1."""
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter([fail, fail, succeed, fail, fail]), failure_threshold=3, clock=clock
    )

    for _ in range(3):
        exporter.export(spans(1))
    assert exporter.health().consecutive_failures == 0
    for _ in range(2):
        exporter.export(spans(1))

    assert exporter.state is CLOSED
    assert exporter.health().consecutive_failures == 2


@pytest.mark.parametrize(
    "lie",
    [
        None,
        True,
        0,
        "SUCCESS",
        SpanExportResult,
        MetricExportResult.SUCCESS,
        _Hostile(),
    ],
    ids=["None", "True", "0", "text", "the enum itself", "a metric's success", "hostile"],
)
def test_an_answer_that_is_no_span_export_result_is_a_failure(clock: ManualClock, lie: object) -> None:
    """C2."""
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter(default=lambda _: lie), failure_threshold=1, clock=clock
    )

    assert exporter.export(spans(3)) is FAILURE

    assert exporter.state is OPEN
    assert exporter.health().failed == 3


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("refused"),
        StopIteration(),
        _Broken(),
        RecursionError(),
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        asyncio.CancelledError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_the_wrapped_exporter_raises_is_a_failure_and_goes_no_further(
    clock: ManualClock, error: BaseException
) -> None:
    """C2, C3: a BaseException passed on would end the processor's worker for good."""
    inner = Gated()
    inner.let_out(0, error)
    inner.let_all_out()
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=2, clock=clock)

    assert exporter.export(spans(2)) is FAILURE

    health = exporter.health()
    assert (health.failed, health.consecutive_failures, health.state) == (2, 1, CLOSED)
    assert exporter.export(spans(2)) is SUCCESS


def test_an_overrun_opens_the_circuit_at_once_and_counts_one_failure(
    clock: ManualClock, deadlines: ManualClock
) -> None:
    """C2, C11."""
    inner = Gated(when_stuck=lambda: deadlines.advance(0.05))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.05, failure_threshold=3, clock=clock)

    assert exporter.export(spans(2)) is FAILURE

    health = exporter.health()
    assert (health.state, health.consecutive_failures, health.opened) == (OPEN, 1, 1)
    assert (health.failed, health.in_flight, health.hung_calls) == (2, 0, 1)
    inner.let_all_out()


def test_while_open_nothing_reaches_the_wrapped_exporter(clock: ManualClock) -> None:
    """C4."""
    inner = ScriptedExporter(default=fail)
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, cooldown=10, jitter=0, clock=clock)
    exporter.export(spans(1))

    clock.advance(9.999)
    results = {exporter.export(spans(2)) for _ in range(50)}

    assert results == {FAILURE}
    assert len(inner.calls) == 1
    assert exporter.health().refused == 100


def test_what_an_open_circuit_refuses_costs_less_than_a_call_that_does_nothing(clock: ManualClock) -> None:
    """P2: a refusal takes microseconds; a call has to switch threads twice."""
    closed = CircuitBreakerSpanExporter(ScriptedExporter(), clock=clock)
    opened = CircuitBreakerSpanExporter(ScriptedExporter([fail]), failure_threshold=1, clock=clock)
    batch = spans(1)
    opened.export(batch)

    def a_thousand(exporter: CircuitBreakerSpanExporter) -> float:
        began = time.perf_counter()
        for _ in range(1_000):
            exporter.export(batch)
        return time.perf_counter() - began

    # A busy machine may interrupt one of them for longer than the calls take.
    assert min(a_thousand(opened) for _ in range(3)) < a_thousand(closed)
    assert (opened.health().refused, closed.health().exported) == (3_000, 1_000)


def test_after_the_cooldown_the_circuit_stays_open_until_somebody_calls(clock: ManualClock) -> None:
    """C11."""
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter([fail]), failure_threshold=1, cooldown=10, jitter=0, clock=clock
    )
    assert exporter.health().retry_in is None

    exporter.export(spans(1))
    assert exporter.health().retry_in == pytest.approx(10)
    clock.advance(4)
    assert exporter.health().retry_in == pytest.approx(6)
    clock.advance(6)
    assert exporter.health().retry_in == 0.0
    clock.advance(1_000)

    assert exporter.state is OPEN
    assert exporter.health().retry_in == 0.0


def test_the_first_export_after_the_cooldown_is_the_probe_and_its_success_closes(clock: ManualClock) -> None:
    """C4, C5."""
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter([fail, succeed]), failure_threshold=1, cooldown=10, jitter=0, clock=clock
    )
    exporter.export(spans(1))
    clock.advance(10)

    assert exporter.export(spans(2)) is SUCCESS

    health = exporter.health()
    assert (health.state, health.consecutive_failures, health.retry_in) == (CLOSED, 0, None)
    assert (health.failed, health.exported, health.refused, health.opened) == (1, 2, 0, 1)


def test_while_the_probe_is_out_the_circuit_is_half_open_and_refuses_all_others(clock: ManualClock) -> None:
    """C4."""
    inner = Gated()
    inner.let_out(0, FAILURE)
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, cooldown=10, clock=clock)
    exporter.export(spans(1))
    clock.advance(10)

    probe = start(lambda: exporter.export(spans(3)))
    inner.entered(2)
    assert exporter.state is HALF_OPEN
    assert exporter.health().in_flight == 3
    clock.advance(1_000)
    assert exporter.export(spans(5)) is FAILURE
    assert exporter.health().refused == 5

    inner.let_out(1)
    assert probe.result() is SUCCESS
    assert exporter.state is CLOSED
    assert len(inner.calls) == 2


def test_of_fifty_threads_that_call_after_the_cooldown_exactly_one_is_the_probe(clock: ManualClock) -> None:
    """C4."""
    inner = Gated()
    inner.let_out(0, FAILURE)
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, cooldown=10, clock=clock)
    exporter.export(spans(1))
    clock.advance(10)
    batches = [spans(1) for _ in range(50)]
    together = threading.Barrier(50)

    def call(batch: Sequence[ReadableSpan]) -> SpanExportResult:
        together.wait()
        return exporter.export(batch)

    calls = [start(lambda batch=batch: call(batch)) for batch in batches]  # type: ignore[misc]
    until(lambda: sum(call.done() for call in calls) == 49)
    inner.entered(2)
    assert len(inner.calls) == 2
    inner.let_out(1)
    answers = [call.result() for call in calls]

    assert answers.count(SUCCESS) == 1
    assert exporter.health().refused == 49
    assert exporter.state is CLOSED


def test_fifty_threads_that_call_while_the_circuit_opens_reach_the_wrapped_exporter_once(
    clock: ManualClock,
) -> None:
    """C4, R2: those waiting for their turn when it opens are refused, not let through."""
    inner = Gated(calls=50)
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, export_timeout=60, clock=clock)
    batches = [spans(1) for _ in range(50)]
    calls = [start(lambda batch=batch: exporter.export(batch)) for batch in batches]  # type: ignore[misc]
    until(lambda: exporter.health().in_flight == 50)

    inner.let_out(0, FAILURE)

    assert {call.result(timeout=20) for call in calls} == {FAILURE}
    assert len(inner.calls) == 1
    health = exporter.health()
    assert (health.failed, health.refused, health.in_flight) == (1, 49, 0)


def test_each_failed_probe_doubles_the_cooldown_up_to_its_maximum(clock: ManualClock) -> None:
    """C5."""
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter(default=fail),
        failure_threshold=2,
        cooldown=10,
        max_cooldown=45,
        jitter=0,
        clock=clock,
    )
    exporter.export(spans(1))
    exporter.export(spans(1))

    seen = []
    for probes in range(4):
        health = exporter.health()
        seen.append(health.cooldown)
        assert (health.opened, health.consecutive_failures) == (probes + 1, probes + 2)
        clock.advance(health.cooldown - 0.001)
        assert exporter.export(spans(1)) is FAILURE
        assert exporter.health().failed == probes + 2
        clock.advance(0.001)
        exporter.export(spans(1))

    assert seen == [10, 20, 40, 45]
    assert exporter.health().cooldown == 45


def test_a_probe_that_overruns_doubles_the_cooldown_too(clock: ManualClock, deadlines: ManualClock) -> None:
    """C2, C5."""
    inner = Gated(when_stuck=lambda: deadlines.advance(0.05))
    inner.let_out(0, FAILURE)
    exporter = CircuitBreakerSpanExporter(
        inner, failure_threshold=1, cooldown=10, jitter=0, export_timeout=0.05, clock=clock
    )
    exporter.export(spans(1))
    clock.advance(10)

    exporter.export(spans(1))

    health = exporter.health()
    assert (health.state, health.cooldown, health.opened) == (OPEN, 20, 2)
    assert health.retry_in == pytest.approx(20)
    assert health.consecutive_failures == 2
    inner.let_all_out()


def test_a_recovery_brings_the_cooldown_back_to_its_first_value(clock: ManualClock) -> None:
    """C5."""
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter([fail, fail, succeed, fail]), failure_threshold=1, cooldown=10, jitter=0, clock=clock
    )
    exporter.export(spans(1))
    clock.advance(10)
    exporter.export(spans(1))
    assert exporter.health().cooldown == 20
    clock.advance(20)
    exporter.export(spans(1))
    assert exporter.health().cooldown == 10

    exporter.export(spans(1))

    assert exporter.state is OPEN
    assert exporter.health().retry_in == pytest.approx(10)


def test_a_default_maximum_below_the_cooldown_is_raised_to_it(clock: ManualClock) -> None:
    """C11."""
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter(default=fail), failure_threshold=1, cooldown=90, jitter=0, clock=clock
    )
    exporter.export(spans(1))
    assert exporter.health().retry_in == pytest.approx(90)

    clock.advance(90)
    exporter.export(spans(1))

    assert exporter.health().cooldown == 90
    assert exporter.health().retry_in == pytest.approx(90)


def test_jitter_only_ever_shortens_a_cooldown_and_health_shows_it_without(clock: ManualClock) -> None:
    """Every cooldown is drawn from 80-100 % of its value: workers do not all probe in step."""
    drawn = []
    for _ in range(60):
        exporter = CircuitBreakerSpanExporter(
            ScriptedExporter([fail]), failure_threshold=1, cooldown=10, jitter=0.2, clock=clock
        )
        exporter.export(spans(1))
        assert exporter.health().cooldown == 10
        retry_in = exporter.health().retry_in
        assert retry_in is not None
        drawn.append(retry_in)

    assert min(drawn) >= 8 - 1e-6
    assert max(drawn) <= 10 + 1e-6
    assert len({round(seconds, 6) for seconds in drawn}) > 30


@pytest.mark.parametrize(
    "late", [SUCCESS, FAILURE, RuntimeError("late")], ids=["success", "failure", "raised"]
)
def test_a_late_result_changes_no_state_and_is_not_counted_again(
    clock: ManualClock, deadlines: ManualClock, late: object
) -> None:
    """C6."""
    inner = Gated(when_stuck=lambda: deadlines.advance(0.05))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.05, cooldown=10, jitter=0, clock=clock)
    exporter.export(spans(2))
    before = exporter.health()
    assert before.hung_calls == 1

    inner.let_out(0, late)
    until(lambda: exporter.health().hung_calls == 0)

    after = exporter.health()
    assert (after.state, after.consecutive_failures, after.opened) == (OPEN, 1, 1)
    assert (after.received, after.failed, after.exported) == (2, 2, 0)
    assert (after.retry_in, after.cooldown) == (before.retry_in, before.cooldown)
    assert (after.last_success_at, after.last_error) == (None, before.last_error)


@pytest.mark.parametrize("late", [SUCCESS, FAILURE], ids=["success", "failure"])
def test_a_late_result_leaves_a_circuit_alone_that_has_moved_on(
    clock: ManualClock, deadlines: ManualClock, late: object
) -> None:
    """C6, C9: an outcome of an older generation is counted, not replayed."""
    inner = Gated(when_stuck=lambda: deadlines.advance(0.02))
    inner.let_out(2, FAILURE)
    inner.gates[1].open()
    exporter = CircuitBreakerSpanExporter(
        inner, export_timeout=0.02, failure_threshold=2, cooldown=10, jitter=0, clock=clock
    )
    exporter.export(spans(1))
    clock.advance(10)
    assert exporter.export(spans(1)) is SUCCESS
    assert exporter.export(spans(1)) is FAILURE
    assert exporter.health().consecutive_failures == 1

    inner.let_out(0, late)
    until(lambda: exporter.health().hung_calls == 0)

    assert exporter.state is CLOSED
    assert exporter.health().consecutive_failures == 1


def test_real_time_that_passes_moves_no_cooldown_of_a_given_clock(clock: ManualClock) -> None:
    """C7: nothing but the clock counts, neither the wall's nor pybreaker's own."""
    inner = ScriptedExporter([fail, succeed])
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, cooldown=0.01, jitter=0, clock=clock)
    exporter.export(spans(1))
    began = time.time()
    until(lambda: time.time() > began + 0.03)

    assert exporter.export(spans(1)) is FAILURE
    assert exporter.health().refused == 1

    clock.advance(0.01)
    assert exporter.export(spans(1)) is SUCCESS


def test_without_a_given_clock_the_cooldown_is_real_seconds() -> None:
    """C7."""
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter([fail, succeed]), failure_threshold=1, cooldown=0.05, jitter=0
    )
    exporter.export(spans(1))
    assert exporter.state is OPEN

    until(lambda: exporter.health().retry_in == 0.0)

    assert exporter.export(spans(1)) is SUCCESS


def test_a_clock_that_runs_backwards_costs_time_and_nothing_else() -> None:
    """C7: a broken clock may delay a probe; it raises nothing and loses nothing."""
    now = [1_000.0]
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter([fail, succeed]), failure_threshold=1, cooldown=10, jitter=0, clock=lambda: now[0]
    )
    exporter.export(spans(1))
    now[0] = 5.0

    assert exporter.export(spans(1)) is FAILURE
    assert exporter.state is OPEN
    assert exporter.health().retry_in is not None

    now[0] = 1_010.0
    assert exporter.export(spans(1)) is SUCCESS
    assert exporter.health().received == 3


def test_listeners_see_every_change_of_state_in_order(clock: ManualClock) -> None:
    seen: list[CircuitTransition] = []
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter([fail, fail, fail, succeed]),
        name="shop",
        failure_threshold=2,
        cooldown=10,
        jitter=0,
        listeners=[seen.append],
        clock=clock,
    )
    began = time.time()
    exporter.export(spans(1))
    exporter.export(spans(1))
    clock.advance(10)
    exporter.export(spans(1))
    clock.advance(20)
    exporter.export(spans(1))

    assert [(change.old, change.new) for change in seen] == [
        (CLOSED, OPEN),
        (OPEN, HALF_OPEN),
        (HALF_OPEN, OPEN),
        (OPEN, HALF_OPEN),
        (HALF_OPEN, CLOSED),
    ]
    assert [change.cooldown for change in seen] == [10, 10, 20, 20, 10]
    assert [change.consecutive_failures for change in seen] == [2, 2, 3, 3, 0]
    assert {change.name for change in seen} == {"shop"}
    assert all(began - 1 <= change.at <= time.time() + 1 for change in seen)
    assert all(change.reason for change in seen)


def test_a_listener_that_exits_ends_no_thread_of_a_processor(clock: ManualClock) -> None:
    """C8. On the main thread a SystemExit may come from a signal handler, so there it is raised on."""

    def exit_(_: object) -> None:
        raise SystemExit

    told: list[CircuitTransition] = []
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter([fail, fail]),
        failure_threshold=1,
        cooldown=10,
        listeners=[exit_, told.append],
        clock=clock,
    )
    assert start(lambda: exporter.export(spans(1))).result(20) is FAILURE
    assert [change.new for change in told] == [OPEN]
    clock.advance(10)
    with pytest.raises(SystemExit):
        exporter.export(spans(1))


def test_a_listener_that_raises_changes_nothing_and_the_others_are_still_called(clock: ManualClock) -> None:
    """C8."""
    seen: list[CircuitState] = []

    def broken(_: CircuitTransition) -> None:
        raise RuntimeError("listener")

    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter([fail, succeed]),
        failure_threshold=1,
        cooldown=10,
        listeners=[broken, lambda change: seen.append(change.new), broken],
        clock=clock,
    )

    assert exporter.export(spans(1)) is FAILURE
    assert exporter.state is OPEN
    clock.advance(10)
    assert exporter.export(spans(1)) is SUCCESS

    assert exporter.state is CLOSED
    assert seen == [OPEN, HALF_OPEN, CLOSED]


def test_a_listener_may_look_at_health_and_export_again(clock: ManualClock) -> None:
    """C8: it is called outside every lock, after its change can be seen."""
    seen: list[tuple[CircuitState, CircuitState, SpanExportResult]] = []

    def listen(change: CircuitTransition) -> None:
        if change.new is not HALF_OPEN:
            seen.append((change.new, exporter.health().state, exporter.export(spans(1))))

    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter([fail, succeed, succeed]),
        failure_threshold=1,
        cooldown=10,
        listeners=[listen],
        export_timeout=60,
        clock=clock,
    )
    exporting = start(lambda: exporter.export(spans(1)))
    assert exporting.result(timeout=20) is FAILURE
    clock.advance(10)
    exporting = start(lambda: exporter.export(spans(1)))
    assert exporting.result(timeout=20) is SUCCESS

    assert seen == [(OPEN, OPEN, FAILURE), (CLOSED, CLOSED, SUCCESS)]
    health = exporter.health()
    assert (health.received, health.failed, health.refused, health.exported) == (4, 1, 1, 2)


def test_a_listener_that_blocks_keeps_nobody_else_waiting(clock: ManualClock) -> None:
    """C8: one that blocks is its owner's; other callers are refused and health can be read."""
    entered, leave = threading.Event(), threading.Event()

    def block(_: CircuitTransition) -> None:
        entered.set()
        leave.wait()

    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter([fail]), failure_threshold=1, listeners=[block], clock=clock
    )
    blocked = start(lambda: exporter.export(spans(1)))
    assert entered.wait(20)

    other = start(lambda: exporter.export(spans(1)))
    assert other.result(timeout=20) is FAILURE
    assert start(exporter.health).result(timeout=20).refused == 1

    leave.set()
    assert blocked.result(timeout=20) is FAILURE


def test_no_reason_or_last_error_gives_a_secret_away(clock: ManualClock) -> None:
    """Texts of exceptions carry URLs and headers; neither reason nor last_error does."""
    seen: list[CircuitTransition] = []
    error = RuntimeError("POST https://user:hunter2@collector/v1?key=hunter2 Authorization: Bearer hunter2")
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter([error]),
        failure_threshold=1,
        listeners=[seen.append],
        clock=clock,
    )

    exporter.export(spans(1))

    last_error = exporter.health().last_error
    assert last_error
    assert "hunter2" not in last_error
    assert "hunter2" not in seen[0].reason
    assert max(len(last_error), len(seen[0].reason)) < 300


def test_an_endless_class_of_errors_gives_no_endless_text(clock: ManualClock) -> None:
    endless = type("E" * 100_000, (Exception,), {})
    exporter = CircuitBreakerSpanExporter(ScriptedExporter([endless]), clock=clock)

    exporter.export(spans(1))

    assert len(exporter.health().last_error or "") < 1_000


def test_every_export_of_a_long_outage_agrees_with_a_circuit_written_down_by_hand(clock: ManualClock) -> None:
    """C1, C4, C5 together: probes at 10, 30, 70, 130 and 190 s, nothing in between."""
    inner = ScriptedExporter(default=fail)
    exporter = CircuitBreakerSpanExporter(
        inner, failure_threshold=1, cooldown=10, max_cooldown=60, jitter=0, clock=clock
    )
    called_at = []
    for second in range(200):
        before = len(inner.calls)
        exporter.export(spans(1))
        if len(inner.calls) > before:
            called_at.append(second)
        clock.advance(1)

    assert called_at == list(itertools.accumulate([0, 10, 20, 40, 60, 60]))
