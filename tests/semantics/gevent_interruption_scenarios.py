"""Exports from code that interrupts a holder of our locks, and errors raised there; in patched processes.

A signal handler and a finalizer run at any instruction. These run where a logging handler is asked for its
filters: there the log detour's lock is held, on whichever thread it is.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import gevent
from opentelemetry.sdk.trace import TracerProvider

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState
from breaker_exporter._concurrency.state_lock import holds_state_lock, new_state_lock
from breaker_exporter._core import late_calls
from breaker_exporter._wiring.batch_processor import BatchProcessor
from breaker_exporter.telemetry import Telemetry
from breaker_exporter.testing import ScriptedExporter, take

from ._cooperative import Cooperative, native_ident, start_native_thread
from ._exporters import FAILURE, SUCCESS, Gated
from ._spans import spans
from ._waiting import Gate, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

USUAL = sys.getswitchinterval()


class _Asked(logging.Handler):
    """Calls something each time it is asked for its filters, on the thread that asks."""

    def __init__(self, on_asked: Callable[[], object]) -> None:
        self._filters: list[Any] = []
        self._on_asked: Callable[[], object] = lambda: None
        super().__init__()
        self._on_asked = on_asked
        logging.getLogger().addHandler(self)

    @property
    def filters(self) -> list[Any]:
        self._on_asked()
        return self._filters

    @filters.setter
    def filters(self, filters: list[Any]) -> None:
        self._filters = filters

    def emit(self, record: logging.LogRecord) -> None:
        pass


def _all_accounted_for(exporter: CircuitBreakerSpanExporter) -> bool:
    health = exporter.health()
    return health.in_flight == 0 and health.received == health.exported + health.failed + health.refused


def a_signal_handler_that_ends_a_span_while_the_lock_is_held_stops_nobody() -> None:
    other = CircuitBreakerSpanExporter(ScriptedExporter(), export_timeout=3600)
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=take(0.01)), export_timeout=3600)
    answers: list[object] = []
    main, batch = native_ident(), spans(2)
    sent: list[bool] = []

    def interrupt() -> None:
        if native_ident() == main and not sent:
            sent.append(True)
            signal.raise_signal(signal.SIGUSR1)

    signal.signal(signal.SIGUSR1, lambda *_: answers.append(other.export(batch)))
    _Asked(interrupt)
    with gevent.Timeout(20):
        assert exporter.export(spans(1)) is SUCCESS
    assert answers == [FAILURE]
    assert other.health().refused == 2
    assert other.export(spans(1)) is SUCCESS
    assert _all_accounted_for(other)
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)


def a_finalizer_that_ends_a_span_on_the_export_thread_stops_nobody() -> None:
    """Nor do a flush and a shutdown from there."""
    other = CircuitBreakerSpanExporter(ScriptedExporter(), export_timeout=3600)
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=take(0.01)), export_timeout=3600)
    main, batch = native_ident(), spans(2)
    answers: list[object] = []
    begun: list[bool] = []

    def finalize() -> None:
        if native_ident() != main and not begun:
            begun.append(True)
            answers.append(other.export(batch))
            answers.append(exporter.export(batch))
            answers.append(other.force_flush(3_600_000))

    _Asked(finalize)
    with gevent.Timeout(20):
        assert exporter.export(spans(1)) is SUCCESS
        until(lambda: len(answers) == 3)
    assert answers == [FAILURE, FAILURE, False]
    assert _all_accounted_for(other)
    assert other.export(spans(1)) is SUCCESS


def a_signal_handler_that_interrupts_a_cooperative_call_s_last_steps_is_refused_at_once() -> None:
    """R2: it would wait for a call that goes on only when it returns, until that call counts as hung."""
    answers: list[object] = []

    def at_next_step_of_ours(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename == late_calls.__file__:
            sys.setprofile(None)
            answers.append(exporter.export(spans(2)))
            answers.append(exporter.force_flush(3_600_000))

    inner = Cooperative(lambda: sys.setprofile(at_next_step_of_ours))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=3600)
    with gevent.Timeout(20):
        assert exporter.export(spans(1)) is SUCCESS
    assert answers == [FAILURE, False]
    assert _all_accounted_for(exporter)
    assert exporter.export(spans(1)) is SUCCESS


def no_greenlet_is_let_into_what_a_lock_guards() -> None:
    """A signal handler that has interrupted such a section may call anything of ours."""
    exporter = CircuitBreakerSpanExporter(ScriptedExporter())
    processor = BatchProcessor(CircuitBreakerSpanExporter(ScriptedExporter()))
    telemetry = Telemetry(provider=TracerProvider(shutdown_on_exit=False), endpoint="http://127.0.0.1:9")
    telemetry.start()
    others: list[bool] = []
    with new_state_lock():
        gevent.spawn(others.append, True)
        assert exporter.export(spans(100)) is FAILURE
        assert not exporter.force_flush(3_600_000)
        exporter.shutdown(3_600_000)
        assert not processor.force_flush(3_600_000)
        telemetry.stop()
        assert others == []
    until(lambda: not telemetry.exporters)
    assert others == [True]
    processor.shutdown()


def a_shutdown_that_interrupts_the_lock_does_not_wait() -> None:
    other = CircuitBreakerSpanExporter(ScriptedExporter(), export_timeout=3600)
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(), export_timeout=3600)
    main = native_ident()
    done: list[bool] = []

    def shut_down() -> None:
        if native_ident() == main and not done:
            done.append(holds_state_lock())
            other.shutdown(3_600_000)

    _Asked(shut_down)
    with gevent.Timeout(20):
        assert exporter.export(spans(1)) is SUCCESS
    assert done == [True]
    assert other.export(spans(1)) is FAILURE


def an_interrupt_while_a_call_goes_out_leaves_no_filter_and_no_short_interval() -> None:
    """As where no thread can be started."""
    plain = logging.NullHandler()
    logging.getLogger().addHandler(plain)
    raised: list[bool] = []
    main = native_ident()

    def interrupt() -> None:
        if native_ident() == main and not raised:
            raised.append(True)
            raise KeyboardInterrupt

    _Asked(interrupt)
    exporter = CircuitBreakerSpanExporter(ScriptedExporter())
    try:
        exporter.export(spans(2))
    except KeyboardInterrupt:
        raised.append(True)
    assert raised == [True, True]
    until(lambda: plain.filters == [])  # of the calls of other scenarios, too
    assert (plain.filters, sys.getswitchinterval()) == ([], USUAL)
    assert exporter.health().failed == 2
    assert exporter.export(spans(1)) is SUCCESS
    assert plain.filters == []


def a_thread_that_cannot_start_for_lack_of_memory_leaves_none_either() -> None:
    plain = logging.NullHandler()
    logging.getLogger().addHandler(plain)
    sys.start_error = MemoryError("no room for a thread")  # type: ignore[attr-defined]
    exporter = CircuitBreakerSpanExporter(ScriptedExporter())
    assert exporter.export(spans(2)) is FAILURE
    assert (plain.filters, sys.getswitchinterval()) == ([], USUAL)
    del sys.start_error  # type: ignore[attr-defined]
    assert exporter.export(spans(1)) is SUCCESS


def a_handler_that_cannot_be_asked_keeps_nobody_from_exporting() -> None:
    def refuse() -> None:
        raise OSError("not now")

    _Asked(refuse)
    exporter = CircuitBreakerSpanExporter(ScriptedExporter())
    assert exporter.export(spans(1)) is SUCCESS


class _Filters(list[Any]):
    """Has filters added and removed by others just while somebody copies it."""

    meanwhile: Callable[[], None] | None = None

    def __iter__(self) -> Any:
        copied = list.copy(self)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        return iter(copied)


def a_filter_that_somebody_adds_or_removes_at_the_same_instant_is_added_or_removed() -> None:
    handler = logging.NullHandler()
    added, removed, kept = logging.Filter("a"), logging.Filter("r"), logging.Filter("k")
    filters = _Filters([removed, kept])
    handler.filters = filters
    logging.getLogger().addHandler(handler)

    def meanwhile() -> None:
        handler.addFilter(added)
        handler.removeFilter(removed)

    filters.meanwhile = meanwhile
    assert CircuitBreakerSpanExporter(ScriptedExporter()).export(spans(1)) is SUCCESS
    until(lambda: list(handler.filters) == [kept, added])


def a_caller_whose_hub_is_gone_before_its_call_ends_harms_nobody() -> None:
    """P5: the export thread lives, and the next export is served."""
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=60)
    gone = Gate()

    def call_and_leave() -> None:
        caller = gevent.spawn(exporter.export, spans(1))
        gevent.sleep(0.01)
        while not inner.threads:
            gevent.sleep(0.01)
        caller.kill()
        gevent.get_hub().destroy(destroy_loop=True)
        gone.open()

    start_native_thread(call_and_leave, ())
    until(lambda: gone.wait(0))
    inner.let_all_out()
    with gevent.Timeout(20):
        assert exporter.export(spans(2)) is SUCCESS
    health = exporter.health()
    assert (health.state, health.hung_calls, health.in_flight) == (CircuitState.CLOSED, 0, 0)


def what_is_collected_between_two_calls_on_the_export_thread_waits_for_none() -> None:
    """Its export would wait for a call that only this thread can end."""
    answers: list[object] = []

    class Finalized:
        def __del__(self) -> None:
            answers.append(exporter.export(batch))

    def leave_garbage(_: object) -> object:
        box = Finalized()
        threading.current_thread()
        kept.append(box)
        del box
        return SUCCESS

    kept: list[object] = []
    batch = spans(2)
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=leave_garbage), export_timeout=3600)
    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)

    class Dropping(_Filters):
        pass

    filters = Dropping()
    filters.meanwhile = None
    handler.filters = filters
    with gevent.Timeout(20):
        assert exporter.export(spans(1)) is SUCCESS
    kept.clear()
    until(lambda: answers)
    assert exporter.health().in_flight == 0
