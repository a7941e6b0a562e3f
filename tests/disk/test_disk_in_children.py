"""K11: a forked child has none of its parent's batches, files in hand, lease or orders."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from breaker_exporter._core.payload import Delivery
from breaker_exporter._spool import lease

from ..retention._retaining import DELIVERED, UNREACHABLE, batch
from ..semantics._children import in_child, wait_for
from ..semantics._exporters import SUCCESS
from ..semantics._waiting import Gate, start, until
from ._storing import Storing, files, names_on, sum_agrees

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from breaker_exporter import CircuitBreakerSpanExporter
    from breaker_exporter.testing import ManualClock

    from .conftest import Hang

    Make = Callable[..., CircuitBreakerSpanExporter]


def test_a_child_forked_while_a_file_is_written_writes_its_own(
    make: Make, hang: Callable[[str], Hang], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hung = hang("write")
    exporter = make(Storing(default=UNREACHABLE), failure_threshold=1)
    exporter.export(batch("parent", 2))
    until(lambda: hung.entered)

    def check() -> None:
        hung.gate.open()
        health = exporter.health()
        assert (health.received, health.retained, health.spooled) == (0, 0, 0)
        assert exporter.export(batch("child", 3)) is SUCCESS
        until(lambda: exporter.health().spooled == 3)
        assert sum_agrees(exporter.health())
        assert names_on(tmp_path) == ["child"] * 3
        assert "does not answer" not in caplog.text

    in_child(check)
    assert names_on(tmp_path) == ["child"] * 3
    hung.gate.open()
    until(lambda: exporter.health().spooled + exporter.health().retained == 2)


def test_a_child_forked_under_the_lease_has_no_part_in_it(
    make: Make, tmp_path: Path, clock: ManualClock, looks_often: None
) -> None:
    """The parent's call is out with a batch of the disk."""
    inner = Storing(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock)
    for name in "ab":
        exporter.export(batch(name, 2))
        until(lambda: exporter.health().retained == 0)
    gate = Gate()
    inner.default = lambda _: gate.wait() and DELIVERED
    sent = len(inner.sent)
    clock.advance(60)
    until(lambda: len(inner.sent) > sent)

    def check() -> None:
        assert lease._registry() == {}
        gate.open()
        inner.default = UNREACHABLE
        exporter.export(batch("child"))
        until(lambda: exporter.health().spooled == 1)
        inner.default = DELIVERED
        clock.advance(60)
        assert exporter.health().recovered == 0  # the lease is its parent's
        exporter.shutdown(1_000)

    in_child(check)
    gate.open()
    until(lambda: exporter.health().exported >= 4)
    until(lambda: files(tmp_path) == [])


def test_a_child_forked_with_a_batch_read_ahead_does_not_send_it(
    make: Make, tmp_path: Path, clock: ManualClock, moved: ManualClock
) -> None:
    inner = Storing(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock)
    for name in "abc":
        exporter.export(batch(name, 2))
        until(lambda: exporter.health().retained == 0)
    custody = exporter._guarded.guard.custody
    assert custody is not None
    inner.default = DELIVERED
    clock.advance(60)
    until(lambda: exporter.health().exported == 2)  # the probe
    moved.advance(0.96)  # a replay is due within a second of that
    until(lambda: custody._store.disk.ahead is not None)

    def check() -> None:
        sent = len(inner.sent)
        moved.advance(10)
        health = exporter.health()
        assert (health.received, health.recovered, health.in_flight) == (0, 0, 0)
        exporter.export(batch("child"))
        assert exporter.health().exported == 1
        assert inner.sent[sent:] == [("child",)]

    in_child(check)
    while exporter.health().exported < 6:
        moved.advance(0.5)
    assert sorted(inner.accepted) == sorted("aabbcc")


def test_a_fork_while_a_batch_is_made_bytes_leaves_one_file(make: Make, tmp_path: Path) -> None:
    """On the disk thread, in code of the exporter's: the child must not write its parent's batch."""
    children: list[int] = []

    class Forks(Storing):
        def dump_payload(self, payload: object) -> bytes:
            data = super().dump_payload(payload)  # type: ignore[arg-type]
            if not children and (pid := os.fork()):
                children.append(pid)
            return data

        encode_batch = Storing.encode_batch
        send_payload = Storing.send_payload
        drop_payload = Storing.drop_payload
        join_payloads = Storing.join_payloads
        load_payload = Storing.load_payload
        release_payload = Storing.release_payload
        signal = Storing.signal

    exporter = make(Forks(default=UNREACHABLE), failure_threshold=1)
    exporter.export(batch("a", 2))

    until(lambda: exporter.health().spooled == 2)
    until(lambda: children)
    wait_for(children[0])
    assert names_on(tmp_path) == ["a", "a"]


def test_a_fork_while_a_batch_is_loaded_sends_it_once(
    make: Make, tmp_path: Path, clock: ManualClock, looks_often: None
) -> None:
    children: list[int] = []

    class Forks(Storing):
        def load_payload(self, data: bytes, rest: Callable[[], None]) -> object:  # type: ignore[override]
            payload = super().load_payload(data, rest)
            if not children and (pid := os.fork()):
                children.append(pid)
            return payload

        encode_batch = Storing.encode_batch
        send_payload = Storing.send_payload
        drop_payload = Storing.drop_payload
        join_payloads = Storing.join_payloads
        dump_payload = Storing.dump_payload
        release_payload = Storing.release_payload
        signal = Storing.signal

    sending = tmp_path / "sent"

    def take(payload: object) -> object:
        with sending.open("a") as file:
            file.write("x")
        return DELIVERED

    inner = Forks(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, clock=clock)
    exporter.export(batch("a", 2))
    until(lambda: exporter.health().spooled == 2)
    inner.default = take
    clock.advance(60)

    until(lambda: exporter.health().exported == 2)
    wait_for(children[0])
    assert sending.read_text() == "x"
    assert files(tmp_path) == []


def test_a_child_of_an_idle_parent_sends_what_lies_there(make: Make, tmp_path: Path) -> None:
    """K14: nobody calls start() in a worker of zero code; its first export looks."""
    before = make(Storing(default=UNREACHABLE), failure_threshold=1)
    before.export(batch("left", 2))
    before.shutdown()
    inner = Storing()
    exporter = make(inner)

    def check() -> None:
        exporter.export(batch("live"))
        until(lambda: exporter.health().exported == 3)
        assert sorted(inner.accepted) == ["left", "left", "live"]

    in_child(check)
    assert files(tmp_path) == []


def test_a_parent_that_exports_before_it_forks_leaves_the_look_to_its_child_too(
    make: Make, tmp_path: Path
) -> None:
    inner = Storing()
    exporter = make(inner)
    exporter.export(batch("parent"))
    before = make(Storing(default=UNREACHABLE), failure_threshold=1)
    before.export(batch("left", 2))
    before.shutdown()

    def check() -> None:
        exporter.export(batch("live"))
        until(lambda: exporter.health().exported == 3)

    in_child(check)


def test_a_child_of_a_parent_in_an_outage_keeps_its_own(make: Make, tmp_path: Path) -> None:
    gate = Gate()
    inner = Storing(default=lambda payload: gate.wait() and Delivery(UNREACHABLE, payload))
    exporter = make(inner, failure_threshold=1)
    caller = start(lambda: exporter.export(batch("parent", 2)))
    until(lambda: inner.sent)

    def check() -> None:
        gate.open()
        exporter.export(batch("child", 3))
        exporter.shutdown(1_000)
        health = exporter.health()
        assert (health.spooled, health.dropped) == (3, 0)

    in_child(check)
    assert names_on(tmp_path).count("child") == 3
    gate.open()
    assert caller.result(20) is SUCCESS
    until(lambda: exporter.health().spooled == 2)
