"""Real Gunicorns that keep on disk, the load on them, and what became of each span."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from breaker_exporter._spool.record import Record

from .._gunicorn import GunicornService

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from breaker_exporter.testing import FaultyCollector

QUEUE = 0.2
"""Seconds that a span waits in the SDK's queue."""
WRITTEN_WITHIN = 1.0
"""Seconds from then on in which it is on disk (K8)."""
_LARGEST = 1 << 16

APP = """
import os, time
from opentelemetry import trace

tracer = trace.get_tracer("shop")
journal = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

def app(environ, start_response):
    with tracer.start_as_current_span("sell") as span:
        time.sleep(0.1)
    ended = f"{span.get_span_context().span_id:016x} {os.getpid()} {os.getppid()} {time.monotonic()}\\n"
    os.write(journal, ended.encode())
    start_response("200 OK", [])
    return [b""]
"""
CONF = """
import dataclasses, json, os
from breaker_exporter.gunicorn import hooks
from breaker_exporter.telemetry import Telemetry

telemetry = Telemetry()
post_fork, post_worker_init, _end = hooks(telemetry)

def worker_exit(server, worker):
    exporters = telemetry.exporters
    _end(server, worker)
    for exporter in exporters:
        path = os.path.join(os.environ["HEALTHS"], str(os.getpid()))
        with open(path + ".new", "w") as file:
            json.dump(dataclasses.asdict(exporter.health()), file, default=str)
        os.rename(path + ".new", path)
"""


@dataclass(frozen=True)
class Ended:
    """A span that ended: its worker, that worker's master, and monotonic seconds."""

    worker: int
    master: int
    at: float


class Shop:
    """A service that keeps on disk, all of whose Gunicorns write to one journal.

    Args:
        folder: An empty one.
    """

    def __init__(self, folder: Path) -> None:
        self.kept = folder / "kept"
        self.kept.mkdir(mode=0o700)
        self._journal = folder / "journal"
        self._journal.touch()
        self._healths = folder / "healths"
        self._healths.mkdir()

    def gunicorn(self, endpoint: str, *args: str, env: dict[str, str] | None = None) -> GunicornService:
        """A Gunicorn with gevent workers, each of which serves one request at a time: so all get some."""
        settings = {
            "JOURNAL": str(self._journal),
            "HEALTHS": str(self._healths),
            "OTEL_SERVICE_NAME": "shop",
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPORTER_OTLP_TIMEOUT": "2",
            "OTEL_BSP_SCHEDULE_DELAY": str(int(QUEUE * 1000)),
            "BREAKER_EXPORTER_RETAIN_DIRECTORY": str(self.kept),
            "BREAKER_EXPORTER_FAILURE_THRESHOLD": "1",
            "BREAKER_EXPORTER_COOLDOWN": "0.5",
            "BREAKER_EXPORTER_MAX_COOLDOWN": "1",
            **(env or {}),
        }
        # The script, which a new master is started by; python -m gunicorn would find other modules then.
        command = [str(Path(sys.executable).with_name("gunicorn"))]
        one_at_a_time = ["-k", "gevent", "--worker-connections", "1", "--preload"]
        return GunicornService(APP, conf=CONF, command=command, env=settings, args=[*one_at_a_time, *args])

    @property
    def ended(self) -> dict[str, Ended]:
        """All spans that ended so far, by their ids."""
        lines = (line.split() for line in self._journal.read_text().splitlines())
        return {each: Ended(int(worker), int(master), float(at)) for each, worker, master, at in lines}

    @property
    def files(self) -> list[Path]:
        """The batches that lie on disk."""
        return list(self.kept.rglob("*.batch"))

    @property
    def items_on_disk(self) -> int:
        """The number of spans in them."""
        found = 0
        for path in self.files:
            with contextlib.suppress(FileNotFoundError):  # sent meanwhile
                found += Record.parsed(path.read_bytes()).items
        return found

    @property
    def healths(self) -> dict[int, dict[str, object]]:
        """The last health of each worker that ended well, by its process id."""
        return {int(path.name): json.loads(path.read_text()) for path in self._healths.glob("*[0-9]")}

    def sums(self) -> Counter[str]:
        """The counts of these, over all workers."""
        found: Counter[str] = Counter()
        for health in self.healths.values():
            found.update({name: value for name, value in health.items() if isinstance(value, int)})
        return found


class Load:
    """Threads that ask a service without end; leaving the context ends them.

    Args:
        service: What is asked.
        threads: Number of requests at a time.

    Attributes:
        slowest: Seconds that the slowest answer took, until it is set to 0 again.
    """

    def __init__(self, service: GunicornService, threads: int) -> None:
        self._service = service
        self.slowest = 0.0
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._is_over.is_set():
            # A worker that ends may not answer any more, and none that is killed does.
            with contextlib.suppress(OSError, AssertionError, http.client.HTTPException):
                began = time.monotonic()
                self._service.get(timeout=10.0)
                self.slowest = max(self.slowest, time.monotonic() - began)
                continue
            self._is_over.wait(0.05)


class Relay:
    """A port before a collector that can be shut, and counts the requests that are out at a time.

    Shut, it refuses connections.

    Args:
        collector: Gets what comes in, by HTTP.

    Attributes:
        endpoint: The URL, for exporters.
        requests: Number of requests so far.
        most_at_a_time: The largest number of requests that were out at a time.
    """

    def __init__(self, collector: FaultyCollector) -> None:
        host, _, port = collector.http_base.removeprefix("http://").partition(":")
        self._to = host, int(port)
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._out: set[socket.socket] = set()
        self._open: set[socket.socket] = set()
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests = self.most_at_a_time = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def open(self) -> None:
        """Accept connections from now on."""
        self._listener.listen(128)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._to) as server:
            self._open |= {client, server}
            answers = threading.Thread(
                target=self._pass_on, args=[server, client, self._answered], daemon=True
            )
            answers.start()
            self._pass_on(client, server, self._asked)
            answers.join()
            self._answered(client)

    def _pass_on(
        self, source: socket.socket, to: socket.socket, seen: Callable[[socket.socket], None]
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_LARGEST):
                seen(source if seen == self._asked else to)
                to.sendall(data)
        with contextlib.suppress(OSError):
            to.shutdown(socket.SHUT_RDWR)

    def _asked(self, client: socket.socket) -> None:
        with self._lock:
            self.requests += client not in self._out  # a request may come in parts
            self._out.add(client)
            self.most_at_a_time = max(self.most_at_a_time, len(self._out))

    def _answered(self, client: socket.socket) -> None:
        with self._lock:
            self._out.discard(client)


def kill_all(service: GunicornService) -> float:
    """Kill the master and all workers at once; return the monotonic seconds before that."""
    before = time.monotonic()
    os.killpg(service.pid, signal.SIGKILL)
    return before


def lost_too_late(shop: Shop, arrived: frozenset[str], killed: float, busy: float) -> set[str]:
    """Return the spans that are missing, though they had ended long enough before a kill.

    Args:
        shop: All that ended.
        arrived: Ids of spans.
        killed: Monotonic seconds.
        busy: Seconds that anything may take longer on this machine.
    """
    ended, last = shop.ended, killed - QUEUE - WRITTEN_WITHIN - busy
    return {each for each in ended.keys() - arrived if ended[each].at < last}
