"""K10, S1-S6: the end of an exporter that keeps something."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from breaker_exporter import CircuitState
from breaker_exporter._core.parcel_queue import ParcelQueue
from breaker_exporter.testing import ScriptedExporter, fail, hang

from ..semantics._exporters import FAILURE, SUCCESS, Gated
from ..semantics._spans import spans
from ..semantics._waiting import Gate, start, until
from ._retaining import BUSY, DELIVERED, UNREACHABLE, Encoding, batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from breaker_exporter import CircuitBreakerSpanExporter
    from breaker_exporter._core.parcel import Parcel
    from breaker_exporter.testing import ManualClock

    Make = Callable[..., CircuitBreakerSpanExporter]


def _behind_a_call(make: Make, count: int) -> tuple[Gated, CircuitBreakerSpanExporter]:
    """An exporter whose first call hangs, and so many batches that wait behind it."""
    inner = Gated(20)
    exporter = make(inner)
    first = start(lambda: exporter.export(batch("first")))
    inner.entered(1)
    exporter.begin_shutdown(3600)  # wakes nobody for good
    assert first.result(20) is SUCCESS
    for number in range(count):
        exporter.export(batch(str(number)))
    return inner, exporter


def test_with_a_closed_circuit_a_shutdown_sends_what_waits(make: Make) -> None:
    inner, exporter = _behind_a_call(make, 5)
    inner.let_all_out()

    exporter.shutdown()

    health = exporter.health()
    assert (health.exported, health.dropped, health.retained, health.in_flight) == (6, 0, 0, 0)
    assert inner.shutdown_calls == 1


def test_it_sends_at_once_whatever_the_pace(make: Make, clock: ManualClock, looks_often: None) -> None:
    inner = Encoding(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock)
    for number in range(30):
        exporter.export(batch(str(number)))
    inner.default = DELIVERED
    clock.advance(60)
    until(lambda: exporter.state is CircuitState.CLOSED)

    began = time.monotonic()
    exporter.shutdown()

    assert time.monotonic() - began < 10
    assert exporter.health().exported == 30


def test_it_waits_no_longer_for_a_call_that_has_ended(make: Make, looks_often: None) -> None:
    """The caller of that call has left, and nothing else waits whose turn would come."""
    inner, exporter = _behind_a_call(make, 0)
    custody = exporter._guarded.guard.custody
    assert custody is not None
    custody._sender.stop()
    until(lambda: custody._sender._worker is None)
    inner.let_all_out()

    began = time.monotonic()
    exporter.shutdown(40_000)

    assert time.monotonic() - began < 10, "half of its time"
    assert exporter.health().exported == 1


def test_it_does_not_look_over_all_that_waits_for_each_call(
    make: Make, clock: ManualClock, looks_often: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of thousands of batches, that would take longer than the calls."""
    inner = Encoding(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock)
    for number in range(30):
        exporter.export(batch(str(number)))
    inner.default = DELIVERED
    clock.advance(60)
    until(lambda: exporter.state is CircuitState.CLOSED)
    looks: list[int] = []

    def parcels(queue: ParcelQueue) -> list[Parcel]:
        looks.append(1)
        return look(queue)

    look = ParcelQueue.parcels
    monkeypatch.setattr(ParcelQueue, "parcels", parcels)

    exporter.shutdown()

    assert exporter.health().exported == 30
    assert len(looks) <= 3


def test_in_an_outage_what_is_kept_is_dropped_and_said(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    exporter = make(ScriptedExporter(default=fail), failure_threshold=1)
    for _ in range(4):
        exporter.export(spans(2))

    began = time.monotonic()
    exporter.shutdown()

    assert time.monotonic() - began < 5, "an outage costs no time"
    health = exporter.health()
    assert (health.dropped, health.retained, health.retained_bytes) == (8, 0, 0)
    said = [record.getMessage() for record in caplog.records]
    assert any("8 spans" in line and "could not be delivered" in line for line in said)


def test_a_shutdown_with_nothing_kept_says_nothing_of_it(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = make(ScriptedExporter())
    exporter.export(spans(2))

    exporter.shutdown()

    assert "could not be delivered" not in caplog.text


def test_a_second_shutdown_counts_nothing_again(make: Make) -> None:
    inner = ScriptedExporter(default=fail)
    exporter = make(inner, failure_threshold=1)
    exporter.export(spans(2))

    exporter.shutdown()
    exporter.shutdown()

    assert (exporter.health().dropped, inner.shutdown_calls) == (2, 1)


def test_a_busy_backend_is_not_asked_again_and_again(
    make: Make, clock: ManualClock, looks_often: None
) -> None:
    inner = Encoding(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock)
    for number in range(10):
        exporter.export(batch(str(number)))
    inner.default = DELIVERED
    inner.script = [DELIVERED]
    clock.advance(60)
    until(lambda: exporter.state is CircuitState.CLOSED)
    inner.default = BUSY
    calls = len(inner.sent)

    exporter.shutdown(5000)

    assert len(inner.sent) - calls <= 2
    assert exporter.health().dropped >= 8


def test_a_batch_that_fails_on_the_way_out_is_tried_once_and_the_others_too(make: Make) -> None:
    inner, exporter = _behind_a_call(make, 6)
    for number in (2, 4):
        inner.let_out(number, FAILURE)
    inner.let_all_out()

    exporter.shutdown()

    assert (exporter.health().exported, exporter.health().dropped) == (5, 2)
    assert len(inner.threads) == 7


def test_a_call_that_hangs_takes_no_more_than_the_shutdown_has(make: Make) -> None:
    inner = ScriptedExporter(default=hang)
    exporter = make(inner)
    first = start(lambda: exporter.export(spans(2)))
    inner.wait_for_calls(1)
    exporter.export(spans(3))

    began = time.monotonic()
    exporter.shutdown(300)

    assert time.monotonic() - began < 5
    assert exporter.health().dropped == 5
    assert exporter.health().in_flight == 0
    assert first.result(20) in (SUCCESS, FAILURE)
    inner.release()
    until(lambda: exporter.health().hung_calls == 0)
    assert (exporter.health().exported, exporter.health().dropped) == (0, 5)


def test_a_second_shutdown_meanwhile_waits_and_cuts_nothing_short(make: Make) -> None:
    """S6."""
    inner, exporter = _behind_a_call(make, 3)
    first = start(exporter.shutdown)
    until(lambda: exporter.export(spans(1)) is FAILURE)

    began = time.monotonic()
    exporter.shutdown(100)
    assert 0.05 < time.monotonic() - began < 5
    assert not first.done()
    second = start(exporter.shutdown)
    inner.let_all_out()

    first.result(20)
    second.result(20)
    assert exporter.health().exported == 4
    assert exporter.health().dropped == 0
    assert inner.shutdown_calls == 1


def test_after_the_time_of_begin_shutdown_an_export_is_refused(make: Make) -> None:
    """S4."""
    inner = ScriptedExporter()
    exporter = make(inner)
    exporter.begin_shutdown(0.0)

    assert exporter.export(spans(2)) is FAILURE
    assert (exporter.health().refused, inner.calls) == (2, [])


def test_a_shutdown_after_begin_shutdown_ends_when_that_ends(make: Make) -> None:
    """S4."""
    inner = ScriptedExporter(default=hang)
    exporter = make(inner)
    caller = start(lambda: exporter.export(spans(2)))
    inner.wait_for_calls(1)
    exporter.begin_shutdown(0.2)

    began = time.monotonic()
    exporter.shutdown(30_000)

    assert time.monotonic() - began < 5
    assert caller.result(20) in (SUCCESS, FAILURE)
    assert exporter.health().dropped == 2


def test_a_shutdown_while_a_batch_is_encoded_leaves_no_ghost(make: Make) -> None:
    inner = Encoding()
    exporter = make(inner)
    encoding, gate = threading.Event(), Gate()
    inner.when_encoding = lambda: encoding.set() or gate.wait()  # type: ignore[func-returns-value]
    caller = start(lambda: exporter.export(batch("late", 3)))
    assert encoding.wait(20)

    exporter.shutdown(100)
    gate.open()

    assert caller.result(20) is FAILURE
    health = exporter.health()
    assert (health.refused, health.retained, health.in_flight) == (3, 0, 0)
    assert inner.sent == []


def test_a_flush_beside_a_shutdown_comes_back(make: Make) -> None:
    inner, exporter = _behind_a_call(make, 2)
    flush = start(lambda: exporter.force_flush(20_000))
    ending = start(lambda: exporter.shutdown(400))

    ending.result(20)
    assert flush.result(10) in (True, False)
    inner.let_all_out()


def test_what_the_processor_drains_in_its_own_shutdown_is_delivered(make: Make) -> None:
    """S4."""
    inner = ScriptedExporter()
    exporter = make(inner)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=60_000))
    for _ in range(100):
        provider.get_tracer("test").start_span("x").end()

    provider.shutdown()

    assert exporter.health().exported == 100


def test_ctrl_c_while_a_shutdown_sends_goes_on_and_still_shuts_the_inner_one_down(make: Make) -> None:
    """C3."""
    inner, exporter = _behind_a_call(make, 3)
    custody = exporter._guarded.guard.custody
    assert custody is not None

    def interrupt() -> None:
        until(lambda: custody.intake.is_closed)
        until(lambda: exporter._guarded.guard._runner._turns.are_awaited)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    interrupting = start(interrupt)
    with pytest.raises(KeyboardInterrupt):
        exporter.shutdown()
    interrupting.result(20)

    until(lambda: inner.shutdown_calls == 1)
    assert exporter.health().retained == 0
    inner.let_all_out()


def test_ctrl_c_in_a_flush_goes_on_as_it_is(make: Make) -> None:
    """C3."""
    exporter = make(ScriptedExporter(default=fail), failure_threshold=1, cooldown=5)
    exporter.export(spans(1))
    custody = exporter._guarded.guard.custody
    assert custody is not None

    def interrupt() -> None:
        until(lambda: custody._change._waiting)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    interrupting = start(interrupt)
    with pytest.raises(KeyboardInterrupt):
        exporter.force_flush(20_000)
    interrupting.result(20)
    assert exporter.health().retained == 1


def test_a_shutdown_that_comes_after_the_end_waits_for_nothing(make: Make) -> None:
    """A stop whose time is over gives up what is left, while the thread that shuts down comes to it."""
    inner = Gated(20)
    exporter = make(inner)
    exporter._guarded.say_stopped()

    ended = start(lambda: exporter.shutdown(timeout_millis=3_600_000))

    ended.result(20)
    assert inner.shutdown_calls == 1
