"""Real runs, as short as they can be: Gunicorn, collectors, load, an outage, and nothing left afterwards."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

RUN = """
import sys
from pathlib import Path
from breaker_exporter._demo.command import demo
from breaker_exporter._demo.plan import BARE, OURS, Plan

plot, protocol, *queue = sys.argv[1:]
kill = queue == ["kill"]
if kill:
    queue = []
quick = {"OTEL_BSP_SCHEDULE_DELAY": "200", "OTEL_BSP_MAX_QUEUE_SIZE": queue[0] if queue else "2048"}
plan = Plan(
    protocol=protocol,
    rate=25.0,
    seconds=(1.0, 3.0, 3.5),
    environment={
        BARE: {**quick, "OTEL_EXPORTER_OTLP_TIMEOUT": "2"},
        OURS: {
            **quick,
            "OTEL_EXPORTER_OTLP_TIMEOUT": "0.5",
            "BREAKER_EXPORTER_COOLDOWN": "0.5",
            "BREAKER_EXPORTER_MAX_COOLDOWN": "1",
        },
    },
    patience=30.0,
    kill=kill,
)
sys.exit(demo(plan, Path(plot)))
"""
"""Our circuit needs 1.5 s to open and 1.5 s at most to close again."""

BY_MACHINE = {"Requests stayed fast", "The hub never stood still"}
"""Promises that a machine busy with other things may break."""


pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes by /proc")


class Demo:
    """A demo in a process of its own, and all that it starts.

    Attributes:
        plot: File for its picture.
        directory: Directory for its temporary files.
    """

    def __init__(self, directory: Path, *arguments: str) -> None:
        self._mark = str(uuid.uuid4())
        self.plot = directory / "demo.png"
        self.directory = directory / "temporary"
        self.directory.mkdir()
        environment = {
            **os.environ,
            "TMPDIR": str(self.directory),
            "PYTHONUNBUFFERED": "1",
            "DEMO_TEST_MARK": self._mark,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(self.plot), *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for(self, text: str) -> None:
        """Until it has said `text`."""
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            if text in line:
                return
        raise AssertionError(f"no {text!r} in {''.join(said)}{self.process.communicate()[1]}")

    def family(self) -> set[int]:
        """The ids of all living processes that have its environment."""
        found = set()
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                environment = (directory / "environ").read_bytes()
            except OSError:
                continue
            if f"DEMO_TEST_MARK={self._mark}".encode() in environment.split(b"\0"):
                found.add(int(directory.name))
        return found

    def left_behind(self, seconds: float = 15.0) -> set[int]:
        """Return the processes that still live; killed ones get some seconds to be gone."""
        deadline = time.monotonic() + seconds
        while (left := self.family()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return left

    def end(self) -> None:
        """End the run and all its processes."""
        for pid in self.family():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.communicate()


Start = Callable[..., Demo]


@pytest.fixture
def demos(tmp_path: Path) -> Iterator[Start]:
    """Starts a demo; its arguments are the protocol, and ``kill`` or another size of the queue."""
    started: list[Demo] = []

    def start(*arguments: str) -> Demo:
        started.append(Demo(tmp_path, *arguments))
        return started[-1]

    yield start
    for demo in started:
        demo.end()


@pytest.mark.alone
def test_every_promise_is_kept_in_a_real_run(demos: Start) -> None:
    demo = demos("grpc")

    said, complaints = demo.process.communicate(timeout=60)

    assert complaints == ""
    verdict = {text: mark for mark, text in re.findall(r"^(ok|broken) +(\S.*?)  ", said, re.M)}
    assert len(verdict) == 13, said
    assert {text for text, mark in verdict.items() if mark == "broken"} <= BY_MACHINE, said
    assert demo.process.returncode == int("broken" in verdict.values())
    assert demo.plot.read_bytes().startswith(b"\x89PNG")
    # A bare gRPC export holds the hub for the whole of its timeout, 2 s here, and a busy machine for longer.
    assert re.search(r"largest hub gap +[1-9]\d*\.\d+ s ", said), said
    assert demo.left_behind() == set()


@pytest.mark.alone
def test_killed_workers_lose_their_last_moments_and_nothing_else(demos: Start) -> None:
    demo = demos("http", "kill")

    said, complaints = demo.process.communicate(timeout=60)

    assert complaints == ""
    assert "both workers killed (SIGKILL)" in said
    assert re.search(r"^ok +No span was lost but those of the last moments", said, re.M), said
    assert re.search(r"The breaker-exporter lost [\d,]+ of .*: [\d,]+ in the memory of the killed", said), (
        said
    )
    broken = set(re.findall(r"^broken +(\S.*?)  ", said, re.M))
    assert broken <= {"Every request was answered but those in the killed"}, said
    assert demo.process.returncode == bool(broken)
    assert demo.left_behind() == set()
    assert list(demo.directory.iterdir()) == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_an_interrupted_run_leaves_no_process(number: int, status: int, demos: Start) -> None:
    demo = demos("http")
    demo.wait_for("collectors: healthy")
    assert len(demo.family()) == 8  # itself, two collectors, two arbiters, two workers, the load

    demo.process.send_signal(number)
    _, complaints = demo.process.communicate(timeout=15)

    assert demo.process.returncode == status
    assert demo.left_behind() == set()
    if number != signal.SIGKILL:
        assert complaints == "interrupted by SIGINT; no process is left\n"
        assert list(demo.directory.iterdir()) == []


def test_a_load_that_dies_ends_the_run(demos: Start) -> None:
    demo = demos("http")
    demo.wait_for("collectors: healthy")

    (load,) = [pid for pid in demo.family() if b"_harness.load" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(load, signal.SIGKILL)
    _, complaints = demo.process.communicate(timeout=15)

    assert demo.process.returncode == 1
    assert complaints.startswith("the demo failed: the load ended before its time:\n")
    assert demo.left_behind() == set()


def test_a_service_that_cannot_start_is_reported_with_its_output(demos: Start) -> None:
    demo = demos("http", "0")

    _, complaints = demo.process.communicate(timeout=30)

    assert demo.process.returncode == 1
    assert complaints.startswith("the demo failed: the service with the bare exporter did not start:\n")
    assert "max_queue_size must be a positive integer" in complaints
    assert demo.left_behind() == set()
