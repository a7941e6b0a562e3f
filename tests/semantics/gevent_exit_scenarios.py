"""The ends of processes and of children; each function is run by a patched process of its own."""

from __future__ import annotations

import os
import sys
import threading

import gevent
from gevent import monkey

from breaker_exporter import CircuitBreakerSpanExporter
from breaker_exporter.testing import ScriptedExporter

from ._children import wait_for
from ._cooperative import native_ident
from ._exporters import SUCCESS
from ._spans import spans


def at_an_exit_where_no_thread_starts_a_call_runs_in_a_greenlet() -> None:
    """R4: what is queued arrives. Only Python 3.12 refuses threads there; the test imitates that."""
    sys.start_error = RuntimeError("can't create new thread at interpreter shutdown")  # type: ignore[attr-defined]
    main = threading.main_thread()
    main.is_alive = lambda: False  # type: ignore[method-assign]
    lock = vars(main).pop("_tstate_lock", None)  # up to Python 3.12 it says so
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
    vars(main)["_tstate_lock"] = lock


def a_child_forked_inside_an_export_ends_in_good_order() -> None:
    """R5: the child has no caller to return to, and must not undo what the parent's call has changed.

    In a shared process libev, which another scenario's fork has set to work, reaps this child first.
    """
    usual = sys.getswitchinterval()
    children: list[int] = []
    reading, writing = os.pipe()

    def fork_and_return(_: object) -> object:
        children.append(monkey.get_original("os", "fork")())  # gevent's wants the main thread
        if not children[0]:
            os.dup2(writing, 2)
        return SUCCESS

    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=fork_and_return))
    assert exporter.export(spans(1)) is SUCCESS
    assert wait_for(children[0]) == 0
    os.write(
        writing, b"."
    )  # gevent closes a descriptor later, in the hub, so reading to the end may never end
    assert b"Traceback" not in os.read(reading, 10_000)
    assert sys.getswitchinterval() == usual


def _cooperative() -> ScriptedExporter:
    inner = ScriptedExporter()
    inner.cooperative = True  # type: ignore[attr-defined]
    return inner
