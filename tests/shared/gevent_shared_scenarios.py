"""Circuits that are shared in a patched process. Each function is run by a process."""

from __future__ import annotations

import gevent

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState, Retention, SharedCircuit
from breaker_exporter.testing import ManualClock, ScriptedExporter

from ..retention._retaining import DELIVERED, UNREACHABLE, Encoding, batch, sum_agrees
from ..semantics._cooperative import Cooperative, kill, start_native_thread
from ..semantics._deadlines import moved_by_hand
from ..semantics._exporters import SUCCESS, Gated
from ..semantics._spans import spans
from ..semantics._waiting import until
from ._sharing import CLOSED, HALF_OPEN, answers, sharing, succeeds


def _opened(clock: ManualClock) -> tuple[SharedCircuit, CircuitBreakerSpanExporter]:
    """A circuit whose probe is due, and the exporter that opened it."""
    shared = SharedCircuit(failure_threshold=1, cooldown=10, jitter=0, clock=clock)
    (gone,) = sharing(shared, answers(UNREACHABLE))
    assert not succeeds(gone)
    clock.advance(10)
    return shared, gone


def exactly_one_of_many_greenlets_and_threads_probes() -> None:
    """C4."""
    shared, gone = _opened(ManualClock())
    inner = [Gated() for _ in range(3)]
    exporters = sharing(shared, *inner, export_timeout=60)
    given = spans(1)
    succeeded: list[bool] = []

    def call(exporter: CircuitBreakerSpanExporter) -> None:
        succeeded.append(exporter.export(given) is SUCCESS)

    for _ in range(10):
        for exporter in exporters:
            gevent.spawn(call, exporter)
            start_native_thread(call, (exporter,))
    until(lambda: len(succeeded) == 59)

    assert not any(succeeded)
    until(lambda: any(each.threads for each in inner))
    assert shared.state is HALF_OPEN
    for each in inner:
        each.let_all_out()
    until(lambda: len(succeeded) == 60)
    assert (sum(succeeded), shared.state) == (1, CLOSED)
    assert sum(len(each.threads) for each in inner) == 1
    assert succeeds(gone)


def a_probe_whose_caller_was_killed_is_settled_by_another_exporter() -> None:
    """C3."""
    shared, gone = _opened(ManualClock())
    inner = Gated()
    (probing,) = sharing(shared, inner, export_timeout=60)
    caller = gevent.spawn(succeeds, probing)
    inner.entered(1)
    kill(caller)
    assert not succeeds(gone)

    inner.let_all_out()

    until(lambda: succeeds(gone))
    assert (shared.state, probing.state) == (CLOSED, CLOSED)


def a_greenlet_that_overruns_opens_it_for_all() -> None:
    """C2."""
    shared = SharedCircuit(cooldown=60)
    inner = Cooperative(lambda: gevent.sleep(60))
    with moved_by_hand() as deadlines:
        stuck = CircuitBreakerSpanExporter(inner, circuit=shared, export_timeout=0.05)
        fine = CircuitBreakerSpanExporter(ScriptedExporter(), circuit=shared)
        caller = gevent.spawn(succeeds, stuck)
        until(lambda: inner.greenlets)
        deadlines.advance(0.05)
        caller.join(20)

        assert caller.value is False
        assert not succeeds(fine)
        assert fine.state is CircuitState.OPEN


def what_two_exporters_keep_is_delivered_after_an_outage() -> None:
    """K12, K14."""
    backend = [UNREACHABLE]
    shared = SharedCircuit(failure_threshold=1, cooldown=0.2, max_cooldown=0.2, jitter=0)
    inner = [Encoding(default=lambda _: backend[0]) for _ in range(2)]
    exporters = [CircuitBreakerSpanExporter(each, circuit=shared, retention=Retention()) for each in inner]
    for number in range(5):
        for exporter in exporters:
            exporter.export(batch(str(number), 3))
    assert all(exporter.state is not CLOSED for exporter in exporters)
    assert len(inner[1].sent) <= 1
    backend[0] = DELIVERED

    until(lambda: all(exporter.health().exported == 15 for exporter in exporters))
    for exporter in exporters:
        assert (exporter.health().retained, sum_agrees(exporter.health())) == (0, True)
