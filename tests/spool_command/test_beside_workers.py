"""The command beside running processes: they share the lease, and each batch arrives once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from breaker_exporter import CircuitBreakerSpanExporter, Retention
from breaker_exporter._spool.spool import Spool
from breaker_exporter._spool_command import leasing
from breaker_exporter.otlp import CooperativeOTLPSpanExporter
from breaker_exporter.testing import Fault

from ..semantics._processes import run_code
from ..semantics._spans import spans
from ..semantics._waiting import PATIENCE, until
from ..spool._processes import process
from ._kept import ITEMS, keep, run

if TYPE_CHECKING:
    from pathlib import Path

    from breaker_exporter.testing import FaultyCollector

    from ..spool._processes import Line

Capture = pytest.CaptureFixture[str]


def started(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "breaker_exporter", "spool", str(directory), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(command: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = command.communicate(timeout=3 * PATIENCE)
    return command.returncode, out, err


def wait_for_words(command: subprocess.Popen[str], words: str) -> None:
    """Return once the command has said a line that begins with these words."""
    assert command.stdout is not None
    assert command.stdout.readline().startswith(words)


def again(directory: Path) -> Spool:
    """The same spool, as another process of the service has it."""
    return Spool(str(directory), "shop/checkout", "spans", "collector", limit=1 << 30, keep_newest=True)


def test_a_worker_that_replays_and_the_command_deliver_each_batch_once(
    directory: Path, backend: FaultyCollector
) -> None:
    backend.fault = Fault.UNAVAILABLE

    def work(line: Line) -> None:
        exporter = CircuitBreakerSpanExporter(
            CooperativeOTLPSpanExporter(backend.http_endpoint),
            name="collector",
            failure_threshold=1,
            cooldown=0.5,
            max_cooldown=0.5,
            retention=Retention(directory=directory),
        )
        for _ in range(20):
            exporter.export(spans(128))
        until(lambda: exporter.health().spooled == 20 * 128)
        exporter._look_on_disk(spans(1)[0].resource)
        line.say("kept")
        line.hear()
        until(lambda: exporter.health().recovered == exporter.health().exported)
        line.say(str(exporter.health().exported))
        line.hear()

    with process(work) as worker:
        assert worker.hear(3 * PATIENCE) == "kept"
        backend.fault = Fault.NONE
        status, out, err = ended(started(directory, "--send", "--rate", "2000"))
        assert backend.wait_for_spans(20 * 128)
        worker.say()
        by_worker = int(worker.hear(3 * PATIENCE))

    assert status == 0, (out, err)
    assert f"{20 * 128 - by_worker} spans delivered to" in out
    assert (backend.counts().spans, backend.duplicates) == (20 * 128, 0)


def test_the_lease_of_a_worker_that_holds_it_in_turn_is_had_within_seconds(
    capsys: Capture, directory: Path, backend: FaultyCollector
) -> None:
    keep(directory)

    def work(line: Line) -> None:
        spool = again(directory)
        spool.open()
        assert spool.try_lease()
        line.say()
        line.hear()  # a call that takes its time
        spool.give_back()
        while True:
            if spool.wait_for_lease(1.0):
                time.sleep(0.2)
                spool.give_back()

    with process(work) as worker:
        worker.hear()
        command = started(directory, "--send")
        wait_for_words(command, "waiting until another process gives the lease")
        worker.say()
        status, out, err = ended(command)
        worker.kill()

    assert status == 0, (out, err)
    assert backend.counts().spans == 3 * ITEMS


@pytest.mark.parametrize("action", ["--send", "--delete"])
def test_a_worker_that_is_stopped_with_the_lease_ends_it_in_the_end(
    capsys: Capture, directory: Path, backend: FaultyCollector, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    spool = keep(directory)
    monkeypatch.setattr(leasing, "_WITHIN", 0.2)
    monkeypatch.setattr(leasing, "_LOOK_EVERY", 0.05)

    def work(line: Line) -> None:
        mine = again(directory)
        mine.open()
        assert mine.try_lease()
        line.say()
        line.hear()

    with process(work) as worker:
        worker.hear()
        worker.stop()
        ran = run(capsys, directory, action)

    assert ran.status == 1
    assert ran.out.startswith("waiting until another process gives the lease of ")
    assert (
        f"another process has held the lease of {spool.path!r} for 0.2 s: is it stopped?; the same" in ran.out
    )
    assert backend.counts().spans == 0
    assert run(capsys, directory, action).status == 0


def test_between_two_batches_the_lease_is_free(
    capsys: Capture, directory: Path, backend: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(directory)
    other = again(directory)
    other.open()
    got: list[bool] = []

    def sleep(self: object, seconds: float) -> None:
        got.append(other.try_lease())
        other.give_back()

    monkeypatch.setattr("breaker_exporter._spool_command.interruption.Interruption.sleep", sleep)
    run(capsys, directory, "--send")
    other.close()

    assert got == [True] * 3


def test_ctrl_c_finishes_the_batch_in_hand_and_the_same_command_goes_on(
    directory: Path, backend: FaultyCollector
) -> None:
    keep(directory, 5)
    backend.set_fault(Fault.SLOW, seconds=1.0)
    command = started(directory, "--send")
    assert backend.wait_for_requests(1)

    command.send_signal(signal.SIGINT)
    status, out, err = ended(command)

    assert (status, err) == (1, "")
    assert out.startswith(
        f"4 spans delivered to {backend.http_base}\ninterrupted: the same command goes on\n"
    )
    backend.fault = Fault.NONE
    assert ended(started(directory, "--send"))[0] == 0
    assert (backend.counts().spans, backend.duplicates) == (5 * ITEMS, 0)


def test_ctrl_c_ends_a_pause_at_once(directory: Path, backend: FaultyCollector) -> None:
    keep(directory, 2)
    command = started(directory, "--send", "--rate", "0.01")
    assert backend.wait_for_spans(ITEMS)

    command.send_signal(signal.SIGINT)

    assert ended(command)[0] == 1


def test_ctrl_c_twice_does_not_wait_for_the_backend(directory: Path, backend: FaultyCollector) -> None:
    keep(directory, 2)
    backend.fault = Fault.BLACKHOLE
    command = started(directory, "--send")
    assert backend.wait_for_requests(1)

    command.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):  # it waits for the answer
        command.wait(timeout=0.5)
    command.send_signal(signal.SIGINT)
    status, out, _ = ended(command)

    assert status == 1
    assert "0 spans delivered" in out
    assert "interrupted: the same command goes on" in out


def test_ctrl_c_in_a_wait_for_the_lease_ends_it(directory: Path, backend: FaultyCollector) -> None:
    keep(directory)

    def work(line: Line) -> None:
        mine = again(directory)
        mine.open()
        assert mine.try_lease()
        line.say()
        line.hear()

    with process(work) as worker:
        worker.hear()
        command = started(directory, "--delete")
        wait_for_words(command, "waiting until another process gives the lease")
        command.send_signal(signal.SIGINT)
        status, out, _ = ended(command)

    assert status == 1
    assert "interrupted: the same command goes on" in out


def test_a_background_job_that_ignores_ctrl_c_goes_on(directory: Path, backend: FaultyCollector) -> None:
    keep(directory, 2)
    backend.set_fault(Fault.SLOW, seconds=0.5)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        command = started(directory, "--send")
    finally:
        signal.signal(signal.SIGINT, before)
    assert backend.wait_for_requests(1)

    command.send_signal(signal.SIGINT)

    assert ended(command)[0] == 0


def test_what_a_killed_process_has_left_is_delivered(directory: Path, backend: FaultyCollector) -> None:
    """The volume of a pod that is gone."""

    def work(line: Line) -> None:
        exporter = CircuitBreakerSpanExporter(
            CooperativeOTLPSpanExporter("http://127.0.0.1:9/v1/traces"),
            failure_threshold=1,
            retention=Retention(directory=directory),
        )
        for _ in range(20):
            exporter.export(spans(ITEMS))
        until(lambda: exporter.health().spooled == 20 * ITEMS)
        os.kill(os.getpid(), signal.SIGKILL)

    with process(work) as worker:
        assert worker.wait() == -signal.SIGKILL
    status, out, err = ended(started(directory, "--send"))

    assert (status, err) == (0, "")
    assert out.startswith(f"{20 * ITEMS} spans delivered")
    assert (backend.counts().spans, backend.duplicates) == (20 * ITEMS, 0)


def test_it_needs_no_other_extra_than_that_of_the_protocol(directory: Path, backend: FaultyCollector) -> None:
    keep(directory)
    code = f"""
import sys
for name in ("gevent", "greenlet", "grpc", "gunicorn", "packaging", "rich", "sentry_sdk"):
    sys.modules[name] = None
from breaker_exporter.__main__ import main
assert main(["spool", {str(directory)!r}]) == 1
assert main(["spool", {str(directory)!r}, "--send"]) == 0
"""

    assert f"12 spans delivered to {backend.http_base}" in run_code(code)


def test_looking_needs_no_extra_at_all(directory: Path) -> None:
    keep(directory)
    code = f"""
import sys
for name in ("gevent", "google.protobuf", "grpc", "opentelemetry.sdk", "requests", "urllib3"):
    sys.modules[name] = None
from breaker_exporter.__main__ import main
assert main(["spool", {str(directory)!r}]) == 1
assert main(["spool", {str(directory)!r}, "--delete"]) == 0
"""

    assert "deleted: 12 items in 3 files" in run_code(code)
