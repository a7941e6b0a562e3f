"""A virtual environment with the wheel and one set of extras: installs it, and runs programs in it."""

from __future__ import annotations

import contextlib
import itertools
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import mkdtemp

from breaker_exporter.testing import FaultyCollector

from .processes import Failed, Process, Processes

ROOT = Path(__file__).parents[2]
BOOT = Path(__file__).parent / "boot"
_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
_START, _STOP, _ANSWER = 60.0, 30.0, 30.0
"""Seconds that a service may take to start, stop and answer, on a busy machine."""


def build(processes: Processes, directory: Path) -> Path:
    """Build the wheel once for all environments; return its path."""
    processes.run(
        [*_PIP, "wheel", "--quiet", "--no-deps", "--wheel-dir", directory / "wheel", ROOT], directory
    )
    (wheel,) = (directory / "wheel").glob("*.whl")
    return wheel


def fetch(processes: Processes, directory: Path, requirements: Sequence[str]) -> Path:
    """Fetch the wheels of all requirements, and of what these require; return their new directory.

    An index takes longer to answer than pip to install, and would be asked by each environment.
    """
    wheels = Path(mkdtemp(dir=directory))
    processes.run([*_PIP, "wheel", "--quiet", "--wheel-dir", wheels, *requirements], wheels, seconds=600.0)
    return wheels


class Environment:
    """A virtual environment without pip: the one that runs this installs into it.

    Args:
        processes: All processes of the run.
        directory: An empty directory for all files.
    """

    def __init__(self, processes: Processes, directory: Path) -> None:
        self._processes = processes
        self._directory = directory
        self._bin = directory / "venv" / "bin"
        self._numbers = itertools.count(1)

    def install(self, requirements: Sequence[str], wheels: Path) -> None:
        """Make the environment with these requirements, from a directory of wheels."""
        venv = ("-m", "venv", "--without-pip", str(self._bin.parent))
        self._processes.run([sys.executable, *venv], self._directory)
        # Without bytecode: most of what is installed is never imported.
        options = ("--python", str(self._bin / "python"), "install", "--quiet", "--no-compile")
        places = ("--no-index", "--find-links", wheels)
        self._processes.run([*_PIP, *options, *places, *requirements], self._directory, seconds=600.0)

    def run(
        self,
        *command: str,
        variables: Mapping[str, str],
        files: Mapping[str, str] | None = None,
        statuses: tuple[int, ...] = (0,),
        seconds: float = 120.0,
    ) -> str:
        """Run a command of this environment in a directory of its own with `files`; return what it writes.

        Raises:
            Failed: It takes longer, or ends with another status.
        """
        return self._processes.run(
            self._found(command), self._place(files), self._variables(variables), seconds, statuses
        )

    @contextlib.contextmanager
    def running(
        self, *command: str, variables: Mapping[str, str], files: Mapping[str, str] | None = None
    ) -> Iterator[Process]:
        """Run a command meanwhile; a `Failed` of the block gets its output as log."""
        place, settings = self._place(files), self._variables(variables)
        with self._processes.running(self._found(command), place, settings) as process:
            try:
                yield process
            except Failed as failure:
                failure.log = failure.log or process.output
                raise

    @contextlib.contextmanager
    def serving(
        self, *command: str, variables: Mapping[str, str], files: Mapping[str, str]
    ) -> Iterator[Service]:
        """Run Gunicorn meanwhile, from when it listens on; at the end it has to stop with status 0.

        Raises:
            Failed: It does not listen, or ends with another status.
        """
        with self.running(*command, variables=variables, files=files) as process:
            url = process.wait_for(r"Listening at: (http://127\.0\.0\.1:\d+)", _START)[1]
            service = Service(url, process)
            yield service
            process.terminate()
            if status := process.end(_STOP):
                raise Failed(f"it ended with status {status}")

    def collector(self) -> AbstractContextManager[FaultyCollector]:
        """Run a collector for the programs in this environment."""
        return self._processes.collector()

    def _place(self, files: Mapping[str, str] | None) -> Path:
        place = self._directory / str(next(self._numbers))
        place.mkdir()
        for name, source in (files or {}).items():
            (place / name).write_text(source)
        return place

    def _found(self, command: tuple[str, ...]) -> list[str | Path]:
        return [self._bin / command[0], *command[1:]]

    def _variables(self, more: Mapping[str, str]) -> dict[str, str]:
        """Return variables without those set around this run: no proxy, no path, no endpoint."""
        return {
            "PATH": f"{self._bin}:/usr/bin:/bin",
            "HOME": str(self._directory),  # newer Gunicorns keep a control socket there
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "OTEL_SERVICE_NAME": "extras",
            "BREAKER_EXPORTER_STRICT": "1",
            **more,
        }


class Service:
    """A running Gunicorn that listens on `url`."""

    def __init__(self, url: str, process: Process) -> None:
        self.url = url
        self._process = process

    @property
    def output(self) -> str:
        """Its output so far."""
        return self._process.output

    def wait_for(self, pattern: str) -> str:
        """Wait for a match in the output; return its first group.

        Raises:
            Failed: There is none.
        """
        return self._process.wait_for(pattern, _ANSWER)[1]

    def get(self, path: str = "/", status: int = 200) -> str:
        """Return the body of an answer with this status.

        Raises:
            Failed: There is none, or another status.
        """
        return get(f"{self.url}{path}", status)


def get(url: str, status: int = 200) -> str:
    """Return the body of an answer with this status, asked for without a proxy.

    Raises:
        Failed: There is none, or another status.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_ANSWER) as answer:
            got, body = answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        got, body = error.code, ""
    except OSError as error:
        raise Failed(f"{url} does not answer: {error}") from error
    if got != status:
        raise Failed(f"{url} answers {got}, not {status}")
    return str(body)
