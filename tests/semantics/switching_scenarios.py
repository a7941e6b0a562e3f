"""R6: the switch interval while calls are out on native threads; run in patched processes."""

from __future__ import annotations

import os
import sys

import gevent

from breaker_exporter import CircuitBreakerSpanExporter

from ._cooperative import Cooperative
from ._deadlines import moved_by_hand
from ._exporters import FAILURE, Gated
from ._spans import spans
from ._waiting import until

USUAL = sys.getswitchinterval()


def it_is_short_while_a_call_is_out_and_restored_by_the_last() -> None:
    first, second = Gated(), Gated()
    exporters = [
        CircuitBreakerSpanExporter(first, switch_interval=0.001),
        CircuitBreakerSpanExporter(second),
    ]
    one = gevent.spawn(exporters[0].export, spans(1))
    first.entered(1)
    assert sys.getswitchinterval() == 0.001
    other = gevent.spawn(exporters[1].export, spans(1))
    second.entered(1)
    assert sys.getswitchinterval() == 0.0003
    second.let_all_out()
    other.join(10)
    assert sys.getswitchinterval() == 0.001
    first.let_all_out()
    one.join(10)
    assert sys.getswitchinterval() == USUAL


def a_hung_call_leaves_it_at_its_deadline() -> None:
    inner = Gated(when_stuck=lambda: deadlines.advance(0.05))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.05)
    with moved_by_hand() as deadlines:
        assert exporter.export(spans(1)) is FAILURE
    assert exporter.health().hung_calls == 1
    assert sys.getswitchinterval() == USUAL
    inner.let_all_out()
    until(lambda: exporter.health().hung_calls == 0)
    assert sys.getswitchinterval() == USUAL


def no_interval_and_a_cooperative_exporter_leave_it_alone() -> None:
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner, switch_interval=None)
    call = gevent.spawn(exporter.export, spans(1))
    inner.entered(1)
    assert sys.getswitchinterval() == USUAL
    inner.let_all_out()
    call.join(10)
    seen: list[float] = []
    CircuitBreakerSpanExporter(Cooperative(lambda: seen.append(sys.getswitchinterval()))).export(spans(1))
    assert seen == [USUAL]


def what_somebody_else_sets_meanwhile_stays() -> None:
    inner = Gated()
    exporter = CircuitBreakerSpanExporter(inner)
    call = gevent.spawn(exporter.export, spans(1))
    inner.entered(1)
    sys.setswitchinterval(0.002)
    inner.let_all_out()
    call.join(10)
    assert sys.getswitchinterval() == 0.002
    sys.setswitchinterval(USUAL)


def a_forked_child_has_the_usual_one() -> None:
    for theirs in (USUAL, 0.002):
        inner = Gated()
        exporter = CircuitBreakerSpanExporter(inner)
        call = gevent.spawn(exporter.export, spans(1))
        inner.entered(1)
        if theirs != USUAL:
            sys.setswitchinterval(theirs)
        child = os.fork()
        if not child:
            os._exit(0 if sys.getswitchinterval() == theirs else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        inner.let_all_out()
        call.join(10)
        sys.setswitchinterval(USUAL)
