"""One cell measured: collector, both services and the load up, through the phases, down again."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from breaker_exporter._harness.line_reader import LineReader
from breaker_exporter._harness.official import ALL_SIGNALS
from breaker_exporter._harness.processes import Child, start_load, start_service
from breaker_exporter.testing import FaultyCollector

from .cell import Cell, Column
from .conditions import OTHER_SIGNALS, RATE, SETTINGS
from .disk.contents import SERVICE
from .disk.journal import VARIABLE, ended_spans
from .front import NAME, Front
from .happenings import GRACE
from .observations import NONE, OURS, Observations
from .observer import LAST_ANSWERS, LOAD, Observer


def measure(cell: Cell, collector: FaultyCollector, check: Callable[[], None]) -> Observations:
    """Measure a cell; no process of it is left, even if it fails.

    Args:
        cell: The cell.
        collector: The collector that both services export to.
        check: Called many times a second; an exception of it ends the cell.

    Raises:
        CellFailed: A service or the load did not run.
    """
    collector.renew()
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="breaker-exporter-faults-")))
        disk = stack.enter_context(cell.disk((directory / "disk").resolve())) if cell.disk else None
        journal = directory / "journal"
        journal.mkdir()
        front, place = None, _place(cell.column, collector)
        before: tuple[str, ...] = ()
        if cell.row.front:
            front = stack.enter_context(Front(place, directory if cell.row.front == "tls" else None))
            place = front.port
        if front and cell.row.front == "name":
            from .names import Names

            before = stack.enter_context(Names(front, directory)).command
        environment = {**_environment(cell, place, directory), **(disk.environment if disk else {})}
        children, ports = {}, {}
        beside = {f"{OURS} {number}": name for number, name in enumerate(cell.row.beside, 2)}
        for name in (OURS, *beside, NONE):
            wiring = {"FAULTS_WIRING": cell.column.wiring if name != NONE else "none"}
            if cell.column.all_signals and wiring["FAULTS_WIRING"] == "hooks":
                wiring |= ALL_SIGNALS
            wiring["FAULTS_SERVICE"] = beside.get(name, SERVICE)
            if disk and name != NONE:
                wiring[VARIABLE] = str(journal)
            threads = "4" if cell.column.worker == "gthread" else "1"
            child, ports[name] = service(
                *(directory / name, {**environment, **wiring}, cell.column.worker),
                *("--workers", str(cell.row.workers), "--threads", threads),
                before=before,
            )
            children[name] = stack.enter_context(child)
        load = stack.enter_context(start_load(directory / "load", ports, RATE, cell.row.load, LAST_ANSWERS))
        lines = {name: child.lines for name, child in {**children, LOAD: load}.items()}
        reader = stack.enter_context(LineReader(lines))
        observer = Observer(cell, collector, front, children, ports, load, reader, check, disk)
        raw = observer.observe()
        raw.ended = ended_spans(journal)
        return raw


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
        **(OTHER_SIGNALS if cell.column.all_signals else {}),
    }


def service(
    directory: Path,
    environment: dict[str, str],
    worker: str,
    *arguments: str,
    before: tuple[str, ...] = (),
) -> tuple[Child, int]:
    """Start Gunicorn with this matrix's application; return its process and its port."""
    return start_service(directory, environment, *gunicorn_for(worker), *arguments, before=before)


def gunicorn_for(worker: str) -> tuple[str, ...]:
    """Return configuration, application and arguments of Gunicorn."""
    return (
        *("benchmarks.faults.service", "benchmarks.faults.app:app"),
        *("--worker-class", worker, "--graceful-timeout", str(GRACE)),
    )
