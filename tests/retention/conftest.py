"""Fixtures of the tests of retention: clocks to move, exporters that end with their test."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

import pytest

from breaker_exporter import CircuitBreakerSpanExporter, Retention
from breaker_exporter._core import sender_steps

from ..semantics._deadlines import moved_by_hand
from ..semantics._waiting import until
from ..semantics.conftest import batches, clock, deadlines, handle_when, no_error_is_logged
from ._retaining import sum_agrees

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.sdk.trace.export import SpanExporter

    from breaker_exporter.testing import ManualClock

__all__ = ["batches", "clock", "deadlines", "handle_when", "no_error_is_logged"]


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> Iterator[ManualClock]:
    """The clock of deadlines and of the pace, moved by the test; the sender looks at it all the time."""
    monkeypatch.setattr(sender_steps, "_LOOK_AGAIN", 0.005)
    with moved_by_hand() as moved:
        yield moved


@pytest.fixture
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender looks at the circuit's clock all the time, for tests that move that."""
    monkeypatch.setattr(sender_steps, "_LOOK_AGAIN", 0.005)


@pytest.fixture
def make() -> Iterator[Callable[..., CircuitBreakerSpanExporter]]:
    """Makes exporters that retain, and ends them with the test: sums agree, no thread of theirs stays."""
    made: list[CircuitBreakerSpanExporter] = []
    wrapped: list[Any] = []
    before = threading.active_count()

    def make(
        inner: object, *, kind: type = CircuitBreakerSpanExporter, **arguments: Any
    ) -> CircuitBreakerSpanExporter:
        settings: dict[str, Any] = {"retention": Retention(), "jitter": 0, "cooldown": 60, **arguments}
        exporter: CircuitBreakerSpanExporter = kind(cast("SpanExporter", inner), **settings)
        made.append(exporter)
        wrapped.append(inner)
        return exporter

    yield make
    for inner in wrapped:
        for end in ("release", "let_all_out"):
            if hasattr(inner, end):
                getattr(inner, end)()
    for exporter in made:
        assert sum_agrees(exporter.health()), exporter.health()
        exporter.shutdown(200)
        until(lambda exporter=exporter: exporter.health().in_flight == 0)  # type: ignore[misc]
        assert exporter.health().retained == 0
        assert sum_agrees(exporter.health()), exporter.health()
    until(lambda: threading.active_count() <= before)
