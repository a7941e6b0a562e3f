"""One exporter by HTTP on several hubs: each of these runs in a process that gevent patches."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable

from breaker_exporter.otlp import CooperativeOTLPSpanExporter
from breaker_exporter.testing import FaultyCollector

from ..semantics._exporters import SUCCESS
from ..semantics._spans import spans
from ..semantics._waiting import Gate, native, until


def _on_thread(work: Callable[[], object]) -> Gate:
    """Run `work` on a native thread, with a hub of its own; the gate opens when it is over."""
    ended = Gate()

    def run() -> None:
        try:
            work()
        finally:
            ended.open()

    native("_thread", "start_new_thread")(run, ())
    return ended


def threads_and_greenlets_send_in_turns() -> None:
    """With one connection for all: ``greenlet.error: Cannot switch to a different thread``."""
    results: list[object] = []
    with FaultyCollector() as collector:
        exporter = CooperativeOTLPSpanExporter(collector.http_endpoint, timeout=20)

        def send() -> None:
            results.append(exporter.export(spans(1)))

        turns = [Gate() for _ in range(3)]

        def work() -> None:
            for turn in turns:
                assert turn.wait()
                send()

        ended = _on_thread(work)
        for number, turn in enumerate(turns, 1):
            turn.open()
            until(lambda: len(results) == 2 * number - 1)  # noqa: B023
            send()
        assert ended.wait()

        assert results == [SUCCESS] * 6
        assert collector.counts().connections == 2
        exporter.shutdown()


def threads_that_end_leave_no_connection_behind() -> None:
    with FaultyCollector() as collector:
        exporter = CooperativeOTLPSpanExporter(collector.http_endpoint, timeout=20)
        exporter.export(spans(1))
        for _ in range(5):
            assert _on_thread(lambda: exporter.export(spans(1))).wait()

        until(lambda: collector.counts().open_connections == 1)
        assert collector.counts().spans == 6
        exporter.shutdown()


def a_child_sends_though_a_thread_of_its_parent_has_locked_its_pools() -> None:
    with FaultyCollector() as collector, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads
        exporter = CooperativeOTLPSpanExporter(collector.http_endpoint, timeout=20)
        exporter.export(spans(1))
        arrived, go_on = Gate(), Gate()

        def hold() -> None:
            exporter.export(spans(1))
            session = exporter._sender._poster._sessions.here  # type: ignore[attr-defined]
            with session.get_adapter("http://").poolmanager.pools.lock:
                arrived.open()
                go_on.wait()

        ended = _on_thread(hold)
        until(lambda: collector.counts().spans == 2)
        assert arrived.wait()
        if (child := os.fork()) == 0:
            delivered = exporter.export(spans(1)) is SUCCESS
            exporter.shutdown()
            os._exit(0 if delivered else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        go_on.open()
        assert ended.wait()
        assert exporter.export(spans(1)) is SUCCESS
        exporter.shutdown()
