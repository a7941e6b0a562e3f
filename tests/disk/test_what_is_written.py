"""K7, K8: what goes to disk, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState, Retention
from breaker_exporter._core.payload import Delivery
from breaker_exporter.testing import ScriptedExporter

from ..retention._retaining import DELIVERED, REJECTED, UNKNOWN, UNREACHABLE, Encoded, batch
from ..semantics._exporters import FAILURE, SUCCESS
from ..semantics._waiting import Gate, start, until
from ._storing import Storing, files, sum_agrees

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from breaker_exporter.testing import ManualClock

    Make = Callable[..., CircuitBreakerSpanExporter]


def test_a_healthy_service_writes_nothing(make: Make, tmp_path: Path) -> None:
    exporter = make(Storing())
    for _ in range(20):
        assert exporter.export(batch("a", 3)) is SUCCESS

    assert list(tmp_path.iterdir()) == []
    assert exporter.health().exported == 60


def test_a_batch_whose_first_attempt_failed_is_written_and_then_no_longer_this_process_s(
    make: Make, tmp_path: Path
) -> None:
    inner = Storing(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1)

    assert exporter.export(batch("a", 3)) is SUCCESS

    until(lambda: exporter.health().spooled == 3)
    health = exporter.health()
    assert (health.received, health.retained, health.retained_bytes, health.in_flight) == (3, 0, 0, 0)
    assert len(files(tmp_path)) == 1
    assert inner.released == [("a", "a", "a")]
    assert inner.dropped == []


def test_while_the_circuit_is_open_batches_are_written_as_they_come(make: Make, tmp_path: Path) -> None:
    exporter = make(Storing(default=UNREACHABLE), failure_threshold=1)
    for name in "abc":
        exporter.export(batch(name))
        until(lambda: exporter.health().retained == 0)

    assert exporter.state is CircuitState.OPEN
    assert len(files(tmp_path)) == 3
    assert exporter.health().spooled == 3


def test_what_was_written_is_delivered_and_its_file_goes(
    make: Make, tmp_path: Path, clock: ManualClock, looks_often: None
) -> None:
    """K14: an idle service, all of whose items lie on disk."""
    inner = Storing(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock)
    for name in "abc":
        exporter.export(batch(name, 2))
        until(lambda: exporter.health().retained == 0)
    inner.default = DELIVERED

    clock.advance(60)

    until(lambda: exporter.health().exported == 6)
    until(lambda: files(tmp_path) == [])
    health = exporter.health()
    assert (health.received, health.recovered, health.spooled) == (6, 6, 6)
    assert health.state is CircuitState.CLOSED
    assert inner.accepted == ["c", "c", "a", "a", "b", "b"]  # the probe is the newest


def test_a_call_longer_than_a_second_is_written_while_it_is_out(
    make: Make, tmp_path: Path, moved: ManualClock
) -> None:
    """K8: a SIGKILL costs no batch that has come more than a second ago."""
    gate = Gate()
    inner = Storing(default=lambda _: gate.wait() and DELIVERED)
    exporter = make(inner)
    caller = start(lambda: exporter.export(batch("a", 3)))
    until(lambda: inner.sent)

    moved.advance(1.1)

    assert caller.result(20) is SUCCESS
    until(lambda: exporter.health().spooled == 3)
    assert len(files(tmp_path)) == 1
    assert (exporter.health().in_flight, exporter.health().exported) == (0, 0)
    gate.open()
    until(lambda: exporter.health().exported == 3)
    assert exporter.health().recovered == 3
    assert files(tmp_path) == []


def test_what_waits_a_second_behind_a_call_that_hangs_is_written(
    make: Make, tmp_path: Path, moved: ManualClock
) -> None:
    gate = Gate()
    inner = Storing(default=lambda _: gate.wait() and DELIVERED)
    exporter = make(inner)
    caller = start(lambda: exporter.export(batch("hangs", 3)))
    until(lambda: inner.sent)
    moved.advance(1.0)
    assert caller.result(20) is SUCCESS
    assert exporter.export(batch("behind", 2)) is SUCCESS

    moved.advance(1.1)

    until(lambda: exporter.health().spooled == 5)
    assert len(files(tmp_path)) == 2
    gate.open()
    until(lambda: moved.advance(0.1) or exporter.health().exported == 5)  # type: ignore[func-returns-value]


def test_a_call_that_fails_after_its_batch_was_written_leaves_the_file(
    make: Make, tmp_path: Path, moved: ManualClock, clock: ManualClock
) -> None:
    gate = Gate()
    inner = Storing(default=lambda payload: gate.wait() and Delivery(UNREACHABLE, payload))
    exporter = make(inner, failure_threshold=1, clock=clock)
    caller = start(lambda: exporter.export(batch("a", 3)))
    until(lambda: inner.sent)
    moved.advance(1.1)
    assert caller.result(20) is SUCCESS
    until(lambda: exporter.health().spooled == 3)

    gate.open()

    until(lambda: exporter.state is CircuitState.OPEN)
    health = exporter.health()
    assert (health.retained, health.spooled, health.recovered, health.in_flight) == (0, 3, 0, 0)
    assert len(files(tmp_path)) == 1
    inner.default = DELIVERED
    clock.advance(60)
    until(lambda: moved.advance(0.1) or exporter.health().exported == 3)  # type: ignore[func-returns-value]


def test_batches_of_few_items_share_a_file(
    make: Make, tmp_path: Path, clock: ManualClock, looks_often: None
) -> None:
    """Whoever exports span by span would make a file for each."""
    gate = Gate()
    inner = Storing(default=lambda payload: gate.wait() and Delivery(UNREACHABLE, payload))
    exporter = make(inner, failure_threshold=1, clock=clock)
    first = start(lambda: exporter.export(batch("first")))
    until(lambda: inner.sent)
    for number in range(20):
        exporter.export(batch(str(number)))
    gate.open()
    first.result(20)

    until(lambda: exporter.health().spooled == 21)

    assert len(files(tmp_path)) < 10
    inner.default = DELIVERED
    clock.advance(60)
    until(lambda: exporter.health().exported == 21)
    assert sorted(inner.accepted) == sorted(["first", *map(str, range(20))])


def test_what_is_too_large_for_a_file_stays_in_memory(make: Make, tmp_path: Path) -> None:
    inner = Storing(default=UNREACHABLE)
    inner.largest = 3
    exporter = make(inner, failure_threshold=1)

    exporter.export(batch("large", 4))
    exporter.export(batch("small", 3))

    until(lambda: exporter.health().spooled == 3)
    assert exporter.health().retained == 4
    assert len(files(tmp_path)) == 1


def test_what_the_backend_rejects_goes_from_the_disk_too(
    make: Make, tmp_path: Path, clock: ManualClock, looks_often: None
) -> None:
    inner = Storing([UNREACHABLE], default=REJECTED)
    exporter = make(inner, failure_threshold=1, clock=clock)
    exporter.export(batch("a", 3))
    until(lambda: exporter.health().spooled == 3)

    clock.advance(60)

    until(lambda: exporter.health().failed == 3)
    assert files(tmp_path) == []
    assert exporter.health().recovered == 3


def test_of_a_partial_answer_the_rest_is_written_anew(
    make: Make, tmp_path: Path, clock: ManualClock, looks_often: None
) -> None:
    def part(payload: Encoded) -> Delivery:
        return Delivery(DELIVERED, Encoded(payload.names[2:], item_size=10))

    inner = Storing([UNREACHABLE], default=part)
    exporter = make(inner, failure_threshold=1, clock=clock)
    exporter.export(batch("a", 5))
    until(lambda: exporter.health().spooled == 5)

    clock.advance(60)

    until(lambda: exporter.health().exported == 2)
    until(lambda: exporter.health().recovered >= 5)
    assert sum_agrees(exporter.health())
    assert exporter.health().recovered - exporter.health().exported <= 3
    inner.default = DELIVERED
    until(lambda: exporter.health().exported == 5)
    until(lambda: files(tmp_path) == [])
    assert exporter.health().failed == 0


def test_an_exporter_that_cannot_encode_takes_no_directory(tmp_path: Path) -> None:
    """K15."""
    with pytest.raises(ValueError, match="retention must have no directory for ScriptedExporter"):
        CircuitBreakerSpanExporter(ScriptedExporter(), retention=Retention(directory=tmp_path))


def test_what_may_be_there_is_said_to_be_sent_again_by_whoever_sends_it(
    make: Make, clock: ManualClock, looks_often: None
) -> None:
    """K2: also from the disk."""
    inner = Storing([UNKNOWN, UNREACHABLE])
    exporter = make(inner, failure_threshold=2, clock=clock)
    exporter.export(batch("unknown", 3))
    until(lambda: exporter.state is CircuitState.OPEN or len(inner.sent) == 2 or exporter.export(batch("x")))
    until(lambda: exporter.health().retained == 0)
    exporter.shutdown()
    after = make(Storing())

    after._look_on_disk(batch("x")[0].resource)

    until(lambda: after.health().exported == exporter.health().spooled - exporter.health().recovered)
    assert after.health().resent == 3


def test_what_is_sent_again_in_vain_from_the_disk_is_counted_too(
    make: Make, clock: ManualClock, tmp_path: Path, looks_often: None
) -> None:
    """K2: the backend may have it once more with each call."""
    inner = Storing(default=UNKNOWN)
    exporter = make(inner, failure_threshold=1, clock=clock)
    exporter.export(batch("a", 3))
    until(lambda: exporter.health().spooled == 3)

    def probe(calls: int, resent: int) -> None:
        clock.advance(60)
        until(lambda: len(inner.sent) == calls)
        until(lambda: exporter.health().resent == resent)

    probe(calls=2, resent=3)
    probe(calls=3, resent=6)

    health = exporter.health()
    assert (health.recovered, health.in_flight, len(files(tmp_path))) == (0, 0, 1)
    assert health.last_failure_at is not None


def test_what_only_looks_like_a_batch_raises_nothing(make: Make) -> None:
    """P1: the directory is named by a batch's resource, which this has not."""
    exporter = make(Storing())
    nonsense: Any = {"no": "span"}

    assert exporter.export(nonsense) is FAILURE

    assert exporter.health().failed == 1
