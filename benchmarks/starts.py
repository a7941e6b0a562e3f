"""The time from the start of a service to its first answer: with ten thousand files on disk, and without."""

from __future__ import annotations

import contextlib
import http.client
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from breaker_exporter._harness.processes import start_service
from breaker_exporter.testing import FaultyCollector

from .faults.disk.contents import write_batches
from .measure import CellFailed
from .results import Results
from .spreads import spread

FILES = 10_000
ROUNDS = 9
_PATIENCE = 60.0
"""Seconds."""
_ESTIMATE = 6.0
"""Seconds of a round, about: two starts, and the files that the one before has sent."""

Starts = list[tuple[float, float]]
"""For each round the seconds without files, and with them."""


def starts(rounds: int, collector: FaultyCollector, check: Callable[[], None]) -> Starts:
    """Return the seconds from the start of Gunicorn to its first answer, for each round.

    The collector is healthy, so that what lies on disk is sent from the start on. Each side goes first in
    every other round.

    Args:
        rounds: Number of rounds.
        collector: Gets what lies there.
        check: Called before each start; an exception of it ends the run.

    Raises:
        CellFailed: A service did not run.
    """
    found: Starts = []
    with tempfile.TemporaryDirectory(prefix="breaker-exporter-starts-") as name:
        folder = Path(name)
        sides = folder / "empty", folder / "full"
        _start(folder / "warm-up", sides[0], collector)
        for number in range(rounds):
            write_batches(sides[1], FILES - len(list(sides[1].rglob("*.batch"))))
            took = {}
            for side in sides if number % 2 else reversed(sides):
                check()
                took[side] = _start(folder / f"{side.name}-{number}", side, collector)
            found.append((took[sides[0]], took[sides[1]]))
    return found


def estimate(rounds: int) -> float:
    """Return the seconds that so many rounds take, about."""
    return rounds * _ESTIMATE


def said(found: Starts) -> str:
    """Return what :func:`starts` has returned, as text."""
    ratios = Results({"cells": {}, "starts": found}).starts()
    empty, full = zip(*found, strict=True)
    later = [(with_files - without) * 1000 for without, with_files in found]
    return (
        f"first answer with {FILES:,} files on disk / without: {spread(ratios)}\n"
        f"{spread(full)} s with them, {spread(empty)} s without: {spread(later)} ms later"
    )


def _start(folder: Path, kept: Path, collector: FaultyCollector) -> float:
    environment = {
        "BENCH_CONTENDER": "hooks",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base,
        "BREAKER_EXPORTER_RETAIN_DIRECTORY": str(kept),
    }
    began = time.monotonic()
    service, port = start_service(
        *(folder, environment, "benchmarks.service.conf", "benchmarks.service.app:app"),
        *("--worker-class", "gevent", "--workers", "1"),
    )
    with service:
        # It listens before Gunicorn starts: the request waits for the worker.
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)) as asked:
            try:
                asked.request("GET", "/")
                status = asked.getresponse().status
            except OSError as error:
                raise CellFailed(f"no answer: {error}\n{service.output}") from error
        took = time.monotonic() - began
        if status != http.client.OK:
            raise CellFailed(f"answered {status}\n{service.output}")
        return took
