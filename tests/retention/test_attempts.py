"""K1, C2: one attempt of the sender has `export_timeout`, and no longer, whoever waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from breaker_exporter import CircuitState

from ..semantics._exporters import SUCCESS, Gated
from ..semantics._spans import spans
from ..semantics._waiting import until
from ._retaining import overrun

if TYPE_CHECKING:
    from collections.abc import Callable

    from breaker_exporter import CircuitBreakerSpanExporter
    from breaker_exporter.testing import ManualClock

    Make = Callable[..., CircuitBreakerSpanExporter]


def test_a_caller_hears_of_an_overrun_when_it_happens(make: Make, deadlines: ManualClock) -> None:
    """Though it would have waited a second for the answer."""
    inner = Gated()
    exporter = make(inner, export_timeout=0.05)

    assert overrun(exporter, lambda: len(inner.calls), deadlines) is SUCCESS

    assert (exporter.state, exporter.health().hung_calls) == (CircuitState.OPEN, 1)


def test_a_call_of_the_sender_overruns_when_a_call_of_a_caller_would(
    make: Make, clock: ManualClock, deadlines: ManualClock
) -> None:
    inner = Gated()
    exporter = make(inner, export_timeout=0.05, clock=clock)
    overrun(exporter, lambda: len(inner.calls), deadlines)
    clock.advance(60)
    exporter.export(spans(1))
    inner.entered(2)
    assert exporter.health().hung_calls == 1

    deadlines.advance(0.05)

    until(lambda: exporter.health().hung_calls == 2)
    assert exporter.state is CircuitState.OPEN
