"""Signal handlers, listeners and wrapped exporters that use the exporter they are called by (R2, C8, P1)."""

from __future__ import annotations

import contextvars
import signal
import threading
import time
from typing import TYPE_CHECKING

import pybreaker
import pytest

from breaker_exporter import CircuitState, Retention
from breaker_exporter._core import sender
from breaker_exporter._core.accounts import Accounts
from breaker_exporter.testing import ManualClock, ScriptedExporter, fail

from ..semantics._exporters import FAILURE, SUCCESS, Gated
from ..semantics._spans import spans
from ..semantics._waiting import start, until
from ..semantics.test_no_thread_to_be_had import no_new_threads
from ._retaining import DELIVERED, UNREACHABLE, Encoded, Encoding, batch, sum_agrees

if TYPE_CHECKING:
    from collections.abc import Callable

    from breaker_exporter import CircuitBreakerSpanExporter

    from ..semantics._signal_handlers import HandleWhen

    Make = Callable[..., CircuitBreakerSpanExporter]


def test_an_export_in_a_signal_handler_that_interrupts_an_export_is_kept(
    make: Make, handle_when: HandleWhen
) -> None:
    inner = Gated()
    exporter = make(inner)

    def handler() -> object:
        answer = exporter.export(spans(3))
        inner.let_all_out()
        return answer

    answers = handle_when(lambda: inner.threads, handler)

    assert exporter.export(spans(2)) is SUCCESS
    assert answers == [SUCCESS]
    until(lambda: exporter.health().exported == 5)
    assert len(inner.calls) == 2


def test_a_flush_in_a_signal_handler_that_interrupts_an_export_comes_back_at_once(
    make: Make, handle_when: HandleWhen
) -> None:
    inner = Gated()
    exporter = make(inner)

    def handler() -> object:
        began = time.monotonic()
        answer = exporter.force_flush(60_000)
        inner.let_all_out()
        return answer, time.monotonic() - began < 10

    answers = handle_when(lambda: inner.threads, handler)

    assert exporter.export(spans(2)) is SUCCESS
    assert answers == [(False, True)]


def test_a_shutdown_in_a_signal_handler_that_interrupts_an_export_comes_back(
    make: Make, handle_when: HandleWhen
) -> None:
    """As a service's SIGTERM handler does."""
    inner = Gated()
    exporter = make(inner)

    def handler() -> object:
        began = time.monotonic()
        exporter.shutdown(2000)
        return time.monotonic() - began < 10

    answers = handle_when(lambda: inner.threads, handler)
    exporter.export(spans(2))

    assert answers == [True]
    inner.let_all_out()
    health = exporter.health()
    assert health.exported + health.dropped == 2


def test_health_in_a_signal_handler_beside_everything(make: Make) -> None:
    seen: list[bool] = []
    outcomes = [SUCCESS, FAILURE, SUCCESS]
    inner = ScriptedExporter(default=lambda _: outcomes[len(inner.calls) % 3])
    exporter = make(inner, failure_threshold=1, cooldown=0.001, retention=Retention(memory=40_000))

    def look(*_: object) -> None:
        health = exporter.health()
        seen.append(sum_agrees(health) and min(health.retained, health.in_flight, health.retained_bytes) >= 0)

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
    given = spans(1)
    try:
        for _ in range(30):
            exporter.export(given)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert seen
    assert all(seen)


@pytest.mark.parametrize("error", [KeyboardInterrupt])
def test_what_a_signal_handler_throws_into_a_waiting_export_goes_on_and_the_batch_stays(
    make: Make, handle_when: HandleWhen, error: type[BaseException]
) -> None:
    """C3."""
    inner = Gated()
    exporter = make(inner)

    def handler() -> object:
        raise error

    handle_when(lambda: inner.threads, handler)
    with pytest.raises(error):
        exporter.export(spans(2))

    assert exporter.health().in_flight + exporter.health().retained == 2
    inner.let_all_out()
    until(lambda: exporter.health().exported == 2)
    assert len(inner.calls) == 1


def test_a_wrapped_exporter_that_exports_by_us_is_refused(make: Make) -> None:
    answers: list[object] = []

    def again(_: object) -> object:
        answers.append(exporter.export(given))
        return SUCCESS

    inner = ScriptedExporter([again])
    exporter = make(inner)
    given = spans(1)

    assert exporter.export(spans(2)) is SUCCESS

    assert answers == [FAILURE]
    assert (exporter.health().exported, exporter.health().refused) == (2, 1)


@pytest.mark.parametrize("entry", ["force_flush", "shutdown"])
def test_a_wrapped_exporter_that_flushes_or_shuts_us_down_waits_for_nothing(make: Make, entry: str) -> None:
    took: list[float] = []

    def again(_: object) -> object:
        began = time.monotonic()
        getattr(exporter, entry)(60_000)
        took.append(time.monotonic() - began)
        return SUCCESS

    exporter = make(ScriptedExporter([again]))

    exporter.export(spans(2))

    until(lambda: took)
    assert took[0] < 10
    until(lambda: exporter.health().in_flight == 0)


def test_a_listener_may_export_flush_and_shut_down_another_exporter(make: Make) -> None:
    other = make(ScriptedExporter())
    given = spans(1)

    def listen(_: object) -> None:
        other.export(given)
        other.force_flush(5000)

    exporter = make(ScriptedExporter([fail]), failure_threshold=1, cooldown=0.02, listeners=[listen])

    exporter.export(spans(2))

    until(lambda: exporter.state is CircuitState.CLOSED)
    until(lambda: other.health().exported >= 2)


def test_a_listener_on_the_sender_that_flushes_does_not_wait_for_itself(make: Make) -> None:
    took: list[float] = []
    inner = Encoding(default=UNREACHABLE)

    def listen(_: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            began = time.monotonic()
            exporter.force_flush(60_000)
            took.append(time.monotonic() - began)

    exporter = make(inner, failure_threshold=1, cooldown=0.05, listeners=[listen])
    for name in "abc":
        exporter.export(batch(name))
    inner.default = DELIVERED

    until(lambda: inner.accepted)
    until(lambda: took)
    assert max(took) < 10


def test_an_exporter_that_hangs_for_good_loses_nothing_and_stops_nobody(
    make: Make, deadlines: ManualClock
) -> None:
    """R2: at most four calls are stuck; what is kept waits."""
    inner = Gated(when_stuck=lambda: deadlines.advance(0.05))
    exporter = make(inner, export_timeout=0.05, cooldown=0.01, max_cooldown=0.01)
    for _ in range(3):
        assert exporter.export(spans(1)) is SUCCESS

    until(lambda: exporter.health().hung_calls == 4)
    began = time.monotonic()
    assert exporter.export(spans(1)) is SUCCESS
    assert time.monotonic() - began < 0.9
    health = exporter.health()
    assert (health.retained, health.failed, health.dropped) == (4, 0, 0)
    until(lambda: exporter.health().blocked_reason)

    inner.let_all_out()
    until(lambda: deadlines.advance(1.0) or exporter.health().exported == 4)  # type: ignore[func-returns-value]
    assert exporter.health().hung_calls == 0


def test_a_given_breaker_whose_storage_raises_delays_and_loses_nothing(
    make: Make, looks_often: None, caplog: pytest.LogCaptureFixture
) -> None:
    """C10."""

    class Storage(pybreaker.CircuitMemoryStorage):
        broken = False

        @property
        def state(self) -> str:
            if self.broken:
                raise OSError("no storage today")
            return str(super().state)

        @state.setter
        def state(self, state: str) -> None:
            if self.broken:
                raise OSError("no storage today")
            self._state = state

    storage = Storage(pybreaker.STATE_CLOSED)
    breaker = pybreaker.CircuitBreaker(fail_max=2, reset_timeout=60, state_storage=storage)
    inner = Encoding()
    exporter = make(inner, breaker=breaker, jitter=None, cooldown=None)
    assert exporter.export(batch("a")) is SUCCESS
    storage.broken = True

    for name in "bcd":
        assert exporter.export(batch(name)) is SUCCESS
    assert exporter.force_flush(50) is False
    assert exporter.health().retained == 3
    assert len(caplog.records) <= 2

    storage.broken = False
    until(lambda: exporter.health().exported == 4)


def test_what_an_encoder_raises_is_said_at_once(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """G3: loss that opens no circuit."""
    inner = Encoding()
    exporter = make(inner)

    def throw() -> None:
        raise ValueError("no such attribute")

    inner.when_encoding = throw
    exporter.export(spans(3))

    assert "3 spans lost" in caplog.text
    assert "raised ValueError" in caplog.text


def test_a_payload_whose_size_raises_fails_its_batch_alone(make: Make) -> None:
    class NoSize(Encoded):
        @property
        def size(self) -> int:
            raise RuntimeError("no size today")

    class Odd(Encoding):
        def encode_batch(self, given: object) -> Encoded:
            encoded = super().encode_batch(given)  # type: ignore[arg-type]
            return NoSize(encoded.names) if encoded.names[0] == "odd" else encoded

    exporter = make(Odd())

    assert exporter.export(batch("odd", 3)) is FAILURE
    assert exporter.export(batch("even", 2)) is SUCCESS

    health = exporter.health()
    assert (health.failed, health.exported, health.in_flight) == (3, 2, 0)


def test_the_line_at_the_end_of_a_replay_counts_each_batch_once(
    make: Make, caplog: pytest.LogCaptureFixture, moved: object
) -> None:
    assert isinstance(moved, ManualClock)
    inner = Encoding(default=UNREACHABLE)
    circuit = ManualClock()
    exporter = make(inner, failure_threshold=1, clock=circuit)
    for number in range(4):
        exporter.export(batch(str(number), 2))
    inner.default = DELIVERED

    circuit.advance(60)
    until(lambda: exporter.health().exported == 2)
    while exporter.health().exported < 8:
        assert "backlog of" not in caplog.text
        exported = exporter.health().exported
        moved.advance(1.0)
        until(lambda: exporter.health().exported > exported)  # noqa: B023

    until(lambda: "backlog of 6 spans: 6 delivered, 0 lost" in caplog.text)
    assert "6 spans kept, replaying them" in caplog.text


def test_two_that_share_a_retention_may_be_shut_down_side_by_side(make: Make) -> None:
    """S6."""
    retention = Retention(memory=100_000)
    stuck, healthy = Gated(), ScriptedExporter()
    first = make(stuck, retention=retention)
    second = make(healthy, retention=retention)
    caller = start(lambda: first.export(spans(1)))
    stuck.entered(1)
    second.export(spans(1))

    ending = start(lambda: first.shutdown(5000))
    began = time.monotonic()
    second.shutdown(5000)

    assert time.monotonic() - began < 2
    stuck.let_all_out()
    ending.result(20)
    assert caller.result(20) is SUCCESS
    assert (first.health().exported, second.health().exported) == (1, 1)


def test_a_payload_that_cannot_be_packed_is_sent_as_it_is(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class NotPacked(Encoded):
        def packed(self, rest: object) -> Encoded:
            raise MemoryError("no room to pack")

    class Odd(Encoding):
        def encode_batch(self, given: object) -> Encoded:
            return NotPacked(super().encode_batch(given).names)  # type: ignore[arg-type]

    monkeypatch.setattr(sender, "_AFTER_ERROR", 0.01)
    exporter = make(Odd([UNREACHABLE, UNREACHABLE]), name="otlp", failure_threshold=5)

    assert exporter.export(batch("a", 3)) is SUCCESS

    until(lambda: exporter.health().exported == 3)
    assert caplog.text.count("otlp: what is kept could not be sent; trying again every second") == 1


def test_a_caller_interrupted_before_its_batch_is_in_custody_leaves_nothing_behind(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a signal handler at that instant."""
    retention = Retention()
    exporter = make(Encoding(), retention=retention)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Accounts, "take_over", interrupted)
        with pytest.raises(KeyboardInterrupt):
            exporter.export(batch("a", 3))

    health = exporter.health()
    assert (health.failed, health.in_flight, retention.budget.used) == (3, 0, 0)
    assert exporter.export(batch("b")) is SUCCESS


def test_a_caller_interrupted_as_it_starts_the_sender_stops_no_later_one(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = make(ScriptedExporter([fail]), failure_threshold=5)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sender, "start_in_background", interrupted)
        with pytest.raises(KeyboardInterrupt):
            exporter.export(spans(3))
    assert exporter.health().retained == 3

    exporter.export(spans(1))
    until(lambda: exporter.health().exported == 4)


def test_a_flush_without_a_thread_to_be_had_sends_nothing_and_comes_back(make: Make) -> None:
    exporter = make(ScriptedExporter([fail]), failure_threshold=5)
    given = spans(3)
    with no_new_threads():
        exporter.export(given)
        began = time.monotonic()
        assert exporter.force_flush(60_000) is False
        assert time.monotonic() - began < 10

    assert exporter.force_flush(20_000) is True
    assert exporter.health().exported == 3


def test_a_flush_where_no_thread_starts_any_more_sends_in_place(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R4, at the exit of Python 3.12."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    exporter = make(ScriptedExporter([fail, fail]), failure_threshold=5)
    given = spans(2)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        exporter.export(given)
        assert exporter.health().retained == 2
        assert exporter.force_flush(5000) is True

    assert exporter.health().exported == 2


_suppressed: contextvars.ContextVar[bool] = contextvars.ContextVar("suppressed", default=False)


@pytest.mark.parametrize("woken_by", ["an export", "a flush", "the shutdown"])
def test_what_is_sent_later_runs_in_the_context_of_the_export(
    make: Make, monkeypatch: pytest.MonkeyPatch, woken_by: str
) -> None:
    """R3: the key that keeps the exporter's own posts out of the traces lives there."""
    seen: list[bool] = []
    outcomes = [FAILURE, SUCCESS]

    def look(_: object) -> object:
        seen.append(_suppressed.get())
        return outcomes.pop(0)

    exporter = make(ScriptedExporter(default=look), failure_threshold=5)

    def export() -> None:
        _suppressed.set(True)
        with monkeypatch.context() as patch:
            if woken_by != "an export":
                patch.setattr(sender, "start_in_background", lambda *args: args[-1]())
            exporter.export(given)

    given = spans(2)
    contextvars.copy_context().run(export)
    if woken_by == "a flush":
        assert exporter.force_flush(20_000)
    elif woken_by == "the shutdown":
        exporter.shutdown(20_000)

    until(lambda: exporter.health().exported == 2)
    assert seen == [True, True]
    assert not _suppressed.get()
