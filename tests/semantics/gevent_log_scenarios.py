"""R7: what the wrapped exporter logs on our thread. Each function is run by a fresh, patched process."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

import gevent
import gevent.event
from gevent import monkey
from gevent.lock import Semaphore
from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState
from breaker_exporter.testing import ManualClock, ScriptedExporter

from ._deadlines import moved_by_hand
from ._exporters import FAILURE, SUCCESS, Gated
from ._heartbeat import Heartbeat, assert_no_stall, quiet_gap
from ._spans import spans
from ._waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

native_ident = monkey.get_original("_thread", "get_ident")
native_sleep = monkey.get_original("time", "sleep")

foreign = logging.getLogger("foreign")
ours = logging.getLogger("breaker_exporter")


class Yielding(logging.Handler):
    """Yields while it holds its lock, as one does that writes to a patched socket."""

    def __init__(self, seconds: float = 0.0003, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.seconds = seconds
        self.lines: list[str] = []
        self.records: list[logging.LogRecord] = []
        self.threads: set[int] = set()
        self.begun = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.begun += 1
        self.threads.add(native_ident())
        gevent.sleep(self.seconds)
        self.records.append(record)
        self.lines.append(record.getMessage())

    def of(self, prefix: str) -> list[str]:
        return [line for line in self.lines if line.startswith(prefix)]


def _handle_everything(seconds: float = 0.0003) -> Yielding:
    handler = Yielding(seconds)
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)
    return handler


def _chatty(lines: int, *, pause: float = 0.0, answer: object = SUCCESS) -> Callable[[object], object]:
    count = iter(range(1_000_000))

    def chat(_: object) -> object:
        for _ in range(lines):
            foreign.warning("inner %d", next(count))
            if pause:
                native_sleep(pause)
        return answer

    return chat


def _expected(lines: int) -> list[str]:
    return [f"inner {number}" for number in range(lines)]


def _assert_arrive(handler: Yielding, lines: list[str]) -> None:
    """Assert that the wrapped exporter's lines reach the handler in order, and on the hub's thread."""
    until(lambda: len(handler.of("inner")) >= len(lines))
    assert handler.of("inner") == lines
    assert handler.threads == {native_ident()}


def _slowest_of_five_greenlets(handler: Yielding, name: str, run: Callable[[], object]) -> float:
    """Return the slowest log call of five greenlets that log every 20 ms while ``run`` runs."""
    slowest, stop, sent = 0.0, False, 0

    def log(number: int) -> None:
        nonlocal slowest, sent
        while not stop:
            sent += 1
            began = time.perf_counter()
            foreign.info("%s greenlet %d", name, number)
            slowest = max(slowest, time.perf_counter() - began)
            gevent.sleep(0.02)

    loggers = [gevent.spawn(log, number) for number in range(5)]
    run()
    stop = True
    gevent.joinall(loggers, timeout=20)
    assert all(logger.ready() for logger in loggers), "stuck for good"
    assert len(handler.of(name)) == sent
    return slowest


def greenlets_that_log_beside_a_chatty_exporter_do_not_stall() -> None:
    """Measured without the rule: 2.0 s for a log call, and then stuck for good."""
    handler = _handle_everything()
    quiet_hub = quiet_gap()
    quiet = _slowest_of_five_greenlets(handler, "before", lambda: gevent.sleep(0.4))
    inner = ScriptedExporter(default=_chatty(40, pause=0.01))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=30)
    with Heartbeat() as heartbeat:
        slowest = _slowest_of_five_greenlets(handler, "beside", lambda: exporter.export(spans(1)))

    assert slowest < 5 * quiet + 0.8, (slowest, quiet)
    assert_no_stall(heartbeat, quiet_hub)
    _assert_arrive(handler, _expected(40))


def nothing_is_lost_or_reordered_over_several_calls() -> None:
    handler = _handle_everything(0)
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=_chatty(300)), export_timeout=60)
    for calls in range(1, 5):
        assert exporter.export(spans(1)) is SUCCESS
        until(lambda calls=calls: len(handler.of("inner")) == 300 * calls)  # type: ignore[misc]
    _assert_arrive(handler, _expected(1_200))


def nine_calls_in_a_row_lose_and_reorder_nothing() -> None:
    handler = _handle_everything(0)
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=_chatty(100)), export_timeout=60)
    for _ in range(9):
        assert exporter.export(spans(1)) is SUCCESS
    _assert_arrive(handler, _expected(900))


def nine_hundred_and_ninety_nine_lines_of_one_call_all_arrive() -> None:
    handler = _handle_everything(0)
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=_chatty(999)), export_timeout=60)
    exporter.export(spans(1))
    _assert_arrive(handler, _expected(999))
    exporter.shutdown()
    assert not any("dropped" in record.getMessage() for record in handler.records)


def above_a_thousand_lines_the_number_dropped_is_logged() -> None:
    """The handler is slow enough for the lines of this call to pile up."""
    handler = _handle_everything(0.002)
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=_chatty(1_737)), export_timeout=60)
    exporter.export(spans(1))
    handler.seconds = 0

    def about_it() -> list[logging.LogRecord]:
        return [record for record in handler.records if "dropped" in record.getMessage()]

    until(about_it)
    exporter.shutdown()
    until(lambda: len(handler.of("inner")) >= 1_000)
    kept = handler.of("inner")
    assert 1_000 <= len(kept) < 1_737
    assert kept == sorted(kept, key=lambda line: int(line.split()[1]))
    (record,) = about_it()
    assert str(1_737 - len(kept)) in record.getMessage()
    assert record.levelno < logging.ERROR
    assert handler.threads == {native_ident()}


def the_filter_is_gone_when_no_call_is_out() -> None:
    handler = _handle_everything(0)
    own = logging.Filter()
    handler.addFilter(own)
    before = list(handler.filters)
    during: list[int] = []

    def look(_: object) -> SpanExportResult:
        during.append(len(handler.filters))
        return SUCCESS

    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=look))
    for _ in range(2):
        exporter.export(spans(1))
        assert handler.filters == before
    exporter.shutdown()
    assert handler.filters == before
    assert during[0] > len(before)


def the_filter_goes_when_the_last_hung_call_ends() -> None:
    handler = _handle_everything(0)
    clock = ManualClock()
    inner = Gated(when_stuck=lambda: deadlines.advance(0.02))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.02, cooldown=10, clock=clock)
    with moved_by_hand() as deadlines:
        exporter.export(spans(1))
    inner.let_all_out()
    until(lambda: exporter.health().hung_calls == 0)
    clock.advance(10)
    with moved_by_hand():
        assert exporter.export(spans(1)) is SUCCESS
    assert handler.filters == []


def a_handler_added_between_two_calls_is_found() -> None:
    """Handlers are re-scanned before each call, those of loggers that do not propagate too."""
    before = _handle_everything(0)
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=_chatty(20)), export_timeout=60)
    exporter.export(spans(1))
    until(lambda: len(before.lines) == 20)
    handler = Yielding()
    foreign.addHandler(handler)
    foreign.propagate = False
    exporter.export(spans(1))
    _assert_arrive(handler, [f"inner {number}" for number in range(20, 40)])
    assert len(before.lines) == 20


def each_handler_gets_a_record_once_and_only_at_its_level() -> None:
    loud, quiet = Yielding(0, logging.ERROR), Yielding(0, logging.INFO)
    logging.getLogger().addHandler(loud)
    logging.getLogger().addHandler(quiet)
    logging.getLogger().setLevel(logging.INFO)

    def mixed(_: object) -> SpanExportResult:
        foreign.debug("debug")
        foreign.info("info")
        foreign.error("error")
        return SUCCESS

    CircuitBreakerSpanExporter(ScriptedExporter(default=mixed)).export(spans(1))
    until(lambda: quiet.lines[1:])
    assert (loud.lines, quiet.lines) == (["error"], ["info", "error"])


def a_record_keeps_what_it_was_made_with() -> None:
    """Its time, thread and traceback stay: we only deliver it."""
    handler = _handle_everything(0)
    made_on: list[int] = []

    def explain(_: object) -> SpanExportResult:
        made_on.append(native_ident())
        try:
            raise LookupError("why")
        except LookupError:
            foreign.exception("no way")
        native_sleep(0.3)
        return SUCCESS

    CircuitBreakerSpanExporter(ScriptedExporter(default=explain)).export(spans(1))
    until(lambda: handler.records)
    (record,) = [record for record in handler.records if record.name == "foreign"]
    assert record.exc_info is not None
    assert record.exc_info[0] is LookupError
    assert record.thread != threading.get_ident()
    assert handler.threads == {native_ident()}


def an_abandoned_calls_lines_come_with_the_next_call() -> None:
    handler = _handle_everything()
    clock = ManualClock()
    inner = Gated(when_stuck=lambda: deadlines.advance(0.02))
    first = True

    def chat(batch: Sequence[ReadableSpan]) -> object:
        nonlocal first
        if not first:
            return SUCCESS
        first = False
        foreign.warning("inner 0")
        inner.export(batch)
        foreign.warning("inner 1")
        return SUCCESS

    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter(default=chat), export_timeout=0.02, cooldown=10, clock=clock
    )
    with moved_by_hand() as deadlines:
        assert exporter.export(spans(1)) is FAILURE
    inner.let_all_out()
    until(lambda: exporter.health().hung_calls == 0)
    clock.advance(10)
    with moved_by_hand():
        assert exporter.export(spans(1)) is SUCCESS
    _assert_arrive(handler, _expected(2))


def an_abandoned_calls_lines_come_with_shutdown() -> None:
    """Shutdown returns after them: the process may end then."""
    handler = _handle_everything()
    inner = Gated(when_stuck=lambda: deadlines.advance(0.02))

    def chat(batch: Sequence[ReadableSpan]) -> object:
        foreign.warning("inner 0")
        inner.export(batch)
        foreign.warning("inner 1")
        return SUCCESS

    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=chat), export_timeout=0.02)
    with moved_by_hand() as deadlines:
        assert exporter.export(spans(1)) is FAILURE
    inner.let_all_out()
    until(lambda: exporter.health().hung_calls == 0)
    exporter.shutdown()
    assert handler.of("inner") == _expected(2)
    assert handler.threads == {native_ident()}


def the_last_calls_lines_have_arrived_when_shutdown_returns() -> None:
    """The last line may say why the last export failed."""
    handler = _handle_everything()
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=_chatty(50)), export_timeout=10)
    exporter.export(spans(1))
    exporter.shutdown()
    assert handler.of("inner") == _expected(50)


def what_the_wrapped_shutdown_logs_arrives_from_the_callers_side() -> None:
    handler = _handle_everything()
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(on_shutdown=_chatty(5), on_flush=_chatty(5)))
    exporter.force_flush()
    exporter.shutdown()
    until(lambda: len(handler.lines) >= 10)
    assert len(handler.of("inner")) == 10
    assert handler.threads == {native_ident()}


def a_handler_that_never_gets_rid_of_a_line_holds_no_export_and_no_shutdown() -> None:
    """P1, S1."""
    handler = _handle_everything()
    stuck = gevent.event.Event()
    handler.emit = lambda record: stuck.wait()  # type: ignore[method-assign, assignment]
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=_chatty(5)), export_timeout=0.5)
    with gevent.Timeout(20):
        exporter.export(spans(1))
        exporter.shutdown(timeout_millis=500)
    assert exporter.health().in_flight == 0
    stuck.set()


def a_slow_handler_does_not_extend_the_callers_deadline() -> None:
    """900 lines of 50 ms each are 45 s; the caller has half a second. The rest goes after it."""
    handler = _handle_everything(0.05)
    inner = ScriptedExporter([_chatty(900)])
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.5)
    with moved_by_hand():
        began = time.monotonic()
        assert exporter.export(spans(1)) is SUCCESS
        assert time.monotonic() - began < PATIENCE
        assert len(handler.of("inner")) < 900
        assert exporter.health().exported == 1
        handler.seconds = 0
        assert exporter.export(spans(1)) is SUCCESS
    _assert_arrive(handler, _expected(900))
    assert exporter.health().opened == 0


def a_caller_killed_while_lines_are_replayed_goes_at_once_and_the_rest_follows() -> None:
    """C3, R7: the call has ended. Nothing is counted twice, and at most the line in hand is lost."""
    handler = _handle_everything(0.01)
    inner = ScriptedExporter([_chatty(100)])
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=30)
    caller = gevent.spawn(exporter.export, spans(2))
    until(lambda: len(handler.of("inner")) >= 10)
    caller.kill(timeout=10)
    assert caller.dead
    health = exporter.health()
    assert (health.received, health.in_flight, health.state) == (2, 0, CircuitState.CLOSED)
    assert health.exported + health.failed == 2

    handler.seconds = 0
    assert exporter.export(spans(1)) is SUCCESS
    until(lambda: len(handler.of("inner")) >= 99)
    exporter.shutdown()
    lines = handler.of("inner")
    assert len(set(lines)) == len(lines)
    assert lines == [line for line in _expected(100) if line in set(lines)]
    until(lambda: handler.filters == [])


def a_caller_killed_in_its_call_leaves_the_lines_to_the_next() -> None:
    handler = _handle_everything()
    inner = Gated()

    def chat(batch: Sequence[ReadableSpan]) -> object:
        foreign.warning("inner %d", len(inner.threads))
        return inner.export(batch)

    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=chat), export_timeout=30)
    caller = gevent.spawn(exporter.export, spans(1))
    inner.entered(1)
    caller.kill(timeout=10)
    inner.let_all_out()
    assert exporter.export(spans(1)) is SUCCESS
    _assert_arrive(handler, _expected(2))


def a_handler_that_raises_in_replay_raises_nothing_into_the_caller() -> None:
    class Raising(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            if self.filter(record) and record.name == "foreign":
                raise RuntimeError("handler")
            return True

    logging.getLogger().addHandler(Raising())
    handler = _handle_everything(0)
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=_chatty(5)), export_timeout=30)
    assert exporter.export(spans(1)) is SUCCESS
    assert exporter.health().exported == 1
    _assert_arrive(handler, _expected(5))


def a_handler_that_exports_in_replay_ends_in_no_loop() -> None:
    """One that makes spans of log records, whose exporter logs."""

    class Exports(logging.Handler):
        calls = 0

        def emit(self, record: logging.LogRecord) -> None:
            if record.name == "foreign" and self.calls < 5:
                self.calls += 1
                exporter.export(spans(1))

    handler = Exports()
    logging.getLogger().addHandler(handler)
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=_chatty(1)), export_timeout=10)
    with gevent.Timeout(25):
        exporter.export(spans(1))
        until(lambda: handler.calls == 5)
        until(lambda: exporter.health().in_flight == 0)
    health = exporter.health()
    assert health.received == health.exported + health.failed + health.refused == 6


def what_other_threads_log_is_left_alone() -> None:
    """A greenlet's own line goes to the handler as it always did, while a call is out."""
    handler = _handle_everything(0)
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=30)
    caller = gevent.spawn(exporter.export, spans(1))
    inner.entered(1)
    foreign.warning("mine")
    assert handler.lines == ["mine"]
    gevent.get_hub().threadpool.apply(lambda: None)
    inner.let_all_out()
    caller.join(10)
    assert handler.lines == ["mine"]


def two_exporters_that_both_chat_keep_their_lines_in_order() -> None:
    handler = _handle_everything()

    def chat(name: str) -> Callable[[object], object]:
        def log(_: object) -> object:
            for number in range(100):
                foreign.warning("%s %d", name, number)
                native_sleep(0.001)
            return SUCCESS

        return log

    exporters = [
        CircuitBreakerSpanExporter(ScriptedExporter(default=chat(name)), export_timeout=30)
        for name in ("a", "b")
    ]
    callers = [gevent.spawn(exporter.export, spans(1)) for exporter in exporters]
    gevent.joinall(callers, timeout=30)
    until(lambda: len(handler.lines) >= 200)
    for name in ("a", "b"):
        assert handler.of(f"{name} ") == [f"{name} {number}" for number in range(100)]
    assert handler.threads == {native_ident()}
    until(lambda: handler.filters == [])


def what_is_thrown_into_a_shutdown_whose_last_line_is_stuck_goes_on() -> None:
    """C3, G2."""
    stuck = Semaphore(0)
    entered: list[bool] = []

    class Stuck(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            entered.append(True)
            stuck.acquire()

    ours.addHandler(Stuck())
    ours.setLevel(logging.INFO)
    exporter = CircuitBreakerSpanExporter(ScriptedExporter())
    caller = gevent.spawn(exporter.shutdown)
    until(lambda: entered)
    caller.kill(timeout=10)
    assert caller.ready()
    stuck.release()


def our_own_lines_come_from_the_callers_side() -> None:
    """So does the WARNING of an overrun that nobody waits for any more."""
    handler = Yielding(0.001)
    ours.addHandler(handler)
    ours.setLevel(logging.DEBUG)
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, failure_threshold=1, export_timeout=0.05)
    with moved_by_hand() as deadlines:
        caller = gevent.spawn(exporter.export, spans(1))
        inner.entered(1)
        caller.kill(timeout=10)
        deadlines.advance(0.05)
        until(lambda: exporter.state is CircuitState.OPEN)
    exporter.export(spans(1))
    inner.let_all_out()
    until(lambda: exporter.health().hung_calls == 0)
    exporter.shutdown()
    assert len([record for record in handler.records if "circuit opened" in record.getMessage()]) == 1
    assert handler.threads == {native_ident()}


def a_native_thread_that_logs_by_itself_does_stall_them() -> None:
    """The first test above can fail: the same lines from a thread that is not ours."""
    handler = Yielding(0.0003)
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)
    inner = _chatty(5, pause=0.01)
    gevent.get_hub().threadpool.apply(inner, (None,))
    assert handler.threads != {native_ident()}
