"""K14: a backlog is delivered by itself, whatever became of the one who sends it."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pytest

from breaker_exporter import CircuitState
from breaker_exporter._core.sender import Sender
from breaker_exporter.testing import ScriptedExporter, fail, throw

from ..semantics._exporters import SUCCESS
from ..semantics._spans import spans
from ..semantics._waiting import until
from ..semantics.test_no_thread_to_be_had import no_new_threads
from ._retaining import DELIVERED, UNREACHABLE, Encoding, batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from breaker_exporter import CircuitBreakerSpanExporter
    from breaker_exporter.testing import ManualClock

    Make = Callable[..., CircuitBreakerSpanExporter]


def test_an_idle_service_recovers_by_itself(make: Make) -> None:
    """Nobody calls anything: real time, a real thread."""
    inner = ScriptedExporter([fail, fail])
    exporter = make(inner, failure_threshold=1, cooldown=0.05)

    exporter.export(batch("a", 3))
    assert inner.wait_for_calls(3, 20)

    until(lambda: inner.wait_for_returns(3, 20) and exporter.health().exported == 3)
    assert exporter.state is CircuitState.CLOSED


def test_after_the_probe_the_rest_follows_by_itself(
    make: Make, clock: ManualClock, moved: ManualClock
) -> None:
    inner = Encoding(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock)
    for number in range(20):
        exporter.export(batch(str(number)))
    inner.default = DELIVERED

    clock.advance(60)

    until(lambda: moved.advance(1.0) or exporter.health().exported == 20)  # type: ignore[func-returns-value]
    assert exporter.health().oldest_at is None


def test_a_failure_that_leaves_the_circuit_closed_is_tried_again_soon(make: Make) -> None:
    exporter = make(ScriptedExporter([fail]), failure_threshold=5)

    assert exporter.export(spans(3)) is SUCCESS

    until(lambda: exporter.health().exported == 3, within=5)


def test_an_empty_backlog_has_no_thread(make: Make) -> None:
    before = threading.active_count()
    exporter = make(ScriptedExporter([fail]), failure_threshold=5)
    assert threading.active_count() == before

    exporter.export(spans(3))
    until(lambda: exporter.health().exported == 3)

    until(lambda: threading.active_count() <= before + 1)  # the export thread stays


def test_a_healthy_exporter_never_starts_a_sender(make: Make) -> None:
    before = threading.active_count()
    exporter = make(ScriptedExporter())
    for _ in range(20):
        exporter.export(spans(1))

    assert threading.active_count() <= before + 1


def test_the_constructor_starts_no_thread(make: Make) -> None:
    before = threading.active_count()
    make(ScriptedExporter())
    assert threading.active_count() == before


def test_without_a_thread_to_be_had_the_batch_is_kept_and_goes_with_the_next(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    inner = ScriptedExporter()
    exporter = make(inner)
    given, later = spans(2), spans(1)

    with no_new_threads():
        assert exporter.export(given) is SUCCESS
        assert exporter.export(later) is SUCCESS
    health = exporter.health()
    assert (health.retained, health.failed, health.state) == (3, 0, CircuitState.CLOSED)
    assert caplog.text.count("thread") >= 1
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1

    exporter.export(spans(1))
    until(lambda: exporter.health().exported == 4)


def test_at_an_exit_where_no_thread_starts_export_sends_in_place(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R4: only Python 3.12 refuses threads there; the test imitates that."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    inner = ScriptedExporter([fail])
    exporter = make(inner)
    batches = [batch(name, 2) for name in "ab"]
    monkeypatch.setattr(threading.Thread, "start", refuse)

    assert [exporter.export(given) for given in batches] == [SUCCESS, SUCCESS]
    exporter.shutdown()

    assert (exporter.health().exported, exporter.health().dropped) == (4, 0)
    monkeypatch.undo()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_a_listener_that_ends_the_sender_costs_no_batch(
    make: Make, clock: ManualClock, looks_often: None, error: type[BaseException]
) -> None:
    """Killed, it is started by the next export."""
    inner = Encoding([UNREACHABLE])

    def listen(change: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise error

    exporter = make(inner, failure_threshold=1, clock=clock, listeners=[listen])
    for name in "ab":
        exporter.export(batch(name))
    hook, threading.excepthook = threading.excepthook, lambda _: None
    try:
        clock.advance(60)
        until(lambda: exporter.health().exported >= 1)
        exporter.export(batch("next"))
        until(lambda: exporter.health().exported == 3)
    finally:
        threading.excepthook = hook


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_wrapped_exporter_that_raises_to_end_its_thread_is_a_failure(
    make: Make, clock: ManualClock, looks_often: None, error: type[BaseException]
) -> None:
    """C3."""
    inner = ScriptedExporter([throw(error), throw(error)])
    exporter = make(inner, failure_threshold=1, clock=clock, max_cooldown=60)

    assert exporter.export(spans(2)) is SUCCESS
    for calls in (1, 2):
        until(lambda: len(inner.calls) == calls)  # noqa: B023
        until(lambda: exporter.state is CircuitState.OPEN)
        clock.advance(60)

    until(lambda: exporter.health().exported == 2)


def test_a_sender_that_waits_long_hears_of_a_new_batch_at_once(make: Make, clock: ManualClock) -> None:
    """Not only a second later: the circuit may have been closed meanwhile."""
    inner = Encoding(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock)
    exporter.export(batch("a"))
    inner.default = DELIVERED
    clock.advance(60)

    exporter.export(batch("b"))

    until(lambda: exporter.health().exported >= 1, within=0.9)


def test_a_clock_that_jumps_ahead_is_noticed(make: Make, clock: ManualClock) -> None:
    inner = ScriptedExporter([fail])
    exporter = make(inner, failure_threshold=1, cooldown=3600, max_cooldown=3600, clock=clock)
    exporter.export(spans(1))

    clock.advance(3600)

    until(lambda: exporter.health().exported == 1, within=5)


def test_a_clock_that_raises_delays_and_loses_nothing(
    make: Make, looks_often: None, caplog: pytest.LogCaptureFixture
) -> None:
    now: list[float] = [0.0]

    def read() -> float:
        if not now:
            raise OSError("no clock today")
        return now[0]

    inner = ScriptedExporter([fail])
    exporter = make(inner, failure_threshold=1, clock=read)
    exporter.export(spans(1))
    now.clear()
    for _ in range(3):
        assert exporter.export(spans(1)) is SUCCESS
    assert exporter.force_flush(50) is False
    assert exporter.health().retained == 4

    now.append(100.0)

    until(lambda: exporter.health().exported >= 1)
    assert len([record for record in caplog.records if "clock" in record.getMessage()]) <= 2


def test_a_wake_in_the_last_step_is_followed_by_another_one() -> None:
    """What came in after the step had looked is not left until the next export."""
    steps: list[bool] = []

    def step() -> float | None:
        steps.append(len(steps) == 0 and sender.wake())
        return None if len(steps) < 3 else 0.0

    sender = Sender("otlp", step)
    sender.wake()
    until(lambda: len(steps) == 2)
    until(lambda: sender._worker is None)
    sender.wake()
    until(lambda: len(steps) > 3)  # a step that is to be followed at once is
    sender.stop()
    until(lambda: sender._worker is None)
