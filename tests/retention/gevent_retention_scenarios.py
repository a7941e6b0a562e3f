"""Retention in a patched process (K1, K11, K14). Each function is run by a process."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, Any, ClassVar

import gevent
from opentelemetry.sdk.trace.export import SpanExporter

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState, Retention
from breaker_exporter._core import sender_steps
from breaker_exporter.testing import ManualClock, ScriptedExporter, fail, take

from ..semantics._children import wait_for
from ..semantics._cooperative import (
    Cooperative,
    count_threads,
    kill,
    native_ident,
    native_sleep,
    start_native_thread,
)
from ..semantics._deadlines import moved_by_hand
from ..semantics._exporters import FAILURE, SUCCESS, Gated
from ..semantics._heartbeat import Heartbeat, assert_no_stall, quiet_gap
from ..semantics._spans import spans
from ..semantics._waiting import until
from ._retaining import DELIVERED, UNREACHABLE, Encoded, Encoding, batch, sum_agrees

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def _looking_often() -> Iterator[None]:
    before = sender_steps._LOOK_AGAIN
    sender_steps._LOOK_AGAIN = 0.005
    try:
        yield
    finally:
        sender_steps._LOOK_AGAIN = before


def _make(inner: SpanExporter, **arguments: Any) -> CircuitBreakerSpanExporter:
    settings: dict[str, Any] = {"retention": Retention(), "jitter": 0, "cooldown": 60, **arguments}
    return CircuitBreakerSpanExporter(inner, **settings)


def _delivered(exporter: CircuitBreakerSpanExporter, count: int) -> None:
    until(lambda: exporter.health().exported == count)
    health = exporter.health()
    assert (health.received, health.retained, health.in_flight) == (count, 0, 0), health


def an_idle_service_recovers_by_itself_and_the_hub_is_not_held() -> None:
    quiet = quiet_gap()
    inner = ScriptedExporter([fail, take(0.3, fail)])
    exporter = _make(inner, failure_threshold=1, cooldown=0.05)
    with Heartbeat() as heartbeat:
        assert exporter.export(spans(3)) is SUCCESS
        _delivered(exporter, 3)
    assert_no_stall(heartbeat, quiet)
    assert exporter.state is CircuitState.CLOSED


def the_sender_is_a_greenlet_of_the_main_hub() -> None:
    seen: list[int] = []
    inner = ScriptedExporter([fail])
    exporter = _make(
        inner, failure_threshold=1, cooldown=0.01, listeners=[lambda _: seen.append(native_ident())]
    )
    exporter.export(spans(1))
    threads = count_threads()
    _delivered(exporter, 1)
    assert set(seen) == {native_ident()}
    assert count_threads() <= threads + 1


def a_sender_that_is_killed_is_started_by_the_next_export() -> None:
    senders: list[Any] = []
    main = gevent.getcurrent()
    inner = ScriptedExporter([fail])
    clock = ManualClock()

    def listen(_: object) -> None:
        if gevent.getcurrent() is not main:
            senders.append(gevent.getcurrent())

    exporter = _make(
        inner,
        failure_threshold=1,
        clock=clock,
        listeners=[listen],
    )
    with _looking_often():
        exporter.export(batch("a"))
        for number in range(3):
            exporter.export(batch(str(number)))
        clock.advance(60)
        until(lambda: senders)
        kill(senders[0])
        assert exporter.health().retained + exporter.health().exported == 4
        exporter.export(batch("next"))
        _delivered(exporter, 5)


def a_sender_that_is_killed_in_its_call_loses_nothing() -> None:
    inner = Gated()
    clock = ManualClock()
    exporter = _make(inner, clock=clock, export_timeout=30)
    first = gevent.spawn(exporter.export, batch("first"))
    inner.entered(1)
    gevent.sleep(0.01)
    first.join(10)
    exporter.export(batch("second"))
    for greenlet in _greenlets_of("_work"):
        greenlet.kill(timeout=10)
    inner.let_all_out()
    exporter.export(batch("third"))
    _delivered(exporter, 3)
    assert len(inner.threads) == 3


def _greenlets_of(function: str) -> list[Any]:
    import gc

    from gevent import Greenlet

    return [
        known
        for known in gc.get_objects()
        if isinstance(known, Greenlet) and not known.dead and function in repr(known)
    ]


def a_caller_that_is_killed_while_it_waits_leaves_its_batch_in_custody() -> None:
    for thrown in (gevent.GreenletExit, gevent.Timeout, ValueError):
        inner = Gated()
        exporter = _make(inner)
        caller = gevent.spawn(exporter.export, spans(3))
        inner.entered(1)
        caller.kill(thrown, timeout=10)
        assert type(caller.exception or caller.value) is thrown
        assert exporter.health().in_flight + exporter.health().retained == 3
        inner.let_all_out()
        _delivered(exporter, 3)
        assert len(inner.threads) == 1


def a_caller_whose_timeout_ends_in_the_wait_hears_of_it() -> None:
    inner = Gated()
    exporter = _make(inner)
    with contextlib.suppress(gevent.Timeout), gevent.Timeout(0.05):
        exporter.export(spans(2))
        raise SystemExit("it came back")
    inner.let_all_out()
    _delivered(exporter, 2)


def a_caller_that_is_killed_while_it_encodes_is_counted() -> None:
    inner = Encoding()
    exporter = _make(inner)
    inner.when_encoding = lambda: gevent.sleep(60)
    caller = gevent.spawn(exporter.export, spans(3))
    until(lambda: inner.encoding_threads)
    kill(caller)
    health = exporter.health()
    assert (health.failed, health.in_flight, health.retained) == (3, 0, 0)
    inner.when_encoding = lambda: None
    assert exporter.export(spans(1)) is SUCCESS


class _Packing(Encoded):
    """Takes its time to be packed."""

    waits: ClassVar[list[int]] = []

    def packed(self, rest: Callable[[], None]) -> Encoded:
        self.waits.append(1)
        for _ in range(60):
            gevent.sleep(0.005)
            rest()
        return self


class _PacksSlowly(Encoding):
    def encode_batch(self, given: Any) -> Encoded:
        return _Packing(super().encode_batch(given).names)


def a_caller_that_is_killed_while_it_packs_is_counted() -> None:
    for thrown in (gevent.GreenletExit, gevent.Timeout):
        _Packing.waits.clear()
        exporter = _make(_PacksSlowly(default=UNREACHABLE), failure_threshold=1)
        exporter.export(batch("a"))
        before = len(_Packing.waits)
        caller = gevent.spawn(exporter.export, spans(3))
        until(lambda: len(_Packing.waits) > before)  # noqa: B023
        gevent.sleep(0.01)
        caller.kill(thrown, timeout=10)
        assert type(caller.exception or caller.value) is thrown
        until(lambda: exporter.health().in_flight == 0)  # noqa: B023
        health = exporter.health()
        assert (health.retained, health.failed, sum_agrees(health)) == (1, 3, True)
        exporter.shutdown(100)


def what_is_thrown_into_a_flush_goes_on_as_it_is() -> None:
    for thrown in (gevent.GreenletExit, gevent.Timeout, ValueError):
        exporter = _make(ScriptedExporter(default=fail), failure_threshold=1, cooldown=5)
        exporter.export(spans(1))
        flush = gevent.spawn(exporter.force_flush, 20_000)
        gevent.sleep(0.02)
        flush.kill(thrown, timeout=10)
        assert type(flush.exception or flush.value) is thrown
        exporter.shutdown(100)


def a_shutdown_that_is_killed_while_it_sends_ends_the_wrapped_exporter() -> None:
    inner = Gated()
    exporter = _make(inner)
    exporter.export(batch("first"))
    exporter.export(batch("second"))
    ending = gevent.spawn(exporter.shutdown)
    gevent.sleep(0.05)
    kill(ending)
    until(lambda: inner.shutdown_calls == 1)
    health = exporter.health()
    assert (health.retained, health.in_flight, health.dropped) == (0, 0, 2)
    inner.let_all_out()


def many_greenlets_that_export_at_once_hold_no_hub() -> None:
    quiet = quiet_gap()
    given = spans(1)
    for inner in (ScriptedExporter(default=take(0.002)), Cooperative(lambda: gevent.sleep(0.002))):
        exporter = _make(inner)

        def work(exporter: CircuitBreakerSpanExporter = exporter) -> None:
            for number in range(15):
                assert exporter.export(given) is SUCCESS
                gevent.sleep(0.001 * (number % 3))

        with Heartbeat() as heartbeat, gevent.Timeout(30):
            gevent.joinall([gevent.spawn(work) for _ in range(6)], raise_error=True)
            _delivered(exporter, 90)
        assert_no_stall(heartbeat, quiet)


def an_export_of_a_native_thread_is_sent_by_a_native_thread() -> None:
    """A greenlet of that thread's hub might never run."""
    inner = ScriptedExporter([fail, fail])
    exporter = _make(inner, failure_threshold=1, cooldown=0.05)
    given = spans(2)
    start_native_thread(exporter.export, (given,))
    deadline = 0
    while sum(call.ended is not None for call in inner.calls) < 3:  # the hub of this thread stands still
        native_sleep(0.005)
        deadline += 1
        assert deadline < 4000
    _delivered(exporter, 2)


def a_native_thread_wakes_the_greenlet_that_sends() -> None:
    clock = ManualClock()
    inner = Encoding(default=UNREACHABLE)
    exporter = _make(inner, failure_threshold=1, clock=clock)
    exporter.export(batch("first"))
    gevent.sleep(0.01)
    inner.default = DELIVERED
    given = batch("second")
    clock.advance(60)
    start_native_thread(exporter.export, (given,))
    until(lambda: exporter.health().exported >= 1, within=0.9)
    _delivered(exporter, 2)


def a_hang_in_the_replay_holds_no_hub() -> None:
    quiet = quiet_gap()
    inner = Gated()
    inner.let_out(0, FAILURE)
    exporter = _make(inner, failure_threshold=1, cooldown=0.02, export_timeout=0.3)
    with moved_by_hand() as deadlines, Heartbeat() as heartbeat:
        exporter.export(spans(2))
        inner.entered(2)
        gevent.sleep(0.2)
        deadlines.advance(0.3)
        until(lambda: exporter.health().hung_calls == 1)
    assert_no_stall(heartbeat, quiet)
    inner.let_all_out()
    until(lambda: exporter.health().hung_calls == 0)
    _delivered(exporter, 2)


def a_cooperative_exporter_is_kept_too() -> None:
    outcomes = [ValueError("down"), None]

    def work() -> None:
        gevent.sleep(0.01)
        if outcome := outcomes.pop(0):
            raise outcome

    exporter = _make(Cooperative(work), failure_threshold=1, cooldown=0.05)
    assert exporter.export(spans(2)) is SUCCESS
    _delivered(exporter, 2)


def a_child_forked_while_the_greenlet_packs_sends_nothing_of_its_parent() -> None:
    _Packing.waits.clear()
    clock = ManualClock()
    inner = _PacksSlowly(default=UNREACHABLE)
    exporter = _make(inner, failure_threshold=1, clock=clock)
    exporter.export(batch("parent"))
    inner.default = DELIVERED
    clock.advance(60)
    until(lambda: _Packing.waits)
    pid = os.fork()
    if pid == 0:
        inner.sent.clear()
        clean = exporter.health().received == 0
        gevent.sleep(0.6)
        os._exit(0 if clean and inner.sent == [] else 70)
    assert wait_for(pid) == 0
    _delivered(exporter, 1)


def a_child_forked_while_the_greenlet_waits_sends_nothing_of_its_parent() -> None:
    clock = ManualClock()
    inner = Encoding(default=UNREACHABLE)
    exporter = _make(inner, failure_threshold=1, clock=clock)
    with _looking_often():
        for name in ("a", "b", "c"):
            exporter.export(batch(name))
        gevent.sleep(0.01)
    inner.default = DELIVERED
    pid = os.fork()
    if pid == 0:
        inner.sent.clear()
        clock.advance(60)
        gevent.sleep(0.3)
        idle = inner.sent == []
        exporter.export(batch("child"))
        until(lambda: exporter.health().exported == 1)
        os._exit(0 if idle and inner.sent == [("child",)] else 70)
    assert wait_for(pid) == 0
    assert exporter.health().retained == 3
    exporter.shutdown(100)


def a_child_forked_while_a_greenlet_shuts_down_sends_nothing_of_its_parent() -> None:
    inner = Gated()
    exporter = _make(inner)
    for name in ("a", "b", "c"):
        exporter.export(batch(name))
    ending = gevent.spawn(exporter.shutdown, 20_000)
    gevent.sleep(0.05)
    calls = len(inner.threads)
    pid = os.fork()
    if pid == 0:
        inner.let_all_out()
        gevent.sleep(0.5)
        os._exit(0 if len(inner.threads) == calls else 70)
    assert wait_for(pid) == 0
    inner.let_all_out()
    ending.join(20)
    _delivered(exporter, 3)


def health_in_a_signal_handler_is_answered_beside_a_sender() -> None:
    seen: list[bool] = []
    inner = ScriptedExporter([fail], default=take(0.001))
    exporter = _make(inner, failure_threshold=1, cooldown=0.001)
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(sum_agrees(exporter.health())))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    given = spans(1)
    try:
        for _ in range(50):
            exporter.export(given)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    _delivered(exporter, 50)
    assert all(seen)
    assert seen


def an_export_on_the_hub_itself_is_refused_and_holds_nothing() -> None:
    """R4."""
    exporter = _make(ScriptedExporter())
    answers: list[object] = []
    given = spans(2)
    gevent.get_hub().loop.run_callback(lambda: answers.append(exporter.export(given)))
    until(lambda: answers)
    assert answers == [FAILURE]
    assert exporter.health().refused == 2


def a_listener_that_exports_and_flushes_is_answered() -> None:
    answers: list[object] = []
    given = spans(1)

    def listen(_: object) -> None:
        answers.append(exporter.export(given))
        with gevent.Timeout(5):
            answers.append(exporter.force_flush(20_000))

    inner = ScriptedExporter([fail])
    exporter = _make(inner, failure_threshold=1, cooldown=0.02, listeners=[listen])
    exporter.export(spans(1))
    until(lambda: exporter.state is CircuitState.CLOSED)
    until(lambda: exporter.health().retained == 0)
    assert SUCCESS in answers
    assert exporter.health().exported == exporter.health().received


class _CooperativeEncoding(Encoding):
    cooperative = True


def a_child_forked_while_a_greenlet_encodes_sends_nothing_of_its_parent() -> None:
    inner = _CooperativeEncoding()
    exporter = _make(inner)
    inner.when_encoding = lambda: gevent.sleep(0.2)
    caller = gevent.spawn(exporter.export, batch("parent"))
    until(lambda: inner.encoding_threads)
    pid = os.fork()
    if pid == 0:
        gevent.sleep(0.5)
        os._exit(0 if inner.sent == [] and exporter.health().received == 0 else 70)
    assert wait_for(pid) == 0
    caller.join(20)
    assert caller.value is SUCCESS
    _delivered(exporter, 1)
