"""Processes that end with this one: each in a group of its own, so that what it started ends too."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from breaker_exporter.testing import FaultyCollector

_LOOK = 0.05
"""Seconds between two looks at what a process has written."""


class Failed(Exception):
    """A process did not do what it was started for.

    Attributes:
        log: What it wrote.
    """

    def __init__(self, reason: str, log: str = "") -> None:
        super().__init__(reason)
        self.log = log


class Ending(Exception):
    """No process is started any more: the run is being interrupted."""


class Process:
    """A running one, and the file that it writes to."""

    def __init__(self, popen: subprocess.Popen[bytes], log: Path) -> None:
        self._popen = popen
        self._log = log

    @property
    def output(self) -> str:
        """All it has written so far."""
        return self._log.read_text(errors="replace")

    def wait_for(self, pattern: str, seconds: float) -> re.Match[str]:
        """The first match in what it writes.

        Raises:
            Failed: There is none in `seconds`, or before it ends.
        """
        deadline = time.monotonic() + seconds
        while True:
            is_over = self._popen.poll() is not None or time.monotonic() > deadline
            if found := re.search(pattern, self.output):
                return found
            if is_over:
                raise Failed(f"it did not say {pattern!r}", self.output)
            time.sleep(_LOOK)

    def end(self, seconds: float) -> int:
        """Its exit status; it is left alone for `seconds`.

        Raises:
            Failed: It has not ended by then.
        """
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"it did not end within {seconds:g} s", self.output) from None

    def terminate(self) -> None:
        """Ask it to end, as an orchestrator does."""
        self._popen.send_signal(signal.SIGTERM)


class Processes:
    """All that run now.

    Attributes:
        is_over: The run is being interrupted.
    """

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._collectors: set[FaultyCollector] = set()
        self.is_over = False

    @contextlib.contextmanager
    def running(
        self, command: Sequence[str | Path], directory: Path, variables: Mapping[str, str] | None = None
    ) -> Iterator[Process]:
        """A process, killed with all that it started where it is still there at the end.

        Args:
            command: What to run.
            directory: Where.
            variables: All of its environment; this process's where left out.

        Raises:
            Ending: The run is being interrupted.
        """
        log = directory / "output.log"
        with log.open("wb") as output:
            popen = subprocess.Popen(
                command,
                cwd=directory,
                # What it leaves there, killed in the middle, goes with the directory.
                env={**(os.environ if variables is None else variables), "TMPDIR": str(directory)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.add(popen)
        try:
            if self.is_over:  # only now: end() has either seen this process, or said so before
                raise Ending
            yield Process(popen, log)
        finally:
            _kill(popen)
            popen.wait()
            self._running.discard(popen)

    def run(
        self,
        command: Sequence[str | Path],
        directory: Path,
        variables: Mapping[str, str] | None = None,
        seconds: float = 120.0,
        statuses: tuple[int, ...] = (0,),
    ) -> str:
        """Return what it writes until it ends.

        Raises:
            Failed: It takes longer than `seconds`, or ends with a status that is not one of `statuses`.
            Ending: The run is being interrupted.
        """
        with self.running(command, directory, variables) as process:
            status = process.end(seconds)
        if self.is_over:
            raise Ending
        if status not in statuses:
            raise Failed(f"it ended with status {status}", process.output)
        return process.output

    @contextlib.contextmanager
    def collector(self) -> Iterator[FaultyCollector]:
        """A collector, in its own process of the environment that this runs in."""
        with FaultyCollector() as collector:
            self._collectors.add(collector)
            try:
                yield collector
            finally:
                self._collectors.discard(collector)

    def end(self) -> None:
        """Kill all, and start no other."""
        self.is_over = True
        for collector in tuple(self._collectors):
            collector.close()  # a check that waits for a span there is told that it is gone
        for popen in tuple(self._running):
            _kill(popen)


def _kill(popen: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(popen.pid, signal.SIGKILL)
