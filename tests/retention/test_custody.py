"""K1: a batch belongs to the exporter from the moment it is encoded; what ``export`` then answers."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState, Retention
from breaker_exporter.testing import ManualClock, ScriptedExporter, fail, hang

from ..semantics._exporters import FAILURE, SUCCESS, Gated
from ..semantics._spans import spans
from ..semantics._waiting import Gate, start, until
from ._retaining import DELIVERED, REJECTED, UNREACHABLE, UNSENT, Encoding, batch, names, sum_agrees

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[..., CircuitBreakerSpanExporter]


def test_while_the_circuit_is_closed_and_nothing_waits_export_waits_for_the_answer(make: Make) -> None:
    inner = Gated()
    exporter = make(inner)

    answer = start(lambda: exporter.export(spans(3)))
    inner.entered(1)
    assert (exporter.health().in_flight, answer.done()) == (3, False)
    inner.let_out(0)

    assert answer.result(20) is SUCCESS
    assert (exporter.health().exported, exporter.health().in_flight) == (3, 0)


@pytest.mark.parametrize("report", [REJECTED, UNSENT])
def test_a_final_verdict_is_a_failure(make: Make, report: object) -> None:
    exporter = make(ScriptedExporter(default=lambda _: report))

    assert exporter.export(spans(3)) is FAILURE

    health = exporter.health()
    assert (health.failed, health.retained, health.state) == (3, 0, CircuitState.CLOSED)


def test_a_batch_that_failed_is_kept_and_that_is_a_success(make: Make) -> None:
    exporter = make(ScriptedExporter(default=fail), failure_threshold=1)

    assert exporter.export(spans(3)) is SUCCESS

    health = exporter.health()
    assert (health.retained, health.failed, health.in_flight) == (3, 0, 0)
    assert health.oldest_at is not None
    assert abs(health.oldest_at - time.time()) < 20
    assert health.retained_bytes > 0
    assert health.state is CircuitState.OPEN


def test_an_open_circuit_is_not_touched_and_the_batch_is_kept(make: Make) -> None:
    inner = ScriptedExporter(default=fail)
    exporter = make(inner, failure_threshold=1)
    exporter.export(spans(1))

    for _ in range(5):
        assert exporter.export(spans(2)) is SUCCESS

    assert len(inner.calls) == 1
    assert exporter.health().retained == 11
    assert exporter.health().refused == 0


def test_behind_an_earlier_batch_nobody_waits(make: Make) -> None:
    """A slow or silent backend never fills the SDK's queue."""
    inner = Gated()
    exporter = make(inner)
    first = start(lambda: exporter.export(batch("first")))
    inner.entered(1)
    assert first.result(20) is SUCCESS  # after a second, though the call is still out

    began = time.monotonic()
    for _ in range(10):
        assert exporter.export(batch("later")) is SUCCESS
    assert time.monotonic() - began < 0.9
    assert len(inner.calls) == 1

    inner.let_all_out()
    inner.release()
    until(lambda: len(inner.threads) >= 2)


def test_an_answer_is_waited_for_one_second_at_most(make: Make) -> None:
    """`export_timeout` is the limit of one attempt of the sender, not of the caller."""
    inner = Gated()
    exporter = make(inner, export_timeout=30)

    began = time.monotonic()
    assert exporter.export(spans(3)) is SUCCESS
    assert 0.9 < time.monotonic() - began < 10

    health = exporter.health()
    assert (health.in_flight + health.retained, health.exported) == (3, 0)
    inner.let_out(0)
    until(lambda: exporter.health().exported == 3)
    assert len(inner.calls) == 1


def test_an_answer_is_waited_for_no_longer_than_the_shutdown_leaves(make: Make) -> None:
    exporter = make(ScriptedExporter(default=hang))
    exporter.begin_shutdown(0.05)

    began = time.monotonic()
    assert exporter.export(spans(3)) is SUCCESS
    assert time.monotonic() - began < 0.9


def test_a_caller_that_waits_already_comes_back_when_the_shutdown_begins(make: Make) -> None:
    inner = ScriptedExporter(default=hang)
    exporter = make(inner)
    began = time.monotonic()
    answer = start(lambda: exporter.export(spans(3)))
    inner.wait_for_calls(1)

    exporter.begin_shutdown(0.0)

    assert answer.result(20) is SUCCESS
    assert time.monotonic() - began < 0.9


def test_after_shutdown_a_batch_is_refused(make: Make) -> None:
    inner = ScriptedExporter()
    exporter = make(inner)
    exporter.shutdown()

    assert exporter.export(spans(2)) is FAILURE

    health = exporter.health()
    assert (health.received, health.refused, len(inner.calls)) == (2, 2, 0)


def test_a_batch_larger_than_the_memory_is_delivered_as_without_retention(make: Make) -> None:
    inner = Encoding()
    exporter = make(inner, retention=Retention(memory=150))

    assert exporter.export(batch("large", 2)) is SUCCESS
    assert exporter.health().exported == 2


def test_with_nowhere_to_hold_it_a_batch_that_cannot_be_sent_is_a_failure(make: Make) -> None:
    exporter = make(Encoding(default=UNREACHABLE), retention=Retention(memory=150), failure_threshold=1)

    assert exporter.export(batch("large", 20)) is FAILURE
    assert exporter.export(batch("later", 20)) is FAILURE

    health = exporter.health()
    assert (health.dropped, health.retained, health.retained_bytes) == (40, 0, 0)


def test_no_memory_is_no_retention(make: Make) -> None:
    inner = ScriptedExporter(default=fail)
    exporter = make(inner, retention=Retention(memory=0), failure_threshold=1)

    assert exporter.export(spans(1)) is FAILURE
    assert exporter.export(spans(2)) is FAILURE

    health = exporter.health()
    assert (health.failed, health.refused, health.retained, health.dropped) == (1, 2, 0, 0)


def test_without_retention_nothing_is_kept() -> None:
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=fail), failure_threshold=1)

    assert exporter.export(spans(1)) is FAILURE
    assert exporter.export(spans(1)) is FAILURE
    assert (exporter.health().failed, exporter.health().refused) == (1, 1)


def test_export_encodes_before_it_comes_back(make: Make) -> None:
    """The objects are the application's, which may go on with them."""
    inner = Encoding(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1)

    exporter.export(batch("first"))
    exporter.export(batch("second"))

    assert len(inner.encoding_threads) == 2
    assert inner.sent == [("first",)]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt("odd"), SystemExit(3)])
def test_a_batch_that_cannot_be_encoded_fails_for_good(make: Make, error: BaseException) -> None:
    inner = Encoding()
    exporter = make(inner, failure_threshold=1)

    def throw() -> None:
        raise error

    inner.when_encoding = throw
    if isinstance(error, Exception):
        assert exporter.export(spans(3)) is FAILURE
    else:
        with pytest.raises(type(error)):
            exporter.export(spans(3))

    health = exporter.health()
    assert (health.failed, health.retained, health.in_flight) == (3, 0, 0)
    assert health.state is CircuitState.CLOSED
    inner.when_encoding = lambda: None
    assert exporter.export(spans(1)) is SUCCESS


def test_what_an_encoder_leaves_out_has_failed(make: Make) -> None:
    inner = Encoding()
    exporter = make(inner)
    inner.encodes = lambda given: tuple(span.name for span in given[:2])

    assert exporter.export(spans(3)) is SUCCESS
    health = exporter.health()
    assert (health.exported, health.failed) == (2, 1)

    inner.encodes = lambda _: ()
    assert exporter.export(spans(3)) is FAILURE
    assert exporter.health().failed == 4
    assert len(inner.sent) == 1


def test_an_empty_batch_succeeds_and_touches_nothing(make: Make) -> None:
    """C11."""
    inner = Encoding()
    exporter = make(inner)
    before = exporter.health()

    assert exporter.export(()) is SUCCESS

    assert exporter.health() == before
    assert (inner.sent, inner.encoding_threads) == ([], [])


def test_what_has_no_length_fails(make: Make) -> None:
    """C11."""
    inner = Encoding()
    exporter = make(inner)

    assert exporter.export(object()) is FAILURE  # type: ignore[arg-type]
    assert (exporter.health().received, inner.encoding_threads) == (0, [])


def test_one_call_at_a_time_under_many_callers(make: Make) -> None:
    inner = ScriptedExporter(default=lambda _: time.sleep(0.001) or SUCCESS)  # type: ignore[func-returns-value]
    exporter = make(inner)
    given = spans(1)

    callers = [start(lambda: [exporter.export(given) for _ in range(10)]) for _ in range(5)]

    assert {answer for caller in callers for answer in caller.result(20)} == {SUCCESS}
    assert exporter.force_flush() is True
    assert exporter.health().exported == 50
    assert not inner.overlapped


def test_a_flush_of_a_healthy_service_by_the_sdk_means_delivered(make: Make) -> None:
    """The SDK's `force_flush` never asks the exporter."""
    inner = ScriptedExporter(default=lambda _: time.sleep(0.02) or SUCCESS)  # type: ignore[func-returns-value]
    exporter = make(inner)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, max_export_batch_size=10))
    for _ in range(55):
        provider.get_tracer("test").start_span("x").end()

    assert provider.force_flush()

    assert exporter.health().exported == 55
    provider.shutdown()


def test_a_simple_processor_goes_on_through_an_outage(
    make: Make, clock: ManualClock, looks_often: None
) -> None:
    inner = Encoding(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=2, clock=clock)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    for number in range(20):
        tracer.start_span(str(number)).end()
    until(lambda: exporter.state is CircuitState.OPEN)
    assert exporter.health().retained == 20

    inner.default = DELIVERED
    clock.advance(60)
    until(lambda: exporter.state is CircuitState.CLOSED)
    tracer.start_span("live").end()

    until(lambda: "live" in inner.accepted)
    provider.shutdown()


class _OnlyExports:
    def __init__(self, inner: Gated) -> None:
        self.export = inner.export


def test_our_flush_waits_for_what_was_there_when_it_was_called(make: Make) -> None:
    inner = Gated()
    exporter = make(_OnlyExports(inner))
    callers = [start(lambda: exporter.export(spans(1)))]
    inner.entered(1)
    callers.append(start(lambda: exporter.export(spans(1))))
    until(lambda: exporter.health().received == 2)

    flush = start(lambda: exporter.force_flush(20_000))
    custody = exporter._guarded.guard.custody
    until(lambda: custody and custody._change._waiting)
    callers.append(start(lambda: exporter.export(batch("came after"))))
    until(lambda: exporter.health().received == 3)
    inner.let_out(0)
    inner.entered(2)
    assert not flush.done()
    inner.let_out(1)

    assert flush.result(10) is True
    assert (exporter.health().exported, exporter.health().in_flight) == (2, 1)
    inner.let_all_out()
    assert {caller.result(20) for caller in callers} == {SUCCESS}


def test_our_flush_comes_back_in_time_while_nothing_is_delivered(make: Make) -> None:
    exporter = make(ScriptedExporter(default=fail), failure_threshold=1)
    exporter.export(spans(1))

    began = time.monotonic()
    assert exporter.force_flush(50) is False
    assert time.monotonic() - began < 5


def test_our_flush_in_an_outage_waits_for_the_probes_that_are_due_within_its_time(
    make: Make, clock: ManualClock, looks_often: None
) -> None:
    """K1."""
    exporter = make(ScriptedExporter([fail, fail]), failure_threshold=1, clock=clock, cooldown=10)
    custody = exporter._guarded.guard.custody
    exporter.export(spans(1))
    assert exporter.force_flush(9_000) is False

    flush = start(lambda: exporter.force_flush(15_000))
    until(lambda: custody and custody._change._waiting)
    clock.advance(10)  # the probe fails, and the next one is due in 20 s
    assert flush.result(10) is False

    flush = start(lambda: exporter.force_flush(25_000))
    until(lambda: custody and custody._change._waiting)
    clock.advance(20)
    assert flush.result(10) is True
    assert exporter.health().exported == 1


def test_our_flush_of_an_empty_backlog_asks_the_wrapped_exporter(make: Make) -> None:
    inner = ScriptedExporter()
    exporter = make(inner)

    assert exporter.force_flush() is True
    assert inner.flush_calls == 1


def test_a_call_on_the_way_is_no_reason_to_encode_later(make: Make) -> None:
    """Encoding needs no turn: it runs beside a call."""
    inner = Encoding()
    gate = Gate()
    inner.default = lambda payload: gate.wait() and Encoding().send_payload(payload)
    exporter = make(inner)
    first = start(lambda: exporter.export(batch("first")))
    until(lambda: inner.sent)

    exporter.export(batch("second"))

    assert len(inner.encoding_threads) == 2
    assert len(inner.sent) == 1
    gate.open()
    assert first.result(20) is SUCCESS
    until(lambda: exporter.health().exported == 2)


def test_every_snapshot_beside_everything_agrees(make: Make) -> None:
    """K12, under real threads."""
    outcomes = [SUCCESS, FAILURE, SUCCESS, REJECTED, SUCCESS]
    inner = ScriptedExporter(default=lambda given: outcomes[len(inner.calls) % 5])
    exporter = make(inner, failure_threshold=3, cooldown=0.001, retention=Retention(memory=40_000))
    given = spans(1)
    stop = threading.Event()
    wrong: list[object] = []

    def look() -> None:
        while not stop.is_set():
            health = exporter.health()
            if not sum_agrees(health):
                wrong.append(health)

    looking = start(look)
    callers = [start(lambda: [exporter.export(given) for _ in range(50)]) for _ in range(4)]
    for caller in callers:
        caller.result(20)
    stop.set()
    looking.result(20)

    assert wrong == []
    assert names(inner)
    assert exporter.health().received == 200
