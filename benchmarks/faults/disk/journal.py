"""The journal of a worker: the ids of all spans that ended there, each before anything is done with it.

A file for each process, written to with each request, so that it also speaks for a worker that was killed.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

VARIABLE = "FAULTS_JOURNAL"
"""Variable with the folder."""


class Journal(SpanProcessor):
    """Notes each span when it ends, and writes when a request's own span does.

    A worker makes it after its fork.
    """

    def __init__(self) -> None:
        path = os.path.join(os.environ[VARIABLE], f"{os.getpid()}")
        self._noted: list[str] = []
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def on_end(self, span: ReadableSpan) -> None:
        context = span.get_span_context()
        if context is not None and context.trace_flags.sampled:
            self._noted.append(f"{context.span_id:016x} {time.monotonic():.3f}\n")
        if span.parent is None:
            noted, self._noted = self._noted, []
            os.write(self._file, "".join(noted).encode())


@dataclass(frozen=True, slots=True)
class Ended:
    """A span that ended.

    Attributes:
        pid: Of its process.
        at: Monotonic seconds.
    """

    pid: int
    at: float


def ended_spans(folder: Path) -> dict[str, Ended]:
    """Return what all journals in a folder have, by the span's id."""
    found = {}
    for path in folder.iterdir():
        for line in path.read_text().splitlines():
            span_id, at = line.split()
            found[span_id] = Ended(int(path.name), float(at))
    return found
