"""One cell measured: collector, both services and the load up, through the phases, down again."""

from __future__ import annotations

import contextlib
import http.client
import os
import selectors
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from breaker_exporter._harness.pipe import Lines
from breaker_exporter._harness.processes import Child, start_load, start_service
from breaker_exporter.testing import Fault, FaultyCollector

from ..measure import CellFailed
from .front import NAME, Front, Fronting
from .plan import FAULTY, HEALTHY, RATE, RECOVERING, SETTINGS, WARM_UP, Cell, Column, Event, Step

OURS, NONE = "ours", "none"
_READ_EVERY = 0.1
"""Seconds between two readings of the collector's counts."""
_LAST_ANSWERS = 5.0
"""Seconds that the load waits for answers after its last request."""
_UNDER_WAY = 0.3
"""Seconds after which a request is in the application."""
_GRACE = 10
"""Seconds that Gunicorn gives a worker which was told to stop."""


@dataclass(slots=True)
class Service:
    """The observations of one of the two services; times in seconds from the start of the first phase."""

    latencies: dict[int, tuple[float, int]] = field(default_factory=dict)
    """By the number of the request: when it was answered after it was due, and its status."""
    gaps: list[tuple[float, float]] = field(default_factory=list)
    """The longest delay of the hub until then."""
    changes: list[tuple[float, str]] = field(default_factory=list)
    failed: list[tuple[float, int]] = field(default_factory=list)
    """Spans that had failed by then."""
    first: dict[str, Any] = field(default_factory=dict)
    latest: dict[str, Any] = field(default_factory=dict)
    lasts: list[dict[str, Any]] = field(default_factory=list)
    """The last words of its workers."""
    told: int | None = None
    """Status of the request that told the application of the event; 0: no answer."""
    returncode: int | None = None
    seconds_to_end: float = 0.0


@dataclass(slots=True)
class Raw:
    """The observations of a cell."""

    cell: Cell
    services: dict[str, Service] = field(default_factory=lambda: {OURS: Service(), NONE: Service()})
    delivered: list[tuple[float, int]] = field(default_factory=list)
    """Spans that the collector holds, each once."""
    taken: frozenset[str] = frozenset()
    """Ids."""
    duplicates: int = 0
    output: str = ""


def measure(cell: Cell, collector: FaultyCollector, check: Callable[[], None]) -> Raw:
    """Measure a cell; no process of it is left, even if it fails.

    Raises:
        CellFailed: A service or the load did not run.
    """
    collector.renew()
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="breaker-exporter-faults-")))
        front, place = None, _place(cell.column, collector)
        before: tuple[str, ...] = ()
        if cell.row.front:
            front = stack.enter_context(Front(place, directory if cell.row.front == "tls" else None))
            place = front.port
        if front and cell.row.front == "name":
            from .names import Names

            before = stack.enter_context(Names(front, directory)).command
        environment = _environment(cell, place, directory)
        children, ports = {}, {}
        for name in (OURS, NONE):
            wiring = {"FAULTS_WIRING": cell.column.wiring if name == OURS else "none"}
            threads = "4" if cell.column.worker == "gthread" else "1"
            child, ports[name] = service(
                *(directory / name, {**environment, **wiring}, cell.column.worker),
                *("--workers", "1", "--threads", threads),
                before=before,
            )
            children[name] = stack.enter_context(child)
        load = stack.enter_context(start_load(directory / "load", ports, RATE, cell.row.load, _LAST_ANSWERS))
        return _Observer(cell, collector, front, children, ports, load, check).observe()


def _place(column: Column, collector: FaultyCollector) -> int:
    endpoint = collector.grpc_endpoint if column.protocol == "grpc" else collector.http_base
    port = urlsplit(endpoint).port
    assert port is not None
    return port


def _environment(cell: Cell, place: int, directory: Path) -> dict[str, str]:
    is_tls = cell.row.front == "tls"
    host = NAME if cell.row.front == "name" else "127.0.0.1"
    return {
        **SETTINGS,
        **cell.row.environment,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http{'s' if is_tls else ''}://{host}:{place}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc" if cell.column.protocol == "grpc" else "http/protobuf",
        **({"OTEL_EXPORTER_OTLP_CERTIFICATE": str(directory / "authority.pem")} if is_tls else {}),
        "FAULTS_PRELOAD": "1" if cell.column.preload else "",
        "FAULTS_INIT_GEVENT": "1" if cell.column.init_gevent else "",
        "FAULTS_CLAIMS": "1",
    }


def service(
    directory: Path,
    environment: dict[str, str],
    worker: str,
    *arguments: str,
    before: tuple[str, ...] = (),
) -> tuple[Child, int]:
    """Gunicorn with this matrix's application, and its port."""
    return start_service(
        *(directory, environment, "benchmarks.faults.service", "benchmarks.faults.app:app"),
        *("--worker-class", worker, "--graceful-timeout", str(_GRACE), *arguments),
        before=before,
    )


class _Observer:
    def __init__(
        self,
        cell: Cell,
        collector: FaultyCollector,
        front: Front | None,
        children: dict[str, Child],
        ports: dict[str, int],
        load: Child,
        check: Callable[[], None],
    ) -> None:
        self._raw = Raw(cell)
        self._row = cell.row
        self._ports = ports
        self._collector = collector
        self._front = front
        self._children = children
        self._load = load
        self._check = check
        self._start = 0.0
        self._looked = 0.0
        self._tellers: list[threading.Thread] = []

    def observe(self) -> Raw:
        with self._listening() as selector:
            while not self._start:
                self._pump(selector)
            self._until(selector, HEALTHY)
            for step in self._row.steps:
                self._until(selector, HEALTHY + step.at)
                self._switch(step)
                if step.requests:
                    self._until_requests(selector, step.requests)
            if self._row.event:
                self._until(selector, HEALTHY + self._row.at)
                self._happen(self._row.event)
                self._until(selector, HEALTHY + self._row.at + _UNDER_WAY)
            if not self._row.ends:
                self._until(selector, HEALTHY + FAULTY)
                self._switch(Step(Fronting.RELAY if self._front else Fault.NONE))
                self._until(selector, HEALTHY + FAULTY + RECOVERING)
            deadline = time.monotonic() + _LAST_ANSWERS + 2
            while not self._load.ended and time.monotonic() < deadline:
                self._pump(selector)
            self._stop(selector)
        for told in self._tellers:
            told.join()
        self._raw.taken, self._raw.duplicates = self._collector.span_ids, self._collector.duplicates
        self._raw.output = self._children[OURS].output
        return self._raw

    def _switch(self, step: Step) -> None:
        if isinstance(step.fault, Fault):
            self._collector.set_fault(step.fault, connections=step.connections, **step.settings_now())  # type: ignore[arg-type]
        else:
            assert self._front is not None
            self._front.switch(step.fault)

    def _until_requests(self, selector: selectors.DefaultSelector, more: int) -> None:
        wanted = self._collector.counts().requests + more
        while time.monotonic() < self._start + HEALTHY + FAULTY:
            self._pump(selector)
            if self._collector.counts().requests >= wanted:
                break

    def _happen(self, event: Event) -> None:
        for name, service in self._raw.services.items():
            if event is Event.KILL:
                os.kill(service.latest["pid"], signal.SIGKILL)
            elif event.path:
                teller = threading.Thread(target=_tell, args=(self._ports[name], event.path, service))
                teller.start()
                self._tellers.append(teller)

    def _stop(self, selector: selectors.DefaultSelector) -> None:
        """Both, as an orchestrator does; ours is timed."""
        self._pump(selector)
        for name, child in self._children.items():
            service = self._raw.services[name]
            begun = time.monotonic()
            child.send(signal.SIGQUIT if self._row.event is Event.QUIT else signal.SIGTERM)
            while not child.ended and time.monotonic() < begun + _GRACE + 5:
                self._pump(selector, ending=True)
            service.seconds_to_end = time.monotonic() - begun
            service.returncode = child.returncode
        self._pump(selector, ending=True)

    @contextlib.contextmanager
    def _listening(self) -> Iterator[selectors.DefaultSelector]:
        with selectors.DefaultSelector() as selector:
            for name, child in {**self._children, "load": self._load}.items():
                selector.register(child.lines, selectors.EVENT_READ, name)
            yield selector

    def _until(self, selector: selectors.DefaultSelector, moment: float) -> None:
        while time.monotonic() < self._start + moment:
            self._pump(selector)

    def _pump(self, selector: selectors.DefaultSelector, *, ending: bool = False) -> None:
        self._check()
        if not ending and (self._load.failed or any(child.ended for child in self._children.values())):
            said = "\n".join(child.output for child in (*self._children.values(), self._load))
            raise CellFailed(f"{self._raw.cell.key}:\n{said}")
        for key, _ in selector.select(0.02):
            lines = key.fileobj
            assert isinstance(lines, Lines)
            said_now = lines.read()
            if said_now is None:
                selector.unregister(lines)
            for line in said_now or ():
                self._take(key.data, line)
        if self._start and time.monotonic() - self._looked >= _READ_EVERY:
            self._looked = time.monotonic()
            counts = self._collector.counts()
            self._raw.delivered.append((self._looked - self._start, counts.spans - counts.duplicates))

    def _take(self, name: str, line: dict[str, Any]) -> None:
        kind = line["kind"]
        if kind == "load":
            self._start = line["start"] + WARM_UP
        elif kind == "requests":
            for target, index, latency, status in line["done"]:
                self._raw.services[target].latencies[index] = (latency, status)
        else:
            service = self._raw.services[name]
            at = line["at"] - self._start
            if kind == "last":
                service.lasts.append(line)
            elif self._start and kind == "change":
                service.changes.append((at, line["new"]))
            elif self._start:
                service.latest = line
                service.failed.append((at, (line["health"] or {}).get("failed", 0)))
                if line["gap"] is not None:
                    service.gaps.append((at, line["gap"]))
                if at <= HEALTHY:
                    service.first = line


def _tell(port: int, path: str, service: Service) -> None:
    service.told = 0
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_GRACE)
        connection.request("GET", path, headers={"Connection": "close"})
        service.told = connection.getresponse().status
        connection.close()
