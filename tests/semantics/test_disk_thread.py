"""K13: disk work runs on one native thread, which nobody waits for longer than they want to."""

from __future__ import annotations

import contextvars
import gc
import os
import signal
import threading
import time
import weakref
from typing import TYPE_CHECKING

import pytest

from breaker_exporter._concurrency import disk_job, disk_thread
from breaker_exporter._concurrency.disk_thread import LIMIT, DiskHangs, rest, run_here, start_job

from ._children import in_child, wait_for
from ._waiting import Gate, start, until
from .test_no_thread_to_be_had import no_new_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from breaker_exporter._concurrency.disk_thread import DiskJob


def nothing() -> None:
    pass


def is_idle() -> bool:
    return disk_thread._disk._thread is None


@pytest.fixture(autouse=True)
def idle_before_and_after() -> Iterator[None]:
    until(is_idle)
    yield
    until(is_idle)


class Slow:
    """Work that takes until it is let go of."""

    def __init__(self, undo: Callable[[str], object] | None = None) -> None:
        self.gate = Gate()
        self.is_unwanted: Callable[[], bool] | None = None
        self.undone: list[str] = []
        self.ended: list[bool] = []
        self.job = start_job(self, lambda: self.ended.append(True), undo=undo or self.undone.append)

    def __call__(self, is_unwanted: Callable[[], bool]) -> str:
        self.is_unwanted = is_unwanted
        assert self.gate.wait()
        return "done"

    def has_begun(self) -> Slow:
        until(lambda: self.is_unwanted)
        return self


def test_work_is_done_in_order_on_one_other_thread() -> None:
    seen: list[tuple[int, int]] = []
    slow = Slow()
    jobs = [
        start_job(lambda _, number=number: seen.append((number, threading.get_ident())), nothing)  # type: ignore[misc]
        for number in range(5)
    ]
    slow.gate.open()

    until(lambda: all(job.is_done for job in jobs))

    assert [number for number, _ in seen] == [0, 1, 2, 3, 4]
    assert len({thread for _, thread in seen}) == 1
    assert seen[0][1] != threading.get_ident()
    assert slow.job.result() == "done"


def test_the_thread_ends_when_nothing_is_left_to_do_and_another_starts() -> None:
    before = set(threading.enumerate())
    for number in range(3):
        job = start_job(lambda _, number=number: number, nothing)  # type: ignore[misc]
        until(is_idle)
        assert job.is_done
        assert job.result() == number
    until(lambda: not set(threading.enumerate()) - before)


def test_the_end_is_told_on_the_thread_when_the_result_is_there() -> None:
    told: list[tuple[bool, int]] = []
    jobs: list[DiskJob[int]] = []
    gate = Gate()
    jobs.append(
        start_job(
            lambda _: gate.wait() and threading.get_ident(),
            lambda: told.append((jobs[0].is_done, threading.get_ident())),
        )
    )
    gate.open()
    until(lambda: told)
    assert told == [(True, jobs[0].result())]


def test_what_the_work_raises_is_the_result_and_ends_the_thread_for_nobody() -> None:
    def fail(_: object) -> None:
        raise SystemExit("broken")

    def fail_to_hear() -> None:
        raise SystemExit("not heard")

    slow = Slow()
    failing = start_job(fail, fail_to_hear)
    other = start_job(lambda _: threading.get_ident(), nothing)
    slow.gate.open()
    until(lambda: other.is_done)
    with pytest.raises(SystemExit, match="broken"):
        failing.result()


@pytest.mark.parametrize("is_failing", [False, True])
def test_a_finished_job_keeps_nothing_alive(is_failing: bool) -> None:
    class Kept:
        pass

    alive: list[weakref.ref[object]] = []

    def make() -> DiskJob[None]:
        given, told = Kept(), Kept()
        alive.extend(map(weakref.ref, (given, told)))

        def work(_: object, given: object = given) -> None:
            local = Kept()
            alive.append(weakref.ref(local))
            if is_failing:
                raise OSError("disk full")

        return start_job(work, lambda told=told: None, undo=lambda _, told=told: None)  # type: ignore[misc]

    gc.disable()
    try:
        job = make()
        until(is_idle)
        until(lambda: [ref() for ref in alive] == [None] * 3)
        with pytest.raises(OSError, match="disk full") if is_failing else pytest.raises(RuntimeError):
            job.result()
            job.result()  # a result is taken once
        ended = weakref.ref(job)
        del job
        assert ended() is None
    finally:
        gc.enable()


def test_what_is_given_up_before_it_has_begun_is_never_done() -> None:
    slow = Slow().has_begun()
    unwanted = Slow()
    work = weakref.ref(unwanted)

    assert unwanted.job.give_up()
    assert unwanted.job.give_up()
    job, ended = unwanted.job, unwanted.ended
    del unwanted
    gc.collect()
    assert work() is None
    slow.gate.open()
    until(is_idle)

    assert (job.is_done, ended) == (False, [])
    with pytest.raises(RuntimeError, match="no result"):
        job.result()


def test_what_is_given_up_while_it_is_done_is_undone() -> None:
    slow = Slow().has_begun()
    assert slow.is_unwanted is not None
    assert not slow.is_unwanted()

    assert slow.job.give_up()
    assert slow.is_unwanted()
    slow.gate.open()
    until(is_idle)

    assert (slow.job.is_done, slow.ended, slow.undone) == (False, [], ["done"])


def test_work_that_fails_after_it_was_given_up_has_nothing_to_undo() -> None:
    gate, begun = Gate(), Gate()
    undone: list[object] = []

    def fail(_: object) -> None:
        begun.open()
        gate.wait()
        raise OSError("disk full")

    job = start_job(fail, nothing, undo=undone.append)
    assert begun.wait()
    assert job.give_up()
    gate.open()
    until(is_idle)
    assert undone == []


def test_what_cannot_be_undone_hurts_nobody() -> None:
    def fail(_: object) -> None:
        raise SystemExit

    slow = Slow(undo=fail).has_begun()
    slow.job.give_up()
    after = start_job(lambda _: "after", nothing)
    slow.gate.open()
    until(lambda: after.is_done)


def test_what_has_ended_cannot_be_given_up() -> None:
    slow = Slow()
    slow.gate.open()
    until(lambda: slow.job.is_done)

    assert not slow.job.give_up()

    assert (slow.job.result(), slow.undone, slow.ended) == ("done", [], [True])
    assert not slow.job.is_late(time.monotonic() + 2 * LIMIT)


def test_either_the_result_is_there_or_the_work_is_undone() -> None:
    outcomes = []
    for _ in range(50):
        undone: list[bool] = []
        job = start_job(lambda _: True, nothing, undo=undone.append)
        given_up = job.give_up()
        until(is_idle)
        outcomes.append((given_up, job.is_done, bool(undone)))
    assert set(outcomes) <= {(True, False, False), (True, False, True), (False, True, False)}


def test_a_disk_that_hangs_makes_late_what_waits_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "fifo")
    begun = Gate()

    def work(_: object) -> None:
        begun.open()
        os.close(os.open(tmp_path / "fifo", os.O_WRONLY))  # until somebody reads

    before = time.monotonic()
    hanging = start_job(work, nothing)
    assert begun.wait()
    behind = start_job(lambda _: "behind", nothing)
    for job in (hanging, behind):
        assert not job.is_late(before + LIMIT)
        assert job.is_late(time.monotonic() + LIMIT + 0.01)

    hanging.give_up()
    third = start_job(lambda _: "third", nothing)  # given up, and not late yet
    monkeypatch.setattr(disk_job, "LIMIT", 0.0)
    with pytest.raises(DiskHangs):
        start_job(lambda _: None, nothing)
    behind.give_up()
    os.close(os.open(tmp_path / "fifo", os.O_RDONLY))
    until(lambda: third.is_done)
    until(is_idle)

    assert (third.result(), behind.is_done) == ("third", False)
    again = start_job(lambda _: "again", nothing)
    until(lambda: again.is_done)


def test_work_that_nobody_has_given_up_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_job, "LIMIT", 0.0)
    slow = Slow().has_begun()
    other = start_job(lambda _: None, nothing)
    slow.gate.open()
    until(lambda: other.is_done)


def test_the_time_of_a_job_begins_when_it_is_queued(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the disk has had nothing to do."""
    threads: list[threading.Thread] = []

    def start_later(thread: threading.Thread) -> None:
        threads.append(thread)

    disk_thread._disk.taken_at -= 3600
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start_later)
        job = start_job(lambda _: None, nothing)
    assert not job.is_late(time.monotonic())
    assert job.is_late(time.monotonic() + LIMIT)
    threads[0].start()


def test_work_runs_in_an_empty_context() -> None:
    """Neither the caller's, nor what other work has left behind."""
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("the caller's")
    slow = Slow()
    start_job(lambda _: variable.set("other work's"), nothing)
    job = start_job(lambda _: variable.get(), nothing)
    slow.gate.open()
    until(lambda: job.is_done)
    assert job.result() == run_here(lambda _: variable.get()) == "unset"


def test_work_that_is_done_on_this_thread_cannot_be_given_up() -> None:
    """R4: at the end of the interpreter, where no thread starts any more."""
    assert run_here(lambda is_unwanted: (is_unwanted(), threading.get_ident())) == (
        False,
        threading.get_ident(),
    )


def test_a_rest_lets_others_run() -> None:
    rested: list[bool] = []

    def work(_: object) -> None:
        while not rested:
            rest()

    job = start_job(work, nothing)
    rested.append(True)
    until(lambda: job.is_done)


def test_without_a_thread_to_be_had_it_raises_and_the_next_one_works() -> None:
    ended: list[bool] = []
    with no_new_threads(), pytest.raises(RuntimeError, match="thread"):
        start_job(lambda _: None, lambda: ended.append(True))
    slow = Slow()
    slow.gate.open()
    until(lambda: slow.job.is_done)
    assert ended == []


def test_what_others_have_queued_for_a_thread_that_does_not_start_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others: list[Slow] = []

    def refuse(_: threading.Thread) -> None:
        others.append(Slow())
        raise RuntimeError("can't create new thread at interpreter shutdown")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="shutdown"):
            start_job(lambda _: None, nothing)

    (other,) = others
    assert (other.job.is_done, other.ended) == (True, [True])
    with pytest.raises(RuntimeError, match="no thread can be started: can't create"):
        other.job.result()


@pytest.mark.parametrize("has_begun", [False, True])
def test_a_caller_that_is_interrupted_while_it_starts_the_thread_leaves_one_thread(
    has_begun: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C3: as by Ctrl-C, before the thread has begun or after."""
    real = threading.Thread.start
    threads: list[threading.Thread] = []
    gate, working = Gate(), Gate()
    slow: list[Slow] = []

    def work(_: object) -> None:
        working.open()
        gate.wait()

    def interrupt(thread: threading.Thread) -> None:
        threads.append(thread)
        if has_begun:
            real(thread)
            assert working.wait()
            slow.append(Slow())
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupt)
        with pytest.raises(KeyboardInterrupt):
            start_job(work, nothing)
    if not has_begun:
        slow.append(Slow().has_begun())
        behind = start_job(lambda _: None, nothing)
        real(threads[0])  # it begins after all, and finds another in its place
        threads[0].join(20)
        assert not behind.is_done
    gate.open()
    slow[0].gate.open()
    until(lambda: slow[0].job.is_done)
    assert slow[0].job.result() == "done"


def test_a_forked_child_has_a_disk_thread_of_its_own_and_no_job_of_its_parents() -> None:
    """R5."""
    slow = Slow().has_begun()
    waiting = Slow()
    ran = waiting.undone

    def check() -> None:
        for job in (slow.job, waiting.job):
            assert job.is_late(time.monotonic())
            assert job.give_up()
        own = start_job(lambda _: os.getpid(), nothing)
        until(lambda: own.is_done)
        assert own.result() == os.getpid()
        until(is_idle)
        assert not waiting.is_unwanted

    in_child(check)
    assert not slow.job.is_late(time.monotonic())
    slow.gate.open()
    waiting.gate.open()
    until(lambda: waiting.job.is_done)
    assert (slow.job.result(), waiting.job.result(), ran) == ("done", "done", [])


def test_a_childs_copy_of_a_job_waits_for_no_lock_of_its_parent() -> None:
    """R5: copies of the parent's greenlets go on in the child, and give up."""
    slow = Slow().has_begun()
    held, gate = Gate(), Gate()

    def hold() -> None:
        with disk_thread._disk.lock:
            held.open()
            gate.wait()

    holding = start(hold)
    assert held.wait()
    try:
        # On the main thread: a new one may be taken for the thread that holds the lock, by its identity.
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            os._exit(0 if slow.job.give_up() else 70)
        assert wait_for(child) == 0
    finally:
        gate.open()
        slow.gate.open()
    holding.result(20)


def test_children_of_a_process_with_a_busy_disk_all_work() -> None:
    """R5: a lock that is held at that instant is free in the child."""
    stop: list[bool] = []

    def hammer() -> None:
        while not stop:
            job = start_job(lambda _: None, nothing)
            job.give_up()

    def check() -> None:
        job = start_job(lambda _: "child", nothing)
        until(lambda: job.is_done)
        assert job.result() == "child"

    callers = [start(hammer) for _ in range(2)]
    try:
        for _ in range(4):
            in_child(check)
    finally:
        stop.append(True)
    for caller in callers:
        caller.result(20)


def test_a_caller_that_forks_while_it_starts_the_thread_starts_none_for_its_parents_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a signal handler may."""
    done: list[int] = []
    forks: list[bool] = []

    def fork(thread: threading.Thread) -> None:
        patch.undo()

        def check() -> None:
            thread.run()  # Python may refuse to start it here, gevent does not
            assert done == []

        in_child(check)
        forks.append(True)
        thread.start()

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fork)
        job = start_job(lambda _: done.append(1), nothing)
    until(lambda: job.is_done)
    assert (forks, done) == ([True], [1])
