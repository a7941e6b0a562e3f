"""K3: where order matters, what lies on disk goes before what is in memory, and before what is new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from breaker_exporter import CircuitState
from breaker_exporter._spool.spool import Spool

from ..retention._retaining import ANSWERED, DELIVERED, UNREACHABLE, InOrder, batch
from ..semantics._deadlines import until_passed
from ..semantics._exporters import SUCCESS
from ..semantics._waiting import Gate, until
from ._storing import Storing, names_on

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from breaker_exporter import CircuitBreakerSpanExporter
    from breaker_exporter.testing import ManualClock

    Make = Callable[..., CircuitBreakerSpanExporter]

pytestmark = pytest.mark.usefixtures("looks_often")


def _spooled(make: Make, clock: ManualClock, inner: Storing, **arguments: Any) -> CircuitBreakerSpanExporter:
    """An exporter with an open circuit, and a file each of batches a, b and c."""
    exporter = make(inner, kind=InOrder, failure_threshold=1, clock=clock, **arguments)
    for number, name in enumerate(("a", "b", "c"), 1):
        assert exporter.export(batch(name)) is SUCCESS
        until(lambda number=number: exporter.health().spooled == number)  # type: ignore[misc]
    return exporter


def test_the_probe_and_what_follows_are_the_oldest_files(
    make: Make, clock: ManualClock, moved: ManualClock
) -> None:
    inner = Storing([UNREACHABLE, UNREACHABLE])
    exporter = _spooled(make, clock, inner)

    clock.advance(60)
    until(lambda: exporter.health().consecutive_failures == 2)
    clock.advance(60)

    until_passed(moved, lambda: len(inner.accepted) == 3)
    assert inner.accepted == ["a", "b", "c"]
    assert exporter.export(batch("d")) is SUCCESS
    until_passed(moved, lambda: inner.accepted == ["a", "b", "c", "d"])


def test_a_file_that_the_backend_answers_with_an_error_keeps_the_others_from_no_probe(
    make: Make, clock: ManualClock, moved: ManualClock
) -> None:
    """K14: it may be why."""
    inner = Storing([UNREACHABLE], default=lambda payload: ANSWERED if payload.names == ("a",) else DELIVERED)
    _spooled(make, clock, inner)

    def others_are_accepted() -> bool:
        clock.advance(60)
        return len(inner.accepted) == 2

    until_passed(moved, others_are_accepted)

    assert inner.accepted == ["b", "c"]


def test_what_comes_while_files_lie_there_goes_behind_them(
    make: Make, clock: ManualClock, moved: ManualClock
) -> None:
    inner = Storing([UNREACHABLE])
    exporter = _spooled(make, clock, inner)
    gate = Gate()
    inner.default = lambda payload: DELIVERED if payload.names == ("a",) else gate.wait() and DELIVERED

    clock.advance(60)
    until_passed(moved, lambda: len(inner.sent) == 3)
    assert exporter.state is CircuitState.CLOSED
    assert exporter.export(batch("d")) is SUCCESS
    gate.open()

    until_passed(moved, lambda: len(inner.accepted) == 4)
    assert inner.accepted == ["a", "b", "c", "d"]


def test_who_cannot_send_the_files_sends_nothing_before_them(
    make: Make, clock: ManualClock, tmp_path: Path
) -> None:
    """K9: another process does, which has the lease. Not at the shutdown either."""
    inner = Storing([UNREACHABLE])
    _spooled(make, clock, inner, name="one")
    gate = Gate()
    inner.default = lambda _: gate.wait() and UNREACHABLE
    clock.advance(60)
    until(lambda: len(inner.sent) == 2)
    idle = Storing()
    beside = make(idle, kind=InOrder, name="one")
    custody = beside._guarded.guard.custody
    assert custody is not None
    beside._look_on_disk(batch("x")[0].resource)
    until(lambda: custody._store.disk.has_files)

    assert beside.export(batch("d")) is SUCCESS
    beside.shutdown(2_000)

    assert idle.sent == []
    assert names_on(tmp_path) == ["a", "b", "c", "d"]
    gate.open()


def test_a_disk_that_fails_holds_nothing_back(
    make: Make, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P5: what is in memory is sent, though what lies on disk is older."""
    inner = Storing([UNREACHABLE])
    exporter = _spooled(make, clock, inner)

    def broken(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    for method in ("names", "read", "write"):
        monkeypatch.setattr(Spool, method, broken)
    exporter.export(batch("d"))
    clock.advance(60)

    until(lambda: inner.accepted == ["d"])
