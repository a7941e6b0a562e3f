"""Processes that end while an exporter is busy. Each function is the whole program of a fresh process."""

from __future__ import annotations

import atexit
import os
import sys
import tempfile
import time
import traceback
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState
from breaker_exporter._concurrency.disk_thread import run_here, start_job
from breaker_exporter.testing import ScriptedExporter

from ._deadlines import moved_by_hand
from ._exporters import FAILURE, SUCCESS, Gated
from ._spans import spans
from ._waiting import start, until

if TYPE_CHECKING:
    from collections.abc import Callable

_KEPT: list[object] = []


def _at_exit(check: Callable[[], None]) -> None:
    """Run `check` at exit, and let its error set the exit status, which Python would leave at zero."""

    def guarded() -> None:
        try:
            check()
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(70)

    atexit.register(guarded)


def with_a_hung_call_outstanding() -> None:
    inner = Gated(when_stuck=lambda: deadlines.advance(0.05))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.05)
    with moved_by_hand() as deadlines:
        assert exporter.export(spans(1)) is FAILURE
    assert exporter.health().hung_calls == 1


def with_a_call_in_flight() -> None:
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=60)
    start(lambda: exporter.export(spans(1)))
    inner.entered(1)


def with_an_idle_thread() -> None:
    exporter = CircuitBreakerSpanExporter(ScriptedExporter())
    assert exporter.export(spans(1)) is SUCCESS
    _KEPT.append(exporter)


def with_four_abandoned_threads() -> None:
    inner = Gated(when_stuck=lambda: deadlines.advance(0.05))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.05, cooldown=0.01, max_cooldown=0.01)
    with moved_by_hand() as deadlines:
        for _ in range(4):
            until(lambda: exporter.health().retry_in in (None, 0.0))
            exporter.export(spans(1))
    assert exporter.health().hung_calls == 4


def with_a_call_in_its_retry_backoff_after_shutdown() -> None:
    """S5: measured with a prototype, the hook came back in time and the interpreter then stayed."""
    inside: list[bool] = []

    def back_off(_: object) -> object:
        inside.append(True)
        time.sleep(3_600)
        return SUCCESS

    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=back_off), export_timeout=60)
    start(lambda: exporter.export(spans(1)))
    until(lambda: inside)
    exporter.begin_shutdown(0.2)
    exporter.shutdown()


def with_a_wrapped_shutdown_that_never_ends() -> None:
    stuck = Gated()
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(on_shutdown=lambda _: stuck.export(())))
    exporter.export(spans(1))
    exporter.shutdown(timeout_millis=100)


def first_export_at_exit() -> None:
    """R4: Python 3.12 starts no thread by then: the call runs in place, under gevent in a greenlet."""
    exporter = CircuitBreakerSpanExporter(ScriptedExporter())
    batch = spans(2)

    def check() -> None:
        assert exporter.export(batch) is SUCCESS
        health = exporter.health()
        assert (health.received, health.exported, health.failed) == (2, 2, 0)
        assert health.state is CircuitState.CLOSED

    _at_exit(check)


def later_export_at_exit() -> None:
    """Its thread is there already, with gevent and without."""
    exporter = CircuitBreakerSpanExporter(ScriptedExporter())
    batch = spans(2)
    assert exporter.export(batch) is SUCCESS

    def check() -> None:
        assert exporter.export(batch) is SUCCESS
        assert (exporter.health().received, exporter.health().exported) == (4, 4)

    _at_exit(check)


class _ExportsWhenCollected:
    def __init__(self, exporter: CircuitBreakerSpanExporter) -> None:
        self.exporter = exporter
        self.batch = spans(2)

    def __del__(self) -> None:
        self.exporter.export(self.batch)


def export_from_a_finalizer_at_exit() -> None:
    _KEPT.append(_ExportsWhenCollected(CircuitBreakerSpanExporter(ScriptedExporter(), export_timeout=1)))


def batch_processor_drained_at_exit() -> None:
    """R4: as with the first export at exit, where Python 3.12 starts no thread."""
    exporter = CircuitBreakerSpanExporter(ScriptedExporter())
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=60_000))
    for _ in range(5):
        provider.get_tracer("exit").start_span("span").end()

    def check() -> None:
        health = exporter.health()
        assert (health.exported, health.failed) == (5, 0), health

    # atexit runs last registered first; the provider's own handler was registered before this one
    atexit.unregister(provider.shutdown)
    _at_exit(check)
    atexit.register(provider.shutdown)


def with_a_disk_that_hangs() -> None:
    """K13: with one piece of work that hangs in the kernel, and one behind it."""
    folder = tempfile.TemporaryDirectory()
    _KEPT.append(folder)
    fifo = os.path.join(folder.name, "fifo")
    os.mkfifo(fifo)
    begun: list[bool] = []

    def work(_: object) -> int:
        begun.append(True)
        return os.open(fifo, os.O_WRONLY)

    start_job(work, lambda: None)
    start_job(lambda _: None, lambda: None)
    until(lambda: begun)


def disk_work_at_exit() -> None:
    """K13: Python 3.12 starts no thread by then: the work is done in place."""

    def check() -> None:
        done: list[bool] = []
        try:
            job = start_job(lambda _: "on the thread", lambda: done.append(True))
        except RuntimeError:
            assert run_here(lambda _: "here") == "here"
        else:
            until(lambda: done)
            assert job.result() == "on the thread"

    _at_exit(check)
