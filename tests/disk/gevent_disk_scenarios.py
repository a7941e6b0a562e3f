"""Retention on disk in a patched process (K8, K11, K13, K14). Each function is run by a process."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gevent

from breaker_exporter._concurrency import disk_job
from breaker_exporter._core import disk_backlog, sender_steps
from breaker_exporter._spool.spool import Spool
from breaker_exporter.testing import ManualClock

from ..retention._retaining import DELIVERED, UNREACHABLE, batch
from ..semantics._children import wait_for
from ..semantics._exporters import SUCCESS
from ..semantics._heartbeat import Heartbeat, assert_no_stall, quiet_gap
from ..semantics._waiting import Gate, until
from ._storing import Storing, exporter_on, files, names_on, sum_agrees

if TYPE_CHECKING:
    from collections.abc import Iterator

    from breaker_exporter import CircuitBreakerSpanExporter


@contextlib.contextmanager
def _directory() -> Iterator[Path]:
    often = sender_steps._LOOK_AGAIN, disk_backlog._LOOK_AGAIN
    sender_steps._LOOK_AGAIN = disk_backlog._LOOK_AGAIN = 0.005
    try:
        with tempfile.TemporaryDirectory() as directory:
            yield Path(directory)
    finally:
        sender_steps._LOOK_AGAIN, disk_backlog._LOOK_AGAIN = often


class _CountingGate(Gate):
    entered = 0


@contextlib.contextmanager
def _hanging(method: str) -> Iterator[_CountingGate]:
    """The disk has a tenth of a second for an order, and this waits at a native gate."""
    gate, real, limit, wait = _CountingGate(), getattr(Spool, method), disk_job.LIMIT, disk_backlog._WAIT
    ended: list[bool] = []

    def hanging(*arguments: Any, **keywords: Any) -> Any:
        gate.entered += 1
        try:
            assert gate.wait()
            return real(*arguments, **keywords)
        finally:
            ended.append(True)

    setattr(Spool, method, hanging)
    disk_job.LIMIT, disk_backlog._WAIT = 0.1, 0.02
    try:
        yield gate
    finally:
        gate.open()
        until(lambda: len(ended) == gate.entered)
        setattr(Spool, method, real)
        disk_job.LIMIT, disk_backlog._WAIT = limit, wait


def _greenlets_of(function: str) -> list[Any]:
    import gc

    return [
        known
        for known in gc.get_objects()
        if isinstance(known, gevent.Greenlet) and not known.dead and function in repr(known)
    ]


def _in_outage(
    directory: Path, clock: ManualClock, *names: str
) -> tuple[CircuitBreakerSpanExporter, Storing]:
    inner = Storing(default=UNREACHABLE)
    exporter = exporter_on(directory, inner, failure_threshold=1, clock=clock)
    for name in names:
        assert exporter.export(batch(name, 2)) is SUCCESS
        until(lambda: exporter.health().retained == 0)
    return exporter, inner


def _shut_down(exporter: CircuitBreakerSpanExporter, ended: list[bool]) -> None:
    exporter.shutdown(2_000)
    ended.append(True)


def what_is_kept_is_written_and_delivered_and_the_hub_is_not_held() -> None:
    quiet = quiet_gap()
    with _directory() as directory:
        clock = ManualClock()
        with Heartbeat() as heartbeat:
            exporter, inner = _in_outage(directory, clock, "a", "b", "c")
            assert len(files(directory)) == 3
            inner.default = DELIVERED
            clock.advance(60)
            until(lambda: exporter.health().exported == 6)
            until(lambda: files(directory) == [])
        assert_no_stall(heartbeat, quiet)
        assert exporter.health().recovered == 6
        exporter.shutdown(1_000)


def _a_hang_holds_nobody(method: str) -> None:
    quiet = quiet_gap()
    with _directory() as directory:
        clock = ManualClock()
        exporter, inner = _in_outage(directory, clock, "a")
        with _hanging(method) as gate, Heartbeat() as heartbeat:
            if method == "write":
                exporter.export(batch("b", 2))
            inner.default = DELIVERED
            clock.advance(60)
            until(lambda: gate.entered)
            exporter.export(batch("live", 3))
            until(lambda: exporter.health().exported >= 3)
            gevent.sleep(0.3)
            assert exporter.health().hung_calls == 0
            assert sum_agrees(exporter.health())
            with gevent.Timeout(1.5):
                exporter.shutdown(1_000)
        assert_no_stall(heartbeat, quiet)
        assert sum_agrees(exporter.health())


def a_hang_while_it_writes_holds_nobody() -> None:
    _a_hang_holds_nobody("write")


def a_hang_while_it_reads_holds_nobody() -> None:
    _a_hang_holds_nobody("read")


def a_hang_while_it_removes_holds_nobody() -> None:
    _a_hang_holds_nobody("remove")


def a_disk_worker_that_is_killed_in_the_middle_of_an_order_loses_nothing() -> None:
    with _directory() as directory:
        clock = ManualClock()
        exporter, inner = _in_outage(directory, clock, "a")
        with _hanging("write") as gate:
            disk_job.LIMIT = 60.0
            exporter.export(batch("b", 2))
            gevent.sleep(0.05)
            killed = [each for each in _greenlets_of("_work") if not each.dead]
            assert killed
            gevent.killall(killed, timeout=10)
            gate.open()
            exporter.export(batch("c", 2))
            until(lambda: exporter.health().spooled == 6)
        assert sorted(names_on(directory)) == sorted("aabbcc")
        inner.default = DELIVERED
        clock.advance(60)
        exporter.export(batch("live"))
        until(lambda: exporter.health().exported == 7)
        exporter.shutdown(1_000)


def a_disk_worker_that_is_killed_while_it_reads_goes_on() -> None:
    """Without another export: the sender wakes it."""
    with _directory() as directory:
        clock = ManualClock()
        exporter, inner = _in_outage(directory, clock, "a", "b")
        guard = exporter._guarded.guard
        assert guard.custody is not None
        inner.default = DELIVERED
        with _hanging("read") as gate:
            disk_job.LIMIT = 60.0
            clock.advance(60)
            gevent.sleep(0.05)
            disk = guard.custody._store.disk
            assert isinstance(disk, disk_backlog.DiskBacklog)
            assert disk._run.is_busy
            for each in _greenlets_of("_work"):
                if disk._worker._parker is not None:
                    each.kill(timeout=10)
            gate.open()
            exporter.export(batch("live"))
            until(lambda: exporter.health().exported == 5)
        exporter.shutdown(1_000)


def a_caller_that_is_killed_while_its_batch_is_written_leaves_it_there() -> None:
    with _directory() as directory:
        gate = Gate()
        inner = Storing(default=lambda _: gate.wait() and DELIVERED)
        exporter = exporter_on(directory, inner, export_timeout=30)
        caller = gevent.spawn(exporter.export, batch("a", 3))
        until(lambda: exporter.health().spooled == 3)  # a call longer than a second
        caller.kill(timeout=10)
        assert sum_agrees(exporter.health())
        assert len(files(directory)) == 1
        gate.open()
        until(lambda: exporter.health().exported == 3)
        until(lambda: files(directory) == [])
        exporter.shutdown(1_000)


def a_shutdown_that_is_killed_while_the_disk_hangs_is_accounted_for() -> None:
    with _directory() as directory:
        exporter, _ = _in_outage(directory, ManualClock(), "a")
        with _hanging("write"):
            disk_job.LIMIT = 60.0
            exporter.export(batch("b", 2))
            ending = gevent.spawn(exporter.shutdown, 20_000)
            gevent.sleep(0.1)
            ending.kill(timeout=10)
            until(lambda: exporter.health().retained == 0)
            assert (exporter.health().spooled, exporter.health().dropped) == (2, 2)
        until(lambda: len(files(directory)) == 1)
        assert sum_agrees(exporter.health())


def a_shutdown_on_the_hub_itself_writes_what_is_here() -> None:
    with _directory() as directory:
        exporter, _ = _in_outage(directory, ManualClock(), "a")
        exporter.export(batch("b", 2))
        ended: list[bool] = []
        gevent.get_hub().loop.run_callback(partial(_shut_down, exporter, ended))
        until(lambda: ended)
        assert (exporter.health().spooled, exporter.health().dropped) == (4, 0)
        assert sorted(names_on(directory)) == sorted("aabb")


def a_shutdown_in_a_signal_handler_writes_what_is_here() -> None:
    with _directory() as directory:
        exporter, _ = _in_outage(directory, ManualClock(), "a")
        exporter.export(batch("b", 2))
        ended: list[bool] = []
        before = signal.signal(signal.SIGTERM, lambda *_: _shut_down(exporter, ended))
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            until(lambda: ended)
        finally:
            signal.signal(signal.SIGTERM, before)
        assert (exporter.health().spooled, exporter.health().dropped) == (4, 0)


def a_child_forked_while_an_order_is_out_says_nothing_and_writes_its_own() -> None:
    import io
    import logging

    said = io.StringIO()
    handler = logging.StreamHandler(said)
    logging.getLogger("breaker_exporter").addHandler(handler)
    with _directory() as directory:
        exporter, _ = _in_outage(directory, ManualClock(), "a")
        with _hanging("write") as gate:
            disk_job.LIMIT = 60.0
            exporter.export(batch("parent", 2))
            gevent.sleep(0.05)
            pid = os.fork()
            if pid == 0:
                gate.open()
                gevent.sleep(0.3)
                clean = "disk" not in said.getvalue() and exporter.health().received == 0
                exporter.export(batch("child", 3))
                until(lambda: exporter.health().spooled == 3)
                mine = names_on(directory).count("child") == 3 and "parent" not in names_on(directory)
                os._exit(0 if clean and mine else 70)
            assert wait_for(pid) == 0
        until(lambda: exporter.health().spooled == 4)
        exporter.shutdown(1_000)
    logging.getLogger("breaker_exporter").removeHandler(handler)


def a_child_forked_under_the_lease_leaves_it_to_its_parent() -> None:
    with _directory() as directory:
        clock = ManualClock()
        exporter, inner = _in_outage(directory, clock, "a", "b")
        gate = Gate()
        inner.default = lambda _: gate.wait() and DELIVERED
        sent = len(inner.sent)
        clock.advance(60)
        until(lambda: len(inner.sent) > sent)
        pid = os.fork()
        if pid == 0:
            gate.open()
            before = list(inner.sent)
            gevent.sleep(0.3)
            os._exit(0 if inner.sent == before and exporter.health().recovered == 0 else 70)
        assert wait_for(pid) == 0
        gate.open()
        until(lambda: exporter.health().exported == 4)
        until(lambda: files(directory) == [])
        exporter.shutdown(1_000)
