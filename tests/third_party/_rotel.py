"""A collector that others have made: Rotel, which passes on what it gets to the receiver of the tests."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_STARTS_WITHIN = 30.0
"""Seconds, on a busy machine."""


@dataclass(frozen=True)
class Collector:
    """The endpoints of a running collector."""

    http: str
    grpc: str


@contextlib.contextmanager
def rotel(agent: Path, upstream: str, folder: Path) -> Iterator[Collector]:
    """Run a collector that posts all that it gets to `upstream`.

    Args:
        agent: Its program.
        upstream: A URL without a path.
        folder: A folder for its files.
    """
    grpc, http = _free_port(), _free_port()
    command = [
        str(agent),
        "start",
        f"--pid-file={folder / 'pid'}",
        f"--log-file={folder / 'log'}",
        f"--otlp-grpc-endpoint=127.0.0.1:{grpc}",
        f"--otlp-http-endpoint=127.0.0.1:{http}",
        "--exporter=otlp",
        "--otlp-exporter-protocol=http",
        f"--otlp-exporter-endpoint={upstream}",
    ]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            for port in (grpc, http):
                _await_port(port, process)
            yield Collector(f"http://127.0.0.1:{http}", f"http://127.0.0.1:{grpc}")
        finally:
            process.terminate()
            try:
                process.wait(10.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
