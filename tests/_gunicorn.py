"""A real Gunicorn around a small application: started, asked, stopped, and what it said."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

_OURS = ("BREAKER_EXPORTER_", "GUNICORN_", "OTEL_", "SENTRY_")

IN_TIME = 20.0
"""Seconds that an end may take on a busy machine; Gunicorn alone gives a worker 30."""


@dataclass(frozen=True)
class Ended:
    """The end of a service: seconds that it took, and the exit status."""

    seconds: float
    returncode: int


class GunicornService:
    """Gunicorn on a free loopback port, in a directory of its own; entering it waits until it listens.

    Args:
        app: Source of the module ``app``, with a WSGI callable ``app``.
        conf: Source of ``gunicorn.conf.py``.
        more: Sources of other files, by name.
        env: Variables on top of this process's, less those of OpenTelemetry, Gunicorn and this package.
        args: More of Gunicorn's command line.
        target: What Gunicorn serves.
        command: What runs Gunicorn, for one that is started by something else.

    Attributes:
        port: Where it listens; 0 until it does.
    """

    def __init__(
        self,
        app: str,
        *,
        conf: str = "",
        more: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        args: Sequence[str] = (),
        target: str = "app:app",
        command: Sequence[str] = (sys.executable, "-m", "gunicorn"),
    ) -> None:
        self._sources = {"app.py": app, "gunicorn.conf.py": conf, **(more or {})}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        self._directory = tempfile.TemporaryDirectory()
        # Newer Gunicorns keep a control socket there.
        runtime = {"PYTHONUNBUFFERED": "1", "XDG_RUNTIME_DIR": self._directory.name}
        self._env = {**inherited, **runtime, **(env or {})}
        self._command = [*command, "--bind", "127.0.0.1:0", *args, target]
        self._process: subprocess.Popen[str] | None = None
        self._lines: list[str] = []
        self._silent = False
        self._said = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self.port = 0

    def __enter__(self) -> GunicornService:
        directory = Path(self._directory.name)
        for name, source in self._sources.items():
            (directory / name).write_text(source)
        self._process = subprocess.Popen(
            self._command,
            cwd=directory,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader.start()
        try:
            listening = self.wait_for_line(r"Listening at: http://127\.0\.0\.1:(\d+)")
        except BaseException:
            self._kill()
            raise
        self.port = int(listening.group(1))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kill()

    @property
    def pid(self) -> int:
        """The master's."""
        return self._popen.pid

    @property
    def output(self) -> str:
        """Its output so far, to both streams."""
        with self._said:
            return "".join(self._lines)

    @property
    def boots(self) -> int:
        """Number of workers that have been started so far."""
        return self.output.count("Booting worker with pid")

    def get(self, path: str = "/", timeout: float = 30.0, status: int = 200) -> str:
        """Return the body of a ``GET`` on a connection of its own.

        Raises:
            AssertionError: The answer has another status.
            OSError: There is none in `timeout` seconds.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Connection": "close"})
            answer = connection.getresponse()
            body = answer.read().decode()
        assert answer.status == status, f"{answer.status} {body}\n{self.output}"
        return body

    def wait_for_line(self, pattern: str, timeout: float = 30.0) -> re.Match[str]:
        """The first match in what it writes, written already or to come.

        Raises:
            AssertionError: There is none in `timeout` seconds, or before it ends.
        """

        def found() -> re.Match[str] | None:
            return next(filter(None, (re.search(pattern, line) for line in self._lines)), None)

        with self._said:
            self._said.wait_for(lambda: self._silent or found() is not None, timeout)
            matched = found()
        assert matched is not None, f"nothing like {pattern!r} in:\n{self.output}"
        return matched

    def terminate(self, timeout: float = 60.0) -> Ended:
        """Sends the master ``SIGTERM``, as an orchestrator does, and waits for its end."""
        started = time.monotonic()
        self._popen.send_signal(signal.SIGTERM)
        returncode = self.wait(timeout)
        return Ended(time.monotonic() - started, returncode)

    def wait(self, timeout: float = 60.0) -> int:
        """Its exit status, once it ends by itself and all it said is read.

        Raises:
            subprocess.TimeoutExpired: It does not end in `timeout` seconds.
        """
        returncode = self._popen.wait(timeout)
        self._reader.join(timeout)
        return returncode

    @property
    def _popen(self) -> subprocess.Popen[str]:
        assert self._process is not None, "it was not started"
        return self._process

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            with self._said:
                self._lines.append(line)
                self._said.notify_all()
        with self._said:
            self._silent = True
            self._said.notify_all()

    def _kill(self) -> None:
        """Leaves no process behind, workers that outlived their master included."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait(10)
        self._reader.join(10)
        assert self._popen.stdout is not None
        self._popen.stdout.close()
        self._directory.cleanup()
