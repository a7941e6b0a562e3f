"""K3: where a backend refuses what is older than what it has, as those of metrics do, order is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from breaker_exporter import CircuitBreakerMetricExporter, CircuitState
from breaker_exporter._core import replay_pace
from breaker_exporter._core.backlog import Backlog
from breaker_exporter._core.budget import Budget
from breaker_exporter._core.choice import Choice
from breaker_exporter._core.no_disk import NoDisk
from breaker_exporter._core.replay_pace import ReplayPace
from breaker_exporter._core.retention_settings import Keep
from breaker_exporter._core.store import Store
from breaker_exporter.testing import ScriptedExporter

from .._signals import PlayingMetrics
from ..semantics._children import in_child
from ..semantics._deadlines import until_passed
from ..semantics._exporters import SUCCESS
from ..semantics._waiting import Gate, start, until
from ._retaining import ANSWERED, DELIVERED, UNREACHABLE, Encoded, Encoding, InOrder, batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from breaker_exporter import CircuitBreakerSpanExporter
    from breaker_exporter.testing import ManualClock

    Make = Callable[..., CircuitBreakerSpanExporter]

pytestmark = pytest.mark.usefixtures("looks_often", "at_any_pace")


@pytest.fixture
def at_any_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_pace, "_LONGEST_GAP", 0.005)


def _sent(inner: Encoding) -> list[str]:
    return [names[0] for names in inner.sent]


def test_metrics_are_kept_in_order() -> None:
    assert CircuitBreakerMetricExporter(PlayingMetrics(ScriptedExporter()))._contract.in_order


def test_each_probe_is_with_the_oldest_and_the_others_follow(make: Make, clock: ManualClock) -> None:
    inner = Encoding([UNREACHABLE] * 3)
    exporter = make(inner, kind=InOrder, failure_threshold=1, clock=clock)
    for name in ("a", "b", "c"):
        assert exporter.export(batch(name)) is SUCCESS

    for failures in (2, 3):
        clock.advance(60)
        until(lambda failures=failures: exporter.health().consecutive_failures == failures)  # type: ignore[misc]
    clock.advance(60)

    until(lambda: exporter.health().exported == 3)
    assert _sent(inner) == ["a", "a", "a", "a", "b", "c"]


def test_what_the_backend_answered_with_an_error_keeps_the_others_from_no_probe(
    make: Make, clock: ManualClock
) -> None:
    """K14: it may be why."""
    inner = Encoding(
        default=lambda payload: ANSWERED if payload.names == ("poison",) else DELIVERED,
    )
    exporter = make(inner, kind=InOrder, failure_threshold=1, clock=clock)
    for name in ("poison", "b"):
        exporter.export(batch(name))

    clock.advance(60)
    until(lambda: exporter.health().consecutive_failures == 2)
    clock.advance(60)

    until(lambda: exporter.health().exported == 1)
    assert _sent(inner)[:3] == ["poison", "poison", "b"]


def test_a_new_batch_goes_behind_those_that_are_kept(make: Make, moved: ManualClock) -> None:
    inner = Encoding()
    gate = Gate()
    inner.default = lambda _: gate.wait() and DELIVERED
    exporter = make(inner, kind=InOrder)
    first = start(lambda: exporter.export(batch("first")))
    until(lambda: inner.sent)
    moved.advance(1.1)
    assert first.result(20) is SUCCESS
    for name in ("a", "b", "c", "d", "e"):
        assert exporter.export(batch(name)) is SUCCESS

    gate.open()

    until_passed(moved, lambda: exporter.health().exported == 6)
    assert _sent(inner) == ["first", "a", "b", "c", "d", "e"]
    assert exporter.state is CircuitState.CLOSED


def test_at_the_shutdown_the_oldest_goes_first(make: Make, moved: ManualClock) -> None:
    inner = Encoding()
    gate = Gate()
    inner.script = [UNREACHABLE]
    inner.default = lambda _: gate.wait() and DELIVERED
    exporter = make(inner, kind=InOrder, failure_threshold=5)
    for name in ("a", "b", "c"):
        exporter.export(batch(name))
    gate.open()

    start(lambda: exporter.shutdown(20_000)).result(20)

    assert exporter.health().exported == 3
    assert _sent(inner) == ["a", "a", "b", "c"]


def test_where_no_thread_sends_the_oldest_goes_first_in_a_child_too(make: Make) -> None:
    """K14: export sends on its caller's time then. R5."""
    inner = Encoding()
    exporter = make(inner, kind=InOrder, failure_threshold=5)

    def check() -> None:
        inner.script, inner.sent = [UNREACHABLE] * 2, []
        custody = exporter._guarded.guard.custody
        assert custody is not None
        custody._sender.stop()
        for name in ("a", "b"):
            assert exporter.export(batch(name)) is SUCCESS
        assert _sent(inner) == ["a", "a", "a", "b"]

    in_child(check)
    check()


class _Unread(NoDisk):
    has_files = has_readable_files = True


def test_what_is_in_memory_waits_until_the_files_that_lie_there_are_read() -> None:
    backlog = Backlog(Budget(10_000, Keep.NEWEST), lambda parcel: None)
    store = Store(backlog)
    store.disk = _Unread()
    choice = Choice(store, ReplayPace(4.0), in_order=True)
    parcel = backlog.take_in(Encoded(("a",)), 100.0, 0.0, 0)
    assert parcel is not None
    backlog.end_call(parcel, parcel.payload)

    assert choice.next(None, 100.0)[0] is None

    store.disk = NoDisk()
    assert choice.next(None, 100.0)[0] is parcel
