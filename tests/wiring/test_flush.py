"""A flush exports the spans that were queued when it began, and ends within its time."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from breaker_exporter import CircuitBreakerLogRecordExporter, CircuitBreakerSpanExporter
from breaker_exporter._concurrency.once import Once
from breaker_exporter._concurrency.state_lock import new_state_lock
from breaker_exporter._wiring.batch_processor import BatchProcessor
from breaker_exporter._wiring.batch_settings import Batching
from breaker_exporter._wiring.log_batch_processor import LogBatchProcessor
from breaker_exporter._wiring.pipeline import Pipeline
from breaker_exporter._wiring.switchable_processor import SwitchableProcessor
from breaker_exporter.testing import ScriptedExporter, hang

from ..semantics._waiting import Gate, start, until

LONG = 60_000.0
"""Milliseconds between two batches that nobody asks for."""


def batches(inner: SpanExporter) -> BatchProcessor:
    return BatchProcessor(CircuitBreakerSpanExporter(inner, export_timeout=30.0), LONG)


def pipeline(inner: SpanExporter) -> Pipeline:
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=30.0)
    return Pipeline(BatchProcessor(exporter, LONG), exporter)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


@pytest.fixture
def provider(gate: Gate) -> Iterator[TracerProvider]:
    provider = TracerProvider(resource=Resource({}), shutdown_on_exit=False)
    yield provider
    gate.open()
    provider.shutdown()


def sell(provider: TracerProvider, name: str = "sell") -> None:
    provider.get_tracer("tests").start_span(name).end()


def flushing() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "breaker-exporter-flush"]


class Exporting(SpanExporter):
    """Does something in each export."""

    def __init__(self, do: Callable[[], object]) -> None:
        self._do = do
        self.names: list[str] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._do()
        self.names += [span.name for span in spans]
        return SpanExportResult.SUCCESS


def test_a_flush_waits_for_what_was_queued_and_not_for_what_keeps_coming(provider: TracerProvider) -> None:
    """The queue is never empty: each export ends one more span."""
    inner = Exporting(lambda: sell(provider, "later"))
    processor = batches(inner)
    provider.add_span_processor(processor)
    for number in range(700):
        sell(provider, str(number))

    assert start(lambda: processor.force_flush(20_000)).result(25)

    assert set(map(str, range(700))) <= set(inner.names)
    until(lambda: flushing() == [])  # nor does it go on by itself


def test_a_flush_ends_once_the_spans_it_waits_for_are_dropped(
    provider: TracerProvider, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "4")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")

    def take_turns() -> None:
        gate.wait()
        sell(provider, "later")

    inner = Exporting(take_turns)
    processor = batches(inner)
    provider.add_span_processor(processor)
    sell(provider, "first")
    sell(provider, "second")
    flush = start(lambda: processor.force_flush(20_000))
    until(flushing)
    for _ in range(20):
        sell(provider, "later")
    gate.open()

    assert flush.result(25)


def test_a_flush_of_all_pipelines_takes_its_timeout_once(provider: TracerProvider) -> None:
    inners = [ScriptedExporter(default=hang) for _ in range(3)]
    healthy = ScriptedExporter()
    switchable = SwitchableProcessor()
    switchable.switch_to(tuple(map(pipeline, [*inners, healthy])), shutdown_timeout=0.1)
    provider.add_span_processor(switchable)
    sell(provider)

    started = time.monotonic()
    assert not provider.force_flush(400)
    assert time.monotonic() - started < 10

    until(lambda: len(healthy.spans) == 1)
    for inner in inners:
        inner.release()


@pytest.mark.parametrize("timeout", [0, -1, math.nan, 1, "soon"])
def test_a_flush_with_no_time_returns_false_at_once(provider: TracerProvider, timeout: int) -> None:
    inner = ScriptedExporter(default=hang)
    processor = batches(inner)
    provider.add_span_processor(processor)
    sell(provider)

    started = time.monotonic()
    assert not processor.force_flush(timeout)

    assert time.monotonic() - started < 10
    inner.release()
    until(lambda: flushing() == [])


@pytest.mark.parametrize("timeout", [10**9, 10**30, math.inf])
def test_a_flush_with_endless_time_returns_once_all_is_exported(
    provider: TracerProvider, timeout: int
) -> None:
    inner = ScriptedExporter()
    processor = batches(inner)
    provider.add_span_processor(processor)
    sell(provider)

    assert processor.force_flush(timeout)

    assert len(inner.spans) == 1


def test_flushes_at_the_same_time_share_one_thread(provider: TracerProvider, gate: Gate) -> None:
    inner = Exporting(gate.wait)
    processor = batches(inner)
    provider.add_span_processor(processor)
    sell(provider)
    first = start(lambda: processor.force_flush(20_000))
    until(flushing)
    sell(provider)
    second = start(lambda: processor.force_flush(20_000))
    until(lambda: len(processor._flushes) == 2)

    assert len(flushing()) == 1
    gate.open()

    assert first.result(25)
    assert second.result(25)
    assert len(inner.names) == 2


def test_a_flush_from_within_an_export_returns_false_without_a_deadlock(provider: TracerProvider) -> None:
    flushed: list[bool] = []
    inner = Exporting(lambda: flushed.append(provider.force_flush(50)))
    processor = batches(inner)
    provider.add_span_processor(processor)
    sell(provider)

    assert processor.force_flush(20_000)

    assert flushed == [False]


class Holding(ScriptedExporter):
    """Flushes as it is told, and notes the milliseconds that it got."""

    def __init__(self, flushed: bool) -> None:
        super().__init__()
        self.flushed = flushed
        self.asked: list[int] = []

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        self.asked.append(timeout_millis)
        return self.flushed


@pytest.mark.parametrize("flushed", [True, False])
def test_a_flush_asks_the_exporter_too_with_the_time_that_is_left(
    provider: TracerProvider, flushed: bool
) -> None:
    """K1: what it has accepted and kept is not delivered yet."""
    inner = Holding(flushed)
    processor = batches(inner)
    provider.add_span_processor(processor)
    sell(provider)

    assert processor.force_flush(20_000) is flushed

    assert len(inner.spans) == 1
    (millis,) = inner.asked
    assert 0 < millis <= 20_000


def test_a_flush_that_was_late_does_not_ask_the_exporter(provider: TracerProvider) -> None:
    inner = ScriptedExporter(default=hang)
    processor = batches(inner)
    provider.add_span_processor(processor)
    sell(provider)

    assert not processor.force_flush(50)

    assert inner.flush_calls == 0
    inner.release()


def test_a_flush_after_the_shutdown_returns_false(provider: TracerProvider) -> None:
    processor = batches(ScriptedExporter())
    provider.add_span_processor(processor)
    provider.shutdown()

    assert not processor.force_flush(20_000)


class Leaves(SpanExporter):
    """Ends whoever calls, the first time."""

    def __init__(self) -> None:
        self.calls = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.calls += 1
        if self.calls == 1:
            raise SystemExit
        return SpanExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True

    def shutdown(self, timeout_millis: int = 30_000) -> None:
        pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_flush_whose_thread_was_ended_does_not_keep_the_next_one_from_starting(
    provider: TracerProvider,
) -> None:
    inner = Leaves()
    processor = BatchProcessor(inner, LONG)  # type: ignore[arg-type]
    provider.add_span_processor(processor)
    sell(provider)
    assert not processor.force_flush(1_000)
    sell(provider)

    assert processor.force_flush(20_000)

    assert inner.calls == 2


def test_where_no_thread_can_start_the_caller_flushes_itself(
    provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R4: so it is at interpreter exit, from Python 3.12 on."""
    inner = Exporting(lambda: None)
    processor = batches(inner)
    provider.add_span_processor(processor)
    sell(provider)
    assert processor.force_flush(20_000)  # so that the thread it runs on is there
    inner._do = lambda: sell(provider, "later")
    sell(provider)

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    with monkeypatch.context() as at_exit:
        at_exit.setattr(threading.Thread, "start", refuse)
        assert processor.force_flush(20_000)

    assert inner.names == ["sell", "sell", "later"]  # the next batch was taken from the queue by then


def test_a_child_forked_during_a_flush_flushes_its_own(provider: TracerProvider, gate: Gate) -> None:
    """R5."""
    parent = os.getpid()
    inner = Exporting(lambda: gate.wait() if os.getpid() == parent else None)
    processor = batches(inner)
    provider.add_span_processor(processor)
    sell(provider)
    flush = start(lambda: processor.force_flush(20_000))
    until(flushing)

    child = os.fork()
    if child == 0:
        sell(provider)
        os._exit(0 if processor.force_flush(20_000) and inner.names == ["sell"] else 1)
    _, status = os.waitpid(child, 0)
    gate.open()

    assert os.waitstatus_to_exitcode(status) == 0
    assert flush.result(25)


class Interrupted(Exception):
    pass


@pytest.fixture
def interrupting() -> Iterator[None]:
    """SIGALRM raises into what the main thread waits for."""

    def interrupt(number: int, frame: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    yield
    signal.signal(signal.SIGALRM, before)


def test_an_exception_thrown_into_a_waiting_flush_reaches_the_caller(
    provider: TracerProvider, gate: Gate, interrupting: None
) -> None:
    """C3."""
    processor = batches(Exporting(gate.wait))
    provider.add_span_processor(processor)
    sell(provider)

    def interrupt() -> None:
        until(flushing)
        os.kill(os.getpid(), signal.SIGALRM)

    interrupted = start(interrupt)
    with pytest.raises(Interrupted):
        processor.force_flush(20_000)

    interrupted.result(25)
    gate.open()
    until(lambda: flushing() == [])


def test_a_call_that_another_thread_makes_can_be_waited_for_in_vain(gate: Gate, interrupting: None) -> None:
    once = Once()
    first = start(lambda: once.run(gate.wait, 20.0))
    until(lambda: once._caller)
    once.run(gate.open, 0.05)  # late, and not called

    def interrupt() -> None:
        until(lambda: len(once._waiting) == 2)
        os.kill(os.getpid(), signal.SIGALRM)

    interrupted = start(interrupt)
    with pytest.raises(Interrupted):
        once.run(gate.open, 20.0)

    interrupted.result(25)
    assert not first.done()
    gate.open()
    first.result(25)


def test_a_flush_that_interrupted_code_under_a_lock_of_ours_does_not_wait(provider: TracerProvider) -> None:
    """P1: a signal handler there would wait for threads that wait for that lock."""
    switchable = SwitchableProcessor()
    each = pipeline(ScriptedExporter())
    switchable.switch_to((each,), shutdown_timeout=5.0)
    provider.add_span_processor(switchable)
    sell(provider)

    with new_state_lock():
        assert not switchable.force_flush()
        assert not each.processor.force_flush()

    assert switchable.force_flush()


def test_a_flush_on_the_hub_does_not_wait(provider: TracerProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """P1; the hub itself is in ``test_processes``."""
    switchable = SwitchableProcessor()
    each = pipeline(ScriptedExporter())
    provider.add_span_processor(switchable)

    with monkeypatch.context() as on_hub:
        on_hub.setattr("breaker_exporter._concurrency.hub.on_hub", lambda: True)
        assert switchable.force_flush()  # with nothing behind it
        switchable.switch_to((each,), shutdown_timeout=5.0)
        assert not switchable.force_flush()
        assert not each.processor.force_flush()


class Logging(LogRecordExporter):
    """Does something in each export."""

    def __init__(self, do: Callable[[], object]) -> None:
        self._do = do
        self.bodies: list[object] = []

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        self._do()
        self.bodies += [record.log_record.body for record in batch]
        return LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


def test_a_flush_of_log_records_waits_for_no_later_ones_either() -> None:
    provider = LoggerProvider(resource=Resource({}), shutdown_on_exit=False)
    logger = provider.get_logger("tests")
    inner = Logging(lambda: logger.emit(LogRecord(body="later")))
    exporter = CircuitBreakerLogRecordExporter(inner, export_timeout=30.0)
    processor = LogBatchProcessor(exporter, Batching(2048, 512, int(LONG), 30_000))
    provider.add_log_record_processor(processor)
    logger.emit(LogRecord(body="sold"))

    assert processor.force_flush(20_000)
    assert inner.bodies[0] == "sold"
    ended = len(inner.bodies)
    until(lambda: not flushing())

    assert len(inner.bodies) <= ended + 1
    provider.shutdown()
