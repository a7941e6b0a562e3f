"""What happens in a patched process. Each function is run by a fresh one; see test_runner_gevent."""

from __future__ import annotations

import gc
import os
import signal
import time
import weakref
from typing import TYPE_CHECKING, Any

import gevent
from gevent import monkey
from gevent.lock import Semaphore
from opentelemetry import context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState
from breaker_exporter.testing import ManualClock, ScriptedExporter, fail, hang, succeed, take

from ._children import in_child
from ._exporters import FAILURE, SUCCESS, Gated
from ._heartbeat import Heartbeat, assert_no_stall, quiet_gap
from ._spans import spans
from ._waiting import Gate, start, until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

native_ident = monkey.get_original("_thread", "get_ident")
native_sleep = monkey.get_original("time", "sleep")
start_native_thread = monkey.get_original("_thread", "start_new_thread")


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


# --- where a call runs -------------------------------------------------------------------------------------


def a_native_sleep_in_the_wrapped_exporter_holds_no_hub() -> None:
    quiet = quiet_gap()
    exporter = CircuitBreakerSpanExporter(ScriptedExporter([take(0.5)]))
    with Heartbeat() as heartbeat:
        assert exporter.export(spans(2)) is SUCCESS
    assert_no_stall(heartbeat, quiet)
    assert exporter.health().exported == 2


def a_hang_in_the_wrapped_exporter_holds_no_hub_and_ends_in_time() -> None:
    quiet = quiet_gap()
    inner = ScriptedExporter([hang])
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.5)
    with Heartbeat() as heartbeat, gevent.Timeout(15):
        assert exporter.export(spans(2)) is FAILURE
    assert_no_stall(heartbeat, quiet)
    assert exporter.state is CircuitState.OPEN
    assert (exporter.health().failed, exporter.health().hung_calls) == (2, 1)
    inner.release()
    until(lambda: exporter.health().hung_calls == 0)


def a_call_runs_on_a_native_thread_of_our_own_and_always_the_same() -> None:
    seen: list[int] = []
    pool_threads: set[int] = set()
    inner = ScriptedExporter(default=lambda _: seen.append(native_ident()) or SUCCESS)  # type: ignore[func-returns-value]
    exporter = CircuitBreakerSpanExporter(inner)
    for _ in range(5):
        exporter.export(spans(1))
        gevent.joinall([gevent.spawn(exporter.export, spans(1)) for _ in range(3)])
    for _ in range(10):
        pool_threads.add(gevent.get_hub().threadpool.apply(native_ident))

    assert len(seen) == 20
    assert len(set(seen)) == 1
    assert seen[0] != native_ident()
    assert seen[0] not in pool_threads


def patched_sockets_and_sleeps_work_inside() -> None:
    """R2: a socket that is kept alive belongs to the hub of the thread that opened it, call after call."""
    import socket

    listener = socket.create_server(("127.0.0.1", 0))

    def shout() -> None:
        connection, _ = listener.accept()
        with connection, listener:
            while heard := connection.recv(1):
                connection.sendall(heard.upper())

    kept: list[socket.socket] = []
    answers: list[bytes] = []

    def talk(_: Sequence[ReadableSpan]) -> SpanExportResult:
        if not kept:
            kept.append(socket.create_connection(listener.getsockname()))
        time.sleep(0.01)
        kept[0].sendall(b"x")
        answers.append(kept[0].recv(1))
        if len(answers) == 5:
            kept[0].close()
        return SUCCESS

    serving = gevent.spawn(shout)
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=talk), export_timeout=10)
    for _ in range(5):
        assert exporter.export(spans(1)) is SUCCESS
    assert answers == [b"X"] * 5
    serving.join(10)


def two_greenlets_that_export_at_once_go_in_one_after_the_other() -> None:
    inner = ScriptedExporter(default=take(0.02))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=30)
    callers = [gevent.spawn(exporter.export, spans(1)) for _ in range(10)]
    gevent.joinall(callers, timeout=30)
    assert {caller.value for caller in callers} == {SUCCESS}
    assert inner.max_concurrency == 1


def a_waiting_greenlet_is_refused_when_its_time_ends_or_the_circuit_opens() -> None:
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.3)
    first = gevent.spawn(exporter.export, spans(1))
    inner.entered(1)
    others = [gevent.spawn(exporter.export, spans(2)) for _ in range(5)]
    gevent.joinall([first, *others], timeout=15)
    assert {caller.value for caller in [first, *others]} == {FAILURE}
    health = exporter.health()
    assert (health.failed, health.refused, health.in_flight) == (1, 10, 0)
    inner.let_all_out()

    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=60, failure_threshold=1)
    first = gevent.spawn(exporter.export, spans(1))
    inner.entered(1)
    others = [gevent.spawn(exporter.export, spans(2)) for _ in range(5)]
    until(lambda: exporter.health().in_flight == 11)
    inner.let_out(0, FAILURE)
    gevent.joinall([first, *others], timeout=15)
    assert {caller.value for caller in others} == {FAILURE}
    assert exporter.health().refused == 10


def of_fifty_greenlets_exactly_one_is_the_probe() -> None:
    clock = ManualClock()
    inner = Gated()
    inner.let_out(0, FAILURE)
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, cooldown=10, clock=clock)
    exporter.export(spans(1))
    clock.advance(10)
    callers = [gevent.spawn(exporter.export, spans(1)) for _ in range(50)]
    until(lambda: sum(caller.ready() for caller in callers) == 49)
    inner.let_all_out()
    gevent.joinall(callers, timeout=15)
    assert [caller.value for caller in callers].count(SUCCESS) == 1
    assert len(inner.calls) == 2


def an_export_on_the_hub_greenlet_is_refused() -> None:
    inner = ScriptedExporter()
    exporter = CircuitBreakerSpanExporter(inner)
    answers: list[SpanExportResult] = []
    batch = spans(2)
    gevent.get_hub().loop.run_callback(lambda: answers.append(exporter.export(batch)))
    until(lambda: answers)
    assert answers == [FAILURE]
    assert exporter.health().refused == 2
    assert inner.calls == []

    timer = gevent.get_hub().loop.timer(0.001)
    timer.start(lambda: answers.append(exporter.export(batch)))
    until(lambda: len(answers) == 2)
    assert exporter.health().refused == 4
    assert exporter.export(batch) is SUCCESS


def shutdown_and_flush_on_the_hub_greenlet_return() -> None:
    exporter = CircuitBreakerSpanExporter(ScriptedExporter())
    exporter.export(spans(1))
    done: list[object] = []
    gevent.get_hub().loop.run_callback(lambda: done.append(exporter.force_flush(1_000)))
    until(lambda: done)
    gevent.get_hub().loop.run_callback(lambda: done.append(exporter.shutdown(1_000)))  # type: ignore[func-returns-value]
    until(lambda: len(done) == 2)
    assert exporter.export(spans(1)) is FAILURE


def an_export_from_a_native_thread_works() -> None:
    """From gevent's own pool, and from a thread that nobody has patched."""
    inner = ScriptedExporter(default=take(0.02))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=30)
    answers: list[SpanExportResult] = []
    batch = spans(1)
    assert gevent.get_hub().threadpool.apply(exporter.export, (batch,)) is SUCCESS
    start_native_thread(lambda: answers.append(exporter.export(batch)), ())
    until(lambda: answers)
    assert answers == [SUCCESS]
    assert exporter.health().exported == 2


def greenlets_and_native_threads_take_turns() -> None:
    quiet = quiet_gap()
    inner = ScriptedExporter(default=take(0.02))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=60)
    answers: list[SpanExportResult] = []
    batch = spans(1)
    with Heartbeat() as heartbeat:
        for _ in range(5):
            start_native_thread(lambda: answers.append(exporter.export(batch)), ())
            gevent.spawn(lambda: answers.append(exporter.export(batch)))
            gevent.get_hub().threadpool.spawn(lambda: answers.append(exporter.export(batch)))
        until(lambda: len(answers) == 15)
    assert set(answers) == {SUCCESS}
    assert inner.max_concurrency == 1
    assert_no_stall(heartbeat, quiet)


def a_hang_seen_from_a_native_thread_ends_in_time() -> None:
    quiet = quiet_gap()
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.5)
    answers: list[SpanExportResult] = []
    batch = spans(1)
    with Heartbeat() as heartbeat:
        start_native_thread(lambda: answers.append(exporter.export(batch)), ())
        inner.entered(1)
        greenlet = gevent.spawn(exporter.export, batch)
        until(lambda: answers and greenlet.ready(), within=15)
    assert (answers, greenlet.value) == ([FAILURE], FAILURE)
    assert_no_stall(heartbeat, quiet)
    health = exporter.health()
    assert (health.failed, health.refused, health.state) == (1, 1, CircuitState.OPEN)
    inner.let_all_out()


def the_callers_context_goes_along() -> None:
    seen: list[object] = []

    def look(_: Sequence[ReadableSpan]) -> SpanExportResult:
        seen.append(context.get_value("test"))
        context.attach(context.set_value("test", "inner"))
        return SUCCESS

    def export(exporter: CircuitBreakerSpanExporter, value: str) -> None:
        context.attach(context.set_value("test", value))
        exporter.export(spans(1))
        seen.append(("after", context.get_value("test")))

    plain, cooperative = ScriptedExporter(default=look), ScriptedExporter(default=look)
    cooperative.cooperative = True  # type: ignore[attr-defined]
    for inner in (plain, cooperative):
        exporter = CircuitBreakerSpanExporter(inner)
        gevent.spawn(export, exporter, "one").join(10)
        gevent.spawn(export, exporter, "two").join(10)
    assert seen == ["one", ("after", "one"), "two", ("after", "two")] * 2


# --- cooperative exporters ---------------------------------------------------------------------------------


class Cooperative(SpanExporter):
    """Declares that it yields to the hub by itself."""

    cooperative = True

    def __init__(self, work: Callable[[], object]) -> None:
        self.work = work
        self.greenlets: list[object] = []
        self.threads: list[int] = []
        self.thrown: list[BaseException] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.greenlets.append(gevent.getcurrent())
        self.threads.append(native_ident())
        try:
            self.work()
        except BaseException as thrown:
            self.thrown.append(thrown)
            raise
        return SUCCESS


def a_cooperative_exporter_runs_in_a_greenlet_of_its_own_on_the_hub() -> None:
    inner = Cooperative(lambda: gevent.sleep(0.01))
    exporter = CircuitBreakerSpanExporter(inner)
    assert exporter.export(spans(1)) is SUCCESS
    assert inner.threads == [native_ident()]
    assert inner.greenlets[0] is not gevent.getcurrent()


def a_cooperative_exporter_is_killed_at_its_deadline() -> None:
    inner = Cooperative(lambda: gevent.sleep(60))
    clock = ManualClock()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.2, cooldown=10, jitter=0, clock=clock)
    with gevent.Timeout(15):
        assert exporter.export(spans(2)) is FAILURE
    assert exporter.state is CircuitState.OPEN
    until(lambda: inner.thrown)
    assert isinstance(inner.thrown[0], gevent.GreenletExit)
    until(lambda: exporter.health().hung_calls == 0)
    health = exporter.health()
    assert (health.failed, health.consecutive_failures, health.opened) == (2, 1, 1)

    inner.work = lambda: None
    clock.advance(10)
    assert exporter.export(spans(1)) is SUCCESS


def a_cooperative_exporter_that_will_not_die_is_left_behind() -> None:
    stubborn = True

    def refuse_to_die() -> None:
        while stubborn:
            try:
                gevent.sleep(60 if stubborn else 0)
            except gevent.GreenletExit:
                gevent.sleep(0.3)
                return

    inner = Cooperative(refuse_to_die)
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.1)
    began = time.monotonic()
    assert exporter.export(spans(1)) is FAILURE
    assert time.monotonic() - began < 15
    assert exporter.state is CircuitState.OPEN
    stubborn = False
    until(lambda: exporter.health().hung_calls == 0)
    assert exporter.health().failed == 1


def cooperative_exporters_take_turns_too() -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        gevent.sleep(0.005)
        inside -= 1

    exporter = CircuitBreakerSpanExporter(Cooperative(work), export_timeout=30)
    callers = [gevent.spawn(exporter.export, spans(1)) for _ in range(10)]
    gevent.joinall(callers, timeout=30)
    assert {caller.value for caller in callers} == {SUCCESS}
    assert most == 1


def a_cooperative_exporter_called_from_a_native_thread_has_a_plain_thread() -> None:
    """R1: where there is no patched world to be cooperative in."""
    inner = Cooperative(lambda: None)
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=10)
    answers: list[SpanExportResult] = []
    batch = spans(1)
    start_native_thread(lambda: answers.append(exporter.export(batch)), ())
    until(lambda: answers)
    assert answers == [SUCCESS]


def what_a_cooperative_exporter_raises_is_a_failure() -> None:
    for error in (
        RuntimeError(),
        SystemExit(),
        KeyboardInterrupt(),
        gevent.GreenletExit(),
        gevent.Timeout(1),
    ):
        inner = Cooperative(lambda error=error: _raise(error))  # type: ignore[misc]
        exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1)
        assert exporter.export(spans(1)) is FAILURE, error
        assert exporter.state is CircuitState.OPEN, error


def a_cancelled_caller_of_a_cooperative_exporter_leaves_the_call_alone() -> None:
    """C3."""
    inner = Cooperative(lambda: gevent.sleep(0.2))
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=2)
    caller = gevent.spawn(exporter.export, spans(2))
    until(lambda: inner.greenlets)
    caller.kill(timeout=10)
    health = exporter.health()
    assert (health.failed, health.in_flight, health.state) == (2, 0, CircuitState.CLOSED)
    assert exporter.export(spans(1)) is SUCCESS
    assert inner.thrown == []


# --- cancelled callers -------------------------------------------------------------------------------------


def a_killed_caller_is_gone_at_once_and_its_call_settles_the_circuit() -> None:
    inner = Gated()
    inner.let_out(0, FAILURE)
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=3, export_timeout=60)
    exporter.export(spans(1))
    caller = gevent.spawn(exporter.export, spans(2))
    inner.entered(2)
    _kill(caller)
    health = exporter.health()
    assert (health.failed, health.in_flight, health.consecutive_failures) == (3, 0, 1)

    second = gevent.spawn(exporter.export, spans(4))
    until(lambda: exporter.health().in_flight == 4)
    assert len(inner.calls) == 2
    inner.let_out(1)
    until(lambda: exporter.health().consecutive_failures == 0)
    inner.let_all_out()
    second.join(10)
    assert second.value is SUCCESS
    assert inner.max_concurrency == 1
    assert (exporter.health().failed, exporter.health().exported) == (3, 4)


def a_timeout_thrown_into_the_caller_goes_on_to_it() -> None:
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, export_timeout=60)
    got_through = False
    try:
        with gevent.Timeout(0.1):
            exporter.export(spans(2))
    except gevent.Timeout:
        got_through = True
    assert got_through
    health = exporter.health()
    assert (health.failed, health.in_flight, health.state) == (2, 0, CircuitState.CLOSED)
    inner.let_out(0, FAILURE)
    until(lambda: exporter.state is CircuitState.OPEN)
    assert exporter.health().failed == 2


def a_timeout_with_an_exception_of_its_own_goes_on_to_the_caller() -> None:
    """C3: swallowed, it would let the application run on past the limit it set itself."""

    class TooSlow(Exception):
        pass

    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, export_timeout=10)
    got_through = False
    try:
        with gevent.Timeout(0.1, TooSlow):
            exporter.export(spans(2))
    except TooSlow:
        got_through = True
    assert got_through
    health = exporter.health()
    assert (health.failed, health.in_flight, health.state) == (2, 0, CircuitState.CLOSED)
    inner.let_all_out()


def an_interrupt_reaches_the_main_greenlet_that_waits() -> None:
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, export_timeout=20)

    def interrupt() -> None:
        inner.entered(1)
        os.kill(os.getpid(), signal.SIGINT)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    gevent.spawn(interrupt)
    interrupted = False
    try:
        exporter.export(spans(2))
    except KeyboardInterrupt:
        interrupted = True
    assert interrupted
    assert (exporter.health().failed, exporter.health().in_flight) == (2, 0)
    inner.let_all_out()


def a_caller_killed_in_a_listener_has_been_counted() -> None:
    """C3, C8: what is thrown in while a listener waits goes on to the caller, too."""
    listening: list[object] = []

    def listen(change: object) -> None:
        listening.append(change)
        gevent.sleep(60)

    exporter = CircuitBreakerSpanExporter(ScriptedExporter([fail]), failure_threshold=1, listeners=[listen])
    caller = gevent.spawn(exporter.export, spans(2))
    until(lambda: listening)
    _kill(caller)
    health = exporter.health()
    assert (health.failed, health.in_flight, health.state) == (2, 0, CircuitState.OPEN)
    assert exporter.export(spans(1)) is FAILURE


def a_caller_killed_in_the_queue_gives_its_permit_back() -> None:
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, export_timeout=60)
    first = gevent.spawn(exporter.export, spans(2))
    inner.entered(1)
    second = gevent.spawn(exporter.export, spans(3))
    third = gevent.spawn(exporter.export, spans(5))
    until(lambda: exporter.health().in_flight == 10)
    second.kill(timeout=10)
    health = exporter.health()
    assert (health.failed, health.in_flight, health.state) == (3, 7, CircuitState.CLOSED)
    inner.let_all_out()
    gevent.joinall([first, third], timeout=10)
    assert (first.value, third.value) == (SUCCESS, SUCCESS)
    assert [len(call.spans) for call in inner.calls] == [2, 5]


def a_killed_probe_is_settled_by_its_own_result() -> None:
    for outcome, state, cooldown in ((SUCCESS, CircuitState.CLOSED, 10), (FAILURE, CircuitState.OPEN, 20)):
        clock = ManualClock()
        inner = Gated()
        inner.let_out(0, FAILURE)
        exporter = CircuitBreakerSpanExporter(
            inner, failure_threshold=1, cooldown=10, jitter=0, export_timeout=60, clock=clock
        )
        exporter.export(spans(1))
        clock.advance(10)
        probe = gevent.spawn(exporter.export, spans(1))
        inner.entered(2)
        probe.kill(timeout=10)
        assert exporter.state is CircuitState.HALF_OPEN
        assert exporter.export(spans(1)) is FAILURE
        inner.let_out(1, outcome)
        until(lambda exporter=exporter: exporter.state is not CircuitState.HALF_OPEN)  # type: ignore[misc]
        assert (exporter.state, exporter.health().cooldown) == (state, cooldown)
        assert (exporter.health().failed, exporter.health().refused) == (2, 1)


def a_killed_callers_call_is_hung_when_it_overruns() -> None:
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.3)
    caller = gevent.spawn(exporter.export, spans(1))
    inner.entered(1)
    caller.kill(timeout=10)
    assert exporter.state is CircuitState.CLOSED
    until(lambda: exporter.state is CircuitState.OPEN)
    assert (exporter.health().hung_calls, exporter.health().failed) == (1, 1)
    inner.let_all_out()
    until(lambda: exporter.health().hung_calls == 0)


def a_caller_killed_before_its_first_switch_has_sent_nothing() -> None:
    inner = ScriptedExporter()
    exporter = CircuitBreakerSpanExporter(inner)
    caller = gevent.spawn(exporter.export, spans(1))
    caller.kill(timeout=10)
    assert exporter.health().received == 0
    assert exporter.export(spans(1)) is SUCCESS


def killing_callers_at_random_moments_never_upsets_the_sums() -> None:
    import random

    dice = random.Random(20)
    inner = ScriptedExporter(default=lambda batch: native_sleep(dice.random() / 500) or SUCCESS)
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=30)
    sent = 0
    for _ in range(40):
        callers = [gevent.spawn(exporter.export, spans(1)) for _ in range(4)]
        gevent.sleep(dice.random() / 200)
        for caller in dice.sample(callers, 2):
            caller.kill(block=False)
        gevent.joinall(callers, timeout=20)
        assert all(caller.ready() for caller in callers)
        sent += 4
        health = exporter.health()
        assert health.received == health.exported + health.failed + health.refused + health.in_flight
    until(lambda: exporter.export(spans(1)) is SUCCESS)
    health = exporter.health()
    assert (health.in_flight, health.state) == (0, CircuitState.CLOSED)
    assert inner.max_concurrency == 1


# --- leaks, limits, ends -----------------------------------------------------------------------------------


def twenty_hangs_and_recoveries_leave_nothing_behind() -> None:
    """R2: a retiring thread destroys its hub, else two descriptors leak."""
    clock = ManualClock()
    released = True

    def sleep_patched(_: Sequence[ReadableSpan]) -> SpanExportResult:
        time.sleep(0.001)  # patched: this makes a hub in our thread
        while not released:
            native_sleep(0.002)
        return SUCCESS

    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter(default=sleep_patched), export_timeout=0.05, cooldown=10, clock=clock
    )

    def cycle() -> None:
        nonlocal released
        released = False
        assert exporter.export(spans(1)) is FAILURE
        released = True
        until(lambda: exporter.health().hung_calls == 0)
        clock.advance(10)
        assert exporter.export(spans(1)) is SUCCESS

    for _ in range(2):
        cycle()
    gevent.sleep(0)
    threads, descriptors = _threads(), _descriptors()
    for _ in range(20):
        cycle()
    until(lambda: gc.collect() is None or (_threads() <= threads and _descriptors() <= descriptors))


def fifty_dropped_exporters_leave_nothing_behind() -> None:
    def use(_: Sequence[ReadableSpan]) -> SpanExportResult:
        time.sleep(0)
        return SUCCESS

    gc.collect()
    threads = _threads()
    CircuitBreakerSpanExporter(ScriptedExporter(default=use)).export(spans(1))
    until(lambda: gc.collect() is None or _threads() <= threads)
    descriptors = _descriptors()
    references = []
    for _ in range(50):
        exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=use))
        assert exporter.export(spans(1)) is SUCCESS
        references.append(weakref.ref(exporter))
    del exporter
    until(lambda: gc.collect() is None or not any(reference() for reference in references))
    until(lambda: gc.collect() is None or (_threads() <= threads and _descriptors() <= descriptors))


def past_four_abandoned_threads_exports_are_refused_until_one_ends() -> None:
    clock = ManualClock()
    inner = Gated()
    inner.gates[4].open()
    exporter = CircuitBreakerSpanExporter(
        inner, export_timeout=0.1, cooldown=10, max_cooldown=10, clock=clock
    )
    for hung in range(1, 5):
        assert exporter.health().blocked_reason is None
        exporter.export(spans(1))
        assert exporter.health().hung_calls == hung
        clock.advance(10)
    assert exporter.export(spans(1)) is FAILURE
    assert len(inner.calls) == 4
    assert exporter.health().blocked_reason
    inner.let_out(1)
    until(lambda: exporter.health().hung_calls == 3)
    assert exporter.export(spans(1)) is SUCCESS
    assert exporter.health().blocked_reason is None
    inner.let_all_out()


def shutdown_off_the_hub_returns_in_time() -> None:
    quiet = quiet_gap()
    stuck = Gated()
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(on_shutdown=lambda _: stuck.export(())))
    with Heartbeat() as heartbeat, gevent.Timeout(15):
        exporter.shutdown(timeout_millis=450)
    assert_no_stall(heartbeat, quiet)
    stuck.let_all_out()


def flush_off_the_hub_returns_in_time() -> None:
    quiet = quiet_gap()
    stuck = Gated()
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(on_flush=lambda _: stuck.export(())))
    with Heartbeat() as heartbeat, gevent.Timeout(15):
        assert exporter.force_flush(timeout_millis=450) is False
    assert_no_stall(heartbeat, quiet)
    stuck.let_all_out()


def a_second_shutdown_waits_within_its_own_budget() -> None:
    stuck = Gated()
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(on_shutdown=lambda _: stuck.export(())))
    first = gevent.spawn(exporter.shutdown, 60_000)
    stuck.entered(1)
    with gevent.Timeout(15):
        exporter.shutdown(100)
    assert not first.ready()
    stuck.let_all_out()
    first.join(15)
    assert first.ready()


def a_batch_processor_drains_within_begin_shutdown() -> None:
    """S4: here the processor's worker is a greenlet, and so is everybody who waits for it."""
    quiet = quiet_gap()
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=60)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(exporter, schedule_delay_millis=600_000, max_export_batch_size=1_000)
    )
    for _ in range(100):
        provider.get_tracer("drain").start_span("span").end()
    with Heartbeat() as heartbeat, gevent.Timeout(20):
        exporter.begin_shutdown(0.45)
        provider.shutdown()
    assert_no_stall(heartbeat, quiet)
    health = exporter.health()
    assert (health.received, health.in_flight, health.exported) == (100, 0, 0)
    inner.let_all_out()


def a_batch_processor_delivers() -> None:
    inner = ScriptedExporter(default=take(0.005))
    provider = TracerProvider(shutdown_on_exit=False)
    exporter = CircuitBreakerSpanExporter(inner)
    provider.add_span_processor(
        BatchSpanProcessor(exporter, schedule_delay_millis=20, max_export_batch_size=16)
    )
    for _ in range(200):
        provider.get_tracer("delivery").start_span("span").end()
        gevent.sleep(0.0005)
    provider.shutdown()
    assert exporter.health().exported == 200
    assert inner.max_concurrency == 1


def a_forked_child_works_while_its_parent_hangs() -> None:
    """R5: gevent's os.fork re-initialises the hub; ours gets no thread, lock or call of the parent."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=60)
    exporting = gevent.spawn(exporter.export, spans(2))
    inner.entered(1)

    def check() -> None:
        inner.gates[1].open()
        quiet = quiet_gap(0.1)
        assert exporter.health().received == 0
        with Heartbeat() as heartbeat:
            assert exporter.export(spans(3)) is SUCCESS
        assert_no_stall(heartbeat, quiet)
        health = exporter.health()
        assert (health.exported, health.in_flight, health.hung_calls) == (3, 0, 0)
        exporter.shutdown()

    in_child(check)
    assert exporter.health().in_flight == 2
    inner.let_all_out()
    exporting.join(15)
    assert exporting.value is SUCCESS


def a_forked_childs_copies_of_waiting_greenlets_change_nothing() -> None:
    """R5: gevent's greenlets are all there in the child, those as well that wait for the parent's calls."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.6)
    callers = [gevent.spawn(exporter.export, spans(2)) for _ in range(3)]
    inner.entered(1)
    until(lambda: exporter.health().in_flight == 6)

    def check() -> None:
        before = exporter.health()
        gevent.joinall(callers, timeout=10)
        assert exporter.health() == before
        assert (before.received, before.state) == (0, CircuitState.CLOSED)

    in_child(check)
    gevent.joinall(callers, timeout=10)
    inner.let_all_out()


def a_cooperative_call_of_the_parent_does_not_go_on_in_the_child() -> None:
    """R5: it would send the parent's spans a second time, over the parent's connection."""
    parent = os.getpid()
    sent_by_child = Gate()

    def work() -> None:
        gevent.sleep(0.3)
        if os.getpid() != parent:
            sent_by_child.open()

    inner = Cooperative(work)
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=20)
    caller = gevent.spawn(exporter.export, spans(2))
    until(lambda: inner.greenlets)

    def check() -> None:
        gevent.sleep(0.6)
        assert not sent_by_child.wait(0)
        assert exporter.health().received == 0

    in_child(check)
    caller.join(10)
    assert caller.value is SUCCESS


def children_forked_while_greenlets_export_all_work() -> None:
    inner = ScriptedExporter(default=take(0.001))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=30)
    stop = False

    def hammer() -> None:
        while not stop:
            exporter.export(spans(1))

    callers = [gevent.spawn(hammer) for _ in range(4)]
    gevent.sleep(0.02)

    def check() -> None:
        nonlocal stop
        stop = True
        assert exporter.export(spans(2)) is SUCCESS

    for _ in range(5):
        in_child(check)
        gevent.sleep(0.003)
    stop = True
    gevent.joinall(callers, timeout=20)


def the_wrapped_exporter_may_export_through_us_again() -> None:
    answers: list[SpanExportResult] = []

    def again(_: Sequence[ReadableSpan]) -> SpanExportResult:
        answers.append(exporter.export(batch))
        return SUCCESS

    batch = spans(2)
    for cooperative in (False, True):
        inner = ScriptedExporter(default=again)
        inner.cooperative = cooperative  # type: ignore[attr-defined]
        exporter = CircuitBreakerSpanExporter(inner, export_timeout=30)
        with gevent.Timeout(15):
            assert exporter.export(spans(1)) is SUCCESS
        assert (exporter.health().received, exporter.health().refused) == (3, 2)
    assert answers == [FAILURE, FAILURE]


def a_blocking_listener_on_a_greenlet_is_its_owners() -> None:
    """C8: called on the caller's side, where waiting is cooperative."""
    quiet = quiet_gap()
    gate = Semaphore(0)
    seen: list[int] = []

    def listen(_: object) -> None:
        seen.append(native_ident())
        gate.acquire()

    exporter = CircuitBreakerSpanExporter(ScriptedExporter([fail]), failure_threshold=1, listeners=[listen])
    caller = gevent.spawn(exporter.export, spans(1))
    with Heartbeat() as heartbeat:
        until(lambda: seen)
        assert exporter.export(spans(1)) is FAILURE
    assert seen == [native_ident()]
    assert_no_stall(heartbeat, quiet)
    gate.release()
    caller.join(10)
    assert caller.value is FAILURE


def an_exception_instance_of_gevent_from_inside_is_a_failure() -> None:
    """C3: on our thread GreenletExit and Timeout are the wrapped exporter's own doing."""
    for error in (gevent.GreenletExit(), gevent.Timeout(1)):
        exporter = CircuitBreakerSpanExporter(ScriptedExporter([error, succeed]), failure_threshold=2)
        assert exporter.export(spans(1)) is FAILURE
        assert (exporter.health().failed, exporter.health().consecutive_failures) == (1, 1)
        assert exporter.export(spans(1)) is SUCCESS


def the_main_greenlet_may_be_the_caller_with_nobody_else_about() -> None:
    """Nothing but us keeps the loop alive: gevent must not think that it would block forever."""
    inner = ScriptedExporter(default=take(0.2))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=10)
    assert exporter.export(spans(1)) is SUCCESS
    inner = ScriptedExporter([hang])
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.2)
    assert exporter.export(spans(1)) is FAILURE
    inner.release()


def a_hub_that_is_busy_for_long_makes_no_call_hang() -> None:
    """A result that came in time is a success, however late the hub gets round to it."""
    inner = ScriptedExporter(default=take(0.05))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.4)
    caller = gevent.spawn(exporter.export, spans(1))
    assert inner.wait_for_calls(1)
    native_sleep(0.7)
    caller.join(10)
    assert caller.value is SUCCESS
    assert exporter.health().hung_calls == 0
    assert exporter.state is CircuitState.CLOSED


def a_native_gate_is_native() -> None:
    """The tests above can fail: what they hang in does hold the hub when the hub itself waits there."""
    quiet = quiet_gap()
    with Heartbeat() as heartbeat:
        Gate().wait(0.5)
    assert heartbeat.largest_gap > 4 * quiet + 0.15


def start_is_a_greenlet_here() -> None:
    """The helper that runs calls beside each other stays on this native thread."""
    assert start(native_ident).result(timeout=10) == native_ident()


def _kill(caller: gevent.Greenlet[Any, Any]) -> None:
    """Throw GreenletExit into ``caller``, and see it arrive there and end it."""
    caller.kill(timeout=10)
    assert isinstance(caller.value, gevent.GreenletExit)


def _raise(error: BaseException) -> None:
    raise error


# --- no thread, no time ------------------------------------------------------------------------------------


def an_export_without_a_thread_fails_on_the_hub_too() -> None:
    """R4: never inline there."""
    import threading

    exporter = CircuitBreakerSpanExporter(ScriptedExporter(), failure_threshold=1)
    batch = spans(2)
    before = threading.stack_size(1 << 47)
    assert exporter.export(batch) is FAILURE
    threading.stack_size(before)
    assert exporter.export(spans(1)) is SUCCESS
    health = exporter.health()
    assert (health.failed, health.exported, health.state) == (2, 1, CircuitState.CLOSED)


def shutdown_ends_a_cooperative_call_that_is_out() -> None:
    """S5."""
    inner = Cooperative(lambda: gevent.sleep(60))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=30)
    caller = gevent.spawn(exporter.export, spans(1))
    until(lambda: inner.greenlets)
    exporter.shutdown(timeout_millis=400)
    caller.join(10)
    assert caller.value is FAILURE
    assert exporter.health().failed == 1


def what_a_call_for_a_native_thread_logs_arrives_from_that_thread() -> None:
    """R7: there is no greenlet to hand it on beside, and no hub to hold."""
    import logging

    said: list[tuple[str, int]] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append((record.getMessage(), native_ident()))

    def chat(_: Sequence[ReadableSpan]) -> SpanExportResult:
        logging.getLogger("foreign").warning("line")
        return SUCCESS

    logging.getLogger().addHandler(Handler())
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=chat))
    batch = spans(1)
    caller = gevent.get_hub().threadpool.apply(lambda: (exporter.export(batch), native_ident()))
    assert caller[0] is SUCCESS
    assert said == [("line", caller[1])]
