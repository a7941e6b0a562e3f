"""The disk thread beside a hub (K13). Each function is run by a patched process."""

from __future__ import annotations

import os
import tempfile
import time

import gevent

from breaker_exporter._concurrency import disk_thread
from breaker_exporter._concurrency.disk_thread import LIMIT, rest, start_job
from breaker_exporter._concurrency.parker import new_parker

from ._children import in_child
from ._cooperative import count_descriptors, count_threads, native_ident
from ._heartbeat import Heartbeat, assert_no_stall, quiet_gap
from ._waiting import Gate, until


def _nothing() -> None:
    pass


def _until_idle() -> None:
    until(lambda: disk_thread._disk._thread is None)


def a_disk_that_hangs_holds_no_hub_and_no_greenlet_that_has_waited_enough() -> None:
    quiet = quiet_gap()
    with tempfile.TemporaryDirectory() as folder, Heartbeat() as heartbeat:
        fifo = os.path.join(folder, "fifo")
        os.mkfifo(fifo)
        parker = new_parker()
        job = start_job(lambda _: os.open(fifo, os.O_WRONLY), parker.unpark)
        parker.park(0.3)
        assert not job.is_done
        assert job.is_late(time.monotonic() + LIMIT)
        reading = os.open(fifo, os.O_RDONLY)
        parker.park(20)
        os.close(job.result())
        os.close(reading)
    assert_no_stall(heartbeat, quiet)


def disk_work_runs_on_a_native_thread_that_ends_and_leaves_nothing_behind() -> None:
    def work(_: object) -> int:
        rest()
        return int(native_ident())

    gevent.get_hub().threadpool.apply(native_ident)
    _until_idle()
    before = (count_threads(), count_descriptors())
    for _ in range(10):
        job = start_job(work, _nothing)
        until(lambda job=job: job.is_done)  # type: ignore[misc]
        assert job.result() != native_ident()
    until(lambda: (count_threads(), count_descriptors()) == before)


def long_work_that_rests_lets_the_hub_run() -> None:
    quiet = quiet_gap()
    with Heartbeat() as heartbeat:
        beats: list[int] = []

        def work(_: object) -> None:
            until = time.perf_counter() + 0.2
            while time.perf_counter() < until:
                sum(range(5_000))
                rest()
            beats.append(heartbeat.beats)

        begun = heartbeat.beats
        job = start_job(work, _nothing)
        until(lambda: job.is_done)
        job.result()
    assert beats[0] > begun
    assert_no_stall(heartbeat, quiet)


def a_child_has_a_disk_thread_of_its_own() -> None:
    """R5: with work under way, and with greenlets of the parent's that go on to ask for it."""
    gate, begun = Gate(), Gate()

    def work(_: object) -> None:
        begun.open()
        gate.wait()

    job = start_job(work, _nothing)
    assert begun.wait()
    behind = start_job(lambda _: os.getpid(), _nothing)

    def check() -> None:
        assert job.is_late(time.monotonic())
        assert behind.give_up()
        own = start_job(lambda _: os.getpid(), _nothing)
        until(lambda: own.is_done)
        assert own.result() == os.getpid()

    in_child(check)
    gate.open()
    until(lambda: behind.is_done)
    assert behind.result() == os.getpid()
