"""Exits at which no thread can start any more; each function is run by a patched process of its own."""

from __future__ import annotations

import sys
import threading

import gevent

from breaker_exporter import CircuitBreakerSpanExporter
from breaker_exporter.testing import ScriptedExporter

from ._exporters import SUCCESS
from ._gevent import native_ident
from ._spans import spans


def at_an_exit_where_no_thread_starts_a_call_runs_in_a_greenlet() -> None:
    """R4: what is queued arrives; only Python 3.12 refuses threads there, so its refusal is played here."""
    sys.start_error = RuntimeError("can't create new thread at interpreter shutdown")  # type: ignore[attr-defined]
    threading.main_thread().is_alive = lambda: False  # type: ignore[method-assign]
    inner = ScriptedExporter()
    exporter = CircuitBreakerSpanExporter(inner)
    assert exporter.export(spans(2)) is SUCCESS
    assert type(gevent.get_hub().resolver).__module__ == "gevent.resolver.blocking"
    gevent.get_hub().resolver = None
    exporter.shutdown()
    assert inner.shutdown_calls == 1
    del sys.start_error  # type: ignore[attr-defined]
    gevent.get_hub().threadpool.apply(native_ident)
    del gevent.get_hub().resolver
    assert CircuitBreakerSpanExporter(_cooperative()).export(spans(1)) is SUCCESS
    assert type(gevent.get_hub().resolver).__module__ == "gevent.resolver.thread"


def _cooperative() -> ScriptedExporter:
    inner = ScriptedExporter()
    inner.cooperative = True  # type: ignore[attr-defined]
    return inner
