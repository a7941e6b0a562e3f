"""K2: an answer that comes after its call was given up, about a batch that another call has shortened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from breaker_exporter import ExportReport, Verdict
from breaker_exporter._core.payload import Delivery
from breaker_exporter._core.report import Cause

from ..semantics._exporters import Gated
from ..semantics._waiting import until
from ._retaining import DELIVERED, UNREACHABLE, Encoded, Encoding, overrun

if TYPE_CHECKING:
    from collections.abc import Callable

    from breaker_exporter import CircuitBreakerSpanExporter
    from breaker_exporter.testing import ManualClock

    Make = Callable[..., CircuitBreakerSpanExporter]


@pytest.mark.parametrize(
    ("late", "exported", "retained"),
    [(DELIVERED, 3, 0), (ExportReport(Verdict.DELIVERED, delivered=1), 2, 1)],
    ids=["accepted all", "accepted one of three"],
)
def test_it_settles_what_is_left_only_if_all_was_accepted(
    make: Make,
    clock: ManualClock,
    deadlines: ManualClock,
    looks_often: None,
    late: ExportReport,
    exported: int,
    retained: int,
) -> None:
    """Nobody knows whether the one that was accepted is the one that is left."""
    gated = Gated()

    def send(payload: Encoded) -> object:
        if len(inner.sent) == 1:
            gated.export(())
            return late
        if len(inner.sent) == 2:
            part = ExportReport(
                Verdict.FAILED, delivered=2, reason="connection refused", cause=Cause.UNREACHABLE
            )
            return Delivery(part, Encoded(payload.names[2:]))
        return UNREACHABLE

    inner = Encoding(default=send)
    exporter = make(inner, export_timeout=0.05, clock=clock)
    overrun(exporter, lambda: len(inner.sent), deadlines)
    clock.advance(60)
    until(lambda: exporter.health().exported == 2)
    gated.let_all_out()
    until(lambda: exporter.health().hung_calls == 0)

    health = exporter.health()
    assert (health.exported, health.failed, health.retained) == (exported, 0, retained)
