"""The backends that contenders export to, and how their fault is switched."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from breaker_exporter.testing import Fault, FaultyCollector

from .contenders import LOSING_UPSTREAM
from .rotel import agent, rotel

_NICE = 15


class Backend(Protocol):
    """A backend of one cell."""

    @property
    def environment(self) -> dict[str, str]:
        """Variables that point a service at it."""

    def switch(self, fault: str) -> None:
        """Switch to this fault, or to ``none``."""

    def delivered(self) -> int | None:
        """Return the number of different spans taken so far; ``None`` where it does not answer."""


class _Collector:
    def __init__(self, collector: FaultyCollector, contender: str, endpoint: str | None = None) -> None:
        self._collector = collector
        self._endpoint = endpoint
        self._is_grpc = "grpc" in contender
        self._is_agent = contender.endswith("agent")

    @property
    def environment(self) -> dict[str, str]:
        own = self._collector.grpc_endpoint if self._is_grpc else self._collector.http_base
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self._endpoint or own,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc" if self._is_grpc else "http/protobuf",
        }

    def switch(self, fault: str) -> None:
        if fault == "blackhole" and self._is_agent:
            self._collector.set_fault(Fault.STATUS, status=503, retry_after=1)
        else:
            self._collector.fault = Fault(fault)

    def delivered(self) -> int | None:
        counts = self._collector.counts()
        return counts.spans - counts.duplicates


class _Sentry:
    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        self._base = f"127.0.0.1:{port}"
        self._stopped = False

    @property
    def environment(self) -> dict[str, str]:
        return {"BENCH_DSN": f"http://key@{self._base}/1"}

    def switch(self, fault: str) -> None:
        self._stopped = fault != "none"
        self._process.send_signal(signal.SIGSTOP if self._stopped else signal.SIGCONT)

    def delivered(self) -> int | None:
        if self._stopped:
            return None
        with urllib.request.urlopen(f"http://{self._base}/", timeout=5) as answer:
            return int(answer.read())


@contextlib.contextmanager
def backend_for(contender: str, collector: FaultyCollector, directory: Path) -> Iterator[Backend]:
    """Run a backend that has received nothing yet.

    Args:
        contender: What exports to it.
        collector: The collector, if the contender's backend is one or has one upstream.
        directory: An existing directory for its files.
    """
    if contender != "sentry-otlp":
        collector.renew()
        with urllib.request.urlopen(f"{collector.control_url}/state", timeout=5) as state:
            _give_way(json.load(state)["pid"])
        if contender not in LOSING_UPSTREAM:
            yield _Collector(collector, contender)
            return
        with _rotel(collector, directory) as endpoint:
            yield _Collector(collector, contender, endpoint)
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.intake", str(port), str(os.getpid())],
        env=environment,
        start_new_session=True,  # so that Ctrl-C reaches the benchmark alone, which then ends this process
    )
    _give_way(process.pid)
    try:
        sentry = _Sentry(process, port)
        for _ in range(200):
            with contextlib.suppress(OSError):
                sentry.delivered()
                break
            time.sleep(0.05)
        yield sentry
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _rotel(upstream: FaultyCollector, directory: Path) -> Iterator[str]:
    """Run a collector in front of `upstream`; yield its endpoint."""
    program = agent()
    if program is None:
        raise ModuleNotFoundError("rotel is not installed", name="rotel")
    folder = directory / "rotel"
    folder.mkdir()
    # A priority that is set later is that of one thread, and this collector has many.
    with rotel(program, upstream.http_base, folder, before=("nice", "-n", str(_NICE))) as endpoints:
        yield endpoints.http


def _give_way(pid: int) -> None:
    """Lower the priority of a backend: the load, which times requests, runs on the same core."""
    os.setpriority(os.PRIO_PROCESS, pid, _NICE)
