"""No thread can be started: a stack size that no machine has makes every start fail, for real."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from typing import TYPE_CHECKING, Any

import pybreaker
import pytest
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState
from breaker_exporter.testing import ManualClock, ScriptedExporter, fail, hang

from ._exporters import FAILURE, SUCCESS, Gated
from ._spans import spans
from ._waiting import start, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from opentelemetry.sdk.trace import ReadableSpan


@contextlib.contextmanager
def no_new_threads() -> Iterator[None]:
    before = threading.stack_size(1 << 47)
    try:
        yield
    finally:
        threading.stack_size(before)


def test_an_export_without_a_thread_fails_with_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """R4: the backend has not been asked, so the circuit counts no failure."""
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(), failure_threshold=1)

    batch = spans(2)

    with no_new_threads():
        assert exporter.export(batch) is FAILURE
    health = exporter.health()

    assert (health.failed, health.consecutive_failures, health.state) == (2, 0, CircuitState.CLOSED)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "thread" in caplog.text
    assert exporter.export(spans(1)) is SUCCESS


def test_a_probe_without_a_thread_gives_its_permit_back(clock: ManualClock, deadlines: ManualClock) -> None:
    """C3: OPEN, and the next export may probe at once."""
    inner = Gated(when_stuck=lambda: deadlines.advance(0.1))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.1, cooldown=5, jitter=0, clock=clock)
    assert exporter.export(spans(1)) is FAILURE
    clock.advance(5)

    batch = spans(1)
    with no_new_threads():
        assert exporter.export(batch) is FAILURE

    health = exporter.health()
    assert (health.state, health.retry_in, health.cooldown, health.opened) == (CircuitState.OPEN, 0.0, 5.0, 1)
    inner.let_all_out()
    until(lambda: exporter.health().hung_calls == 0)


def test_flush_and_shutdown_without_a_thread_return(caplog: pytest.LogCaptureFixture) -> None:
    inner = ScriptedExporter()
    exporter = CircuitBreakerSpanExporter(inner)

    with no_new_threads():
        assert exporter.force_flush() is False
        exporter.shutdown()
    exporter.shutdown()

    assert inner.shutdown_calls == 0
    assert "not shut down" in caplog.text


@pytest.mark.parametrize("entry", ["force_flush", "shutdown"])
def test_what_is_thrown_into_a_waiting_flush_or_shutdown_goes_on(entry: str) -> None:
    """C3."""

    class Thrown(Exception):
        pass

    def throw(*_: object) -> None:
        raise Thrown

    inner = ScriptedExporter(on_flush=hang, on_shutdown=hang)
    exporter = CircuitBreakerSpanExporter(inner)
    before = signal.signal(signal.SIGUSR1, throw)

    def interrupt() -> None:
        until(lambda: inner.flush_calls + inner.shutdown_calls)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    start(interrupt)
    try:
        with pytest.raises(Thrown):
            getattr(exporter, entry)()
    finally:
        signal.signal(signal.SIGUSR1, before)
        inner.release()


def test_a_method_that_shows_no_signature_gets_no_timeout() -> None:
    class BuiltIn(SpanExporter):
        force_flush: Any = staticmethod(max)
        shutdown: Any = staticmethod(dict)

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return SUCCESS

    exporter = CircuitBreakerSpanExporter(BuiltIn())
    assert exporter.force_flush() is False
    exporter.shutdown()


def test_an_interrupt_in_a_given_breakers_listener_goes_on() -> None:
    """C10: its listeners run on the caller's side, so a Ctrl-C there is the caller's."""

    class Interrupting(pybreaker.CircuitBreakerListener):
        def failure(self, cb: pybreaker.CircuitBreaker, exc: BaseException) -> None:
            raise KeyboardInterrupt

    breaker = pybreaker.CircuitBreaker(listeners=[Interrupting()])
    exporter = CircuitBreakerSpanExporter(ScriptedExporter([fail]), breaker=breaker)
    with pytest.raises(KeyboardInterrupt):
        exporter.export(spans(1))
    health = exporter.health()
    assert (health.failed, health.in_flight) == (1, 0)


def test_a_handler_that_raises_reaches_nobody() -> None:
    """P1: nor does an error that a handler raises at a log line of ours."""

    class Raising(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise RuntimeError("handler")

    handler = Raising()
    logging.getLogger("breaker_exporter").addHandler(handler)
    try:
        exporter = CircuitBreakerSpanExporter(ScriptedExporter([fail]), failure_threshold=1)
        assert exporter.export(spans(1)) is FAILURE
        assert exporter.state is CircuitState.OPEN
    finally:
        logging.getLogger("breaker_exporter").removeHandler(handler)


def test_at_an_exit_where_no_thread_starts_a_call_runs_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """R4: what is queued arrives. Only Python 3.12 refuses threads there; the test imitates that."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    batch = spans(2)
    inner = ScriptedExporter()
    exporter = CircuitBreakerSpanExporter(inner)
    monkeypatch.setattr(threading.Thread, "start", refuse)

    assert exporter.export(batch) is SUCCESS
    exporter.shutdown()

    assert (exporter.health().exported, inner.shutdown_calls) == (2, 1)
