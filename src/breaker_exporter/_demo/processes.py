"""The processes of a run, as the one that starts them sees them: Gunicorn twice, and the load."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from .pipe import FD_VARIABLE, Lines

_KILL = 5.0
"""Seconds in which a killed process is gone."""
_SOCKETS = 8192
_NOT_INHERITED = ("BREAKER_EXPORTER_", "GUNICORN_", "GRPC_", "OTEL_")
"""How variables begin that a newcomer's shell may have set for another service."""


class Child:
    """A process, and its group, of which nothing is left when this is left.

    Args:
        command: Run in an empty directory.
        environment: On top of this process's, less what is another service's.
        directory: An existing one, for its output.
        fds: Descriptors it inherits.

    Attributes:
        lines: What it tells.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], directory: Path, fds: Sequence[int] = ()
    ) -> None:
        self._log = directory / "output.txt"
        self.lines = Lines()
        try:
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    command,
                    cwd=directory,
                    env={**_inherited(), **environment, FD_VARIABLE: str(self.lines.writing)},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=(self.lines.writing, *fds),
                    # Ctrl-C in a terminal is for the demo alone, which then ends its children.
                    start_new_session=True,
                )
        finally:
            os.close(self.lines.writing)

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_KILL)
        self.lines.close()

    @property
    def ended(self) -> bool:
        """Whether the process itself is gone."""
        return self.returncode is not None

    @property
    def returncode(self) -> int | None:
        """Its exit status, once it is gone."""
        return self._process.poll()

    @property
    def failed(self) -> bool:
        """Whether it has ended otherwise than well."""
        return self.returncode not in (None, 0)

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self._log.read_text(errors="replace")

    def terminate(self) -> None:
        """Tell it to stop, as an orchestrator does."""
        self.send(signal.SIGTERM)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)


def allow_many_sockets() -> None:
    """For this process and its children: what waits while a hub stands still is a connection each."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _SOCKETS if hard == resource.RLIM_INFINITY else min(_SOCKETS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def start_service(
    directory: Path,
    environment: Mapping[str, str],
    config: str,
    app: str,
    *arguments: str,
    before: Sequence[str] = (),
) -> tuple[Child, int]:
    """A Gunicorn on a free loopback port, and that port.

    Args:
        directory: Made for its output.
        environment: Of its own, on top of what it inherits.
        config: The module that is its configuration.
        app: The application.
        arguments: More of its command line.
        before: What starts it.
    """
    directory.mkdir()
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        os.set_inheritable(listener.fileno(), True)
        command = [
            *(*before, sys.executable, "-m", "gunicorn", "--config", f"python:{config}"),
            # The default, 30 s, would kill a worker whose hub stands still that long, and its counts with it.
            *("--bind", f"fd://{listener.fileno()}", "--timeout", "120", *arguments, app),
        ]
        child = Child(command, environment, directory, [listener.fileno()])
        return child, int(listener.getsockname()[1])


def start_load(
    directory: Path, ports: Mapping[str, int], rate: float, seconds: float, patience: float
) -> Child:
    """The load on these ports: `rate` requests a second to each for so many seconds, then `patience` (s)."""
    directory.mkdir()
    argument = {"ports": ports, "rate": rate, "seconds": seconds, "patience": patience}
    return Child([sys.executable, "-m", f"{__package__}.load", json.dumps(argument)], {}, directory)


def _inherited() -> dict[str, str]:
    """This environment, with everything importable that is importable here, in the same order."""
    kept = {
        name: value
        for name, value in os.environ.items()
        # Proxies and authorities have no part in what goes from loopback to loopback. Of requests' the
        # latter win over those that OpenTelemetry's exporter is given.
        if not name.startswith(_NOT_INHERITED) and not name.lower().endswith(("_proxy", "_ca_bundle"))
    }
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path),
        "PYTHONSAFEPATH": "1",
    }
