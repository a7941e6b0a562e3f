"""The processes of a measurement, Gunicorn services and the load: starts them, and ends all of them."""

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
"""Seconds that a killed process may take to end."""
_SOCKETS = 8192
_NOT_INHERITED = ("BREAKER_EXPORTER_", "GUNICORN_", "GRPC_", "OTEL_")
"""Prefixes of variables that a shell may have set for another service."""


class Child:
    """A process in a group of its own; leaving the context kills the whole group.

    Args:
        command: The command, run in `directory`.
        environment: Variables on top of this process's, without those meant for other services.
        directory: An existing directory for the process's output.
        fds: Descriptors that the process inherits.

    Attributes:
        lines: The lines that the process writes to its pipe.
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
                    # Ctrl-C in a terminal is for the measuring process alone, which then ends its children.
                    start_new_session=True,
                )
        finally:
            os.close(self.lines.writing)

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self.lines.close()

    @property
    def ended(self) -> bool:
        """True once the process itself is gone."""
        return self.returncode is not None

    @property
    def returncode(self) -> int | None:
        """The exit status, ``None`` while the process runs."""
        return self._process.poll()

    @property
    def failed(self) -> bool:
        """True once the process has ended with a status other than 0."""
        return self.returncode not in (None, 0)

    @property
    def output(self) -> str:
        """The process's standard output and error so far."""
        return self._log.read_text(errors="replace")

    def terminate(self) -> None:
        """Send SIGTERM, as an orchestrator does."""
        self.send(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the whole group, and wait for the end of the process itself."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_KILL)

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)


def allow_many_sockets() -> None:
    """Raise the limit of open files here and in children; each waiting request is a connection."""
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
    python: str = sys.executable,
) -> tuple[Child, int]:
    """Start Gunicorn on a free loopback port.

    Use :func:`start_service_on` for one that follows another on the same port.

    Args:
        directory: Directory for its output; made here.
        environment: Variables on top of those that it inherits.
        config: The module with its configuration.
        app: The application, as Gunicorn's command line names it.
        arguments: More arguments for Gunicorn.
        before: A command that starts Gunicorn, such as ``unshare``.
        python: The interpreter that runs Gunicorn.

    Returns:
        The process and its port.
    """
    with listen() as listener:
        child = start_service_on(
            listener, directory, environment, config, app, *arguments, before=before, python=python
        )
        return child, int(listener.getsockname()[1])


def listen() -> socket.socket:
    """Return a socket that listens on a free loopback port."""
    return socket.create_server(("127.0.0.1", 0), backlog=2048)


def start_service_on(
    listener: socket.socket,
    directory: Path,
    environment: Mapping[str, str],
    config: str,
    app: str,
    *arguments: str,
    before: Sequence[str] = (),
    python: str = sys.executable,
) -> Child:
    """As :func:`start_service`, on a socket that listens already, and that the caller closes."""
    directory.mkdir()
    os.set_inheritable(listener.fileno(), True)
    command = [
        *(*before, python, "-m", "gunicorn", "--config", f"python:{config}"),
        # The default, 30 s, would kill a worker whose hub stands still that long, and its counts with it.
        *("--bind", f"fd://{listener.fileno()}", "--timeout", "120", *arguments, app),
    ]
    return Child(command, environment, directory, [listener.fileno()])


def start_load(directory: Path, ports: Mapping[str, int], rate: float, seconds: float, wait: float) -> Child:
    """Start the load.

    Args:
        directory: Directory for its output; made here.
        ports: The ports of the targets, by name.
        rate: Requests a second to each.
        seconds: Duration of the load.
        wait: Seconds that the load waits for answers after its last request.
    """
    directory.mkdir()
    argument = {"ports": ports, "rate": rate, "seconds": seconds, "wait": wait}
    return Child([sys.executable, "-m", f"{__package__}.load", json.dumps(argument)], {}, directory)


def _inherited() -> dict[str, str]:
    """Return this environment; what is importable here is importable there, in the same order."""
    kept = {
        name: value
        for name, value in os.environ.items()
        # A proxy would break traffic on loopback; a CA bundle in the variables of requests would replace the
        # one that OpenTelemetry's exporter is given.
        if not name.startswith(_NOT_INHERITED) and not name.lower().endswith(("_proxy", "_ca_bundle"))
    }
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path),
        "PYTHONSAFEPATH": "1",
    }
