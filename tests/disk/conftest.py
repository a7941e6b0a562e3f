"""Fixtures of the tests of retention on disk: exporters that end with their test, and whose sums agree."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from breaker_exporter._concurrency import disk_job
from breaker_exporter._core import disk_backlog, disk_health, sender_steps
from breaker_exporter._spool import lease
from breaker_exporter._spool.spool import Spool

from ..semantics._deadlines import moved_by_hand
from ..semantics._waiting import Gate, until
from ..semantics.conftest import batches, clock, handle_when, no_error_is_logged
from ._storing import exporter_on, sum_agrees

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from breaker_exporter import CircuitBreakerSpanExporter
    from breaker_exporter.testing import ManualClock

__all__ = ["batches", "clock", "handle_when", "no_error_is_logged"]


@pytest.fixture
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sender and disk look at the circuit's clock all the time, for tests that move that."""
    monkeypatch.setattr(sender_steps, "_LOOK_AGAIN", 0.005)
    monkeypatch.setattr(disk_backlog, "_LOOK_AGAIN", 0.005)


@pytest.fixture
def moved(looks_often: None) -> Iterator[ManualClock]:
    """The clock of deadlines and of the pace, moved by the test."""
    with moved_by_hand() as moved:
        yield moved


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., CircuitBreakerSpanExporter]]:
    """Makes exporters that keep on disk, and ends them with the test: sums agree, no thread stays."""
    made: list[CircuitBreakerSpanExporter] = []
    wrapped: list[Any] = []
    before = threading.active_count()

    def make(inner: object, **arguments: Any) -> CircuitBreakerSpanExporter:
        exporter = exporter_on(tmp_path, inner, **arguments)
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
        exporter.shutdown(2_000)
        until(lambda exporter=exporter: exporter.health().in_flight == 0)  # type: ignore[misc]
        assert sum_agrees(exporter.health()), exporter.health()
        assert exporter.health().retained == 0
    until(lambda: threading.active_count() <= before)
    until(lambda: lease._registry() == {})  # nobody keeps the others of the host from sending


@pytest.fixture
def hang(
    make: Callable[..., CircuitBreakerSpanExporter], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Hang]]:
    """Makes a method of the spool hang; the disk has a tenth of a second for an order."""
    monkeypatch.setattr(disk_job, "LIMIT", 0.1)
    monkeypatch.setattr(disk_backlog, "_WAIT", 0.02)
    made: list[Hang] = []

    def hang(method: str) -> Hang:
        made.append(Hang(method, monkeypatch))
        return made[-1]

    yield hang
    for each in made:
        each.gate.open()
    until(lambda: all(each.ended == each.entered for each in made))


class Hang:
    """A method of the spool that waits at a gate before it does its work.

    Attributes:
        entered: Number of calls so far.
        ended: Number of those that have returned or raised.
    """

    def __init__(self, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gate = Gate()
        self.entered = self.ended = 0
        real = getattr(Spool, method)

        def hanging(spool: Spool, *arguments: Any, **keywords: Any) -> Any:
            self.entered += 1
            try:
                assert self.gate.wait()
                return real(spool, *arguments, **keywords)
            finally:
                self.ended += 1

        monkeypatch.setattr(Spool, method, hanging)


@pytest.fixture
def tries_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that failed is tried again a tenth of a second later, one that was full too."""
    assert (disk_health._RETRY_AFTER, disk_health._WRITE_AFTER) == (60.0, 10.0)
    monkeypatch.setattr(disk_health, "_RETRY_AFTER", 0.1)
    monkeypatch.setattr(disk_health, "_WRITE_AFTER", 0.1)
    monkeypatch.setattr(disk_backlog, "_LOOK_AGAIN", 0.02)
