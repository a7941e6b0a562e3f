"""Processes that end with this one, each in a group of its own, so that its children end too."""

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
"""Seconds between two looks at a process's output."""


class Failed(Exception):
    """A check failed; the text says why.

    Attributes:
        log: The output of the process.
    """

    def __init__(self, reason: str, log: str = "") -> None:
        super().__init__(reason)
        self.log = log


class Ending(Exception):
    """The run is being interrupted, so no process is started any more."""


class Process:
    """A running process, and the file with its output."""

    def __init__(self, popen: subprocess.Popen[bytes], log: Path) -> None:
        self._popen = popen
        self._log = log

    @property
    def output(self) -> str:
        """The output so far."""
        return self._log.read_text(errors="replace")

    def wait_for(self, pattern: str, seconds: float) -> re.Match[str]:
        """Wait for a match in the output, and return it.

        Raises:
            Failed: There is none within `seconds`, or before the process ends.
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
        """Wait for the process's end, and return its exit status.

        Raises:
            Failed: It has not ended within `seconds`.
        """
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"it did not end within {seconds:g} s", self.output) from None

    def terminate(self) -> None:
        """Ask it to end, as an orchestrator does."""
        self._popen.send_signal(signal.SIGTERM)


class Processes:
    """All processes of a run.

    Attributes:
        is_over: True once the run is being interrupted.
    """

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._collectors: set[FaultyCollector] = set()
        self.is_over = False

    @contextlib.contextmanager
    def running(
        self, command: Sequence[str | Path], directory: Path, variables: Mapping[str, str] | None = None
    ) -> Iterator[Process]:
        """Run a process meanwhile; at the end it is killed with all its children.

        Args:
            command: The command.
            directory: Its working directory, which gets its output too.
            variables: Its whole environment; ``None``: that of this process.

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
            if self.is_over:  # checked after the start: end() kills the processes that it finds in _running
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
        """Run a process until it ends, and return its output.

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
        """Run a collector meanwhile, with the interpreter that runs this."""
        with FaultyCollector() as collector:
            self._collectors.add(collector)
            try:
                yield collector
            finally:
                self._collectors.discard(collector)

    def end(self) -> None:
        """Kill all processes, and start no other."""
        self.is_over = True
        for collector in tuple(self._collectors):
            collector.close()  # so that a check which waits for a span there fails at once
        for popen in tuple(self._running):
            _kill(popen)


def _kill(popen: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(popen.pid, signal.SIGKILL)
