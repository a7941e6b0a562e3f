"""The sender's greenlet is killed (K14)."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

import gevent
import pytest

from breaker_exporter import CircuitBreakerSpanExporter, Retention
from breaker_exporter._core import custody, sender_steps
from breaker_exporter._core.sender import Sender
from breaker_exporter.testing import ManualClock, ScriptedExporter, fail

from ..semantics._spans import spans
from ..semantics._waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable


class _Noted(Sender):
    """A sender that knows its greenlets."""

    greenlets: list[Any]

    def __init__(self, name: str, step: Callable[[], float | None]) -> None:
        self.greenlets = made

        def noting() -> float | None:
            self.greenlets.append(gevent.getcurrent())
            return step()

        super().__init__(name, noting)


made: list[Any] = []


def woken_before_its_end_was_noticed() -> None:
    """An export in the same moment takes it for alive: it is started again all the same."""
    exporter, clock = _in_an_outage()

    made[-1].kill(timeout=20)
    exporter.export(spans(2))
    clock.advance(60)

    until(lambda: exporter.health().exported == 3)


def without_a_word() -> None:
    """gevent prints what ends a greenlet, unless it is killed."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        exporter, _ = _in_an_outage()
        gevent.sleep(0.01)
        made[-1].kill(timeout=20)
        gevent.sleep(0)

    assert exporter.health().retained == 1
    assert "failed with" not in said.getvalue()


def _in_an_outage() -> tuple[CircuitBreakerSpanExporter, ManualClock]:
    patch = pytest.MonkeyPatch()
    patch.setattr(custody, "Sender", _Noted)
    patch.setattr(sender_steps, "_LOOK_AGAIN", 0.005)
    clock = ManualClock()
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter([fail]), failure_threshold=1, clock=clock, retention=Retention()
    )
    exporter.export(spans(1))
    until(lambda: made)
    return exporter, clock
