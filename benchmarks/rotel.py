"""A collector that others have made: Rotel, which passes on to another what it receives."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from breaker_exporter._harness.processes import Child

_STARTS_WITHIN = 30.0
"""Seconds, on a busy machine."""


@dataclass(frozen=True)
class Collector:
    """The endpoints of a running collector."""

    http: str
    grpc: str


def agent() -> Path | None:
    """Return Rotel's program, ``None`` where the package ``rotel`` is not installed."""
    package = find_spec("rotel")  # without importing it: there are wheels of it for some platforms only
    if package is None or package.origin is None:
        return None
    return Path(package.origin).with_name("rotel-agent")


@contextlib.contextmanager
def rotel(program: Path, upstream: str, folder: Path, before: Sequence[str] = ()) -> Iterator[Collector]:
    """Run a collector that posts all that it gets to `upstream`, with its default settings.

    Args:
        program: What :func:`agent` returns.
        upstream: A URL without a path.
        folder: An existing folder for its files.
        before: A command that starts it, such as ``nice``.

    Raises:
        OSError: It has ended, or does not listen after 30 s.
    """
    grpc, http = _free_port(), _free_port()
    command = [
        *(*before, str(program), "start"),
        f"--pid-file={folder / 'pid'}",
        f"--log-file={folder / 'log'}",
        f"--otlp-grpc-endpoint=127.0.0.1:{grpc}",
        f"--otlp-http-endpoint=127.0.0.1:{http}",
        "--exporter=otlp",
        "--otlp-exporter-protocol=http",
        f"--otlp-exporter-endpoint={upstream}",
    ]
    with Child(command, {}, folder) as process:
        for port in (grpc, http):
            _await_port(port, process)
        yield Collector(f"http://127.0.0.1:{http}", f"http://127.0.0.1:{grpc}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _await_port(port: int, process: Child) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            if process.ended or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
