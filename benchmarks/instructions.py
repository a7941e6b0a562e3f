"""Counts of the instructions that encoding and sending a batch executes: the same on a busy machine.

Counted by ``perf stat`` where the machine lets it, else by valgrind's cachegrind. A step runs in a process of
its own, once with a few batches and once with more; the difference for one batch has no share of imports
and start-up. `PYTHONHASHSEED` is fixed, so that two runs agree.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from breaker_exporter.testing import FaultyCollector

from .batches import ITEMS, log_records, repeating, varied
from .series import usual
from .session import session

_FEW, _MORE = 2, 8
"""Batches in the two runs of a step."""
_ROOT = Path(__file__).parent.parent
_PERF = ("perf", "stat", "-x,", "-e", "instructions:u")
_VALGRIND = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")


class CannotCount(RuntimeError):
    """Nothing on this machine counts instructions, or a step failed; the text says which."""


def _encode_direct(batches: int, kind: Callable[[], Sequence[object]]) -> None:
    from breaker_exporter.otlp._encode.spans import encode_spans

    spans = kind()
    for _ in range(batches):
        encode_spans(spans, 0, lambda: None)  # type: ignore[arg-type]


def _encode_official(batches: int, kind: Callable[[], Sequence[object]]) -> None:
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    spans = kind()
    for _ in range(batches):
        encode_spans(spans).SerializeToString()  # type: ignore[arg-type]


def _encode_log_records(batches: int) -> None:
    from breaker_exporter.otlp._encode.log_records import encode_log_records

    records = log_records()
    for _ in range(batches):
        encode_log_records(records, 0, lambda: None)


def _encode_log_records_officially(batches: int) -> None:
    from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs

    records = log_records()
    for _ in range(batches):
        encode_logs(records).SerializeToString()


def _encode_metrics(batches: int) -> None:
    from breaker_exporter.otlp._encode.metrics import encode_metrics

    metrics_data = usual(ITEMS)
    for _ in range(batches):
        encode_metrics(metrics_data, 0, lambda: None)


def _encode_metrics_officially(batches: int) -> None:
    from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics

    metrics_data = usual(ITEMS)
    for _ in range(batches):
        encode_metrics(metrics_data).SerializeToString()


def _export_http(batches: int, kind: Callable[[], Sequence[object]]) -> None:
    from breaker_exporter import Verdict
    from breaker_exporter.otlp import CooperativeOTLPSpanExporter

    exporter, spans = CooperativeOTLPSpanExporter(os.environ["BENCH_ENDPOINT"], timeout=60), kind()
    for _ in range(batches):
        report = exporter.export_and_report(spans)  # type: ignore[arg-type]
        if report.verdict is not Verdict.DELIVERED:
            raise SystemExit(report.reason)


STEPS: dict[str, Callable[[int], None]] = {
    "encode": lambda batches: _encode_direct(batches, repeating),
    "encode-varied": lambda batches: _encode_direct(batches, varied),
    "encode-official": lambda batches: _encode_official(batches, repeating),
    "encode-official-varied": lambda batches: _encode_official(batches, varied),
    "encode-logs": _encode_log_records,
    "encode-official-logs": _encode_log_records_officially,
    "encode-metrics": _encode_metrics,
    "encode-official-metrics": _encode_metrics_officially,
    "export-http": lambda batches: _export_http(batches, repeating),
}
"""The counted steps by name; each makes its items, then encodes or exports them the given number of times."""


def counts(steps: Sequence[str], check: Callable[[], None]) -> str:
    """Return the instructions that a batch executes in each step, as Markdown.

    Args:
        steps: Some of `STEPS`.
        check: Called a few times a second; an exception of it ends the run.

    Raises:
        CannotCount: Nothing here counts instructions, or a step failed.
    """
    counter = _counter()
    lines = [
        f"Instructions for a batch of {ITEMS} items, by {counter[0]}; Python {sys.version.split()[0]}.",
        "",
        "| step | instructions | an item |",
        "| --- | --- | --- |",
    ]
    with session() as collector:
        for step in steps:
            few, more = (_count(counter, step, batches, collector, check) for batches in (_FEW, _MORE))
            batch = (more - few) / (_MORE - _FEW)
            lines.append(f"| `{step}` | {batch:,.0f} | {batch / ITEMS:,.0f} |")
            print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines)


def _counter() -> Sequence[str]:
    if shutil.which("perf"):
        tried = subprocess.run([*_PERF, "true"], capture_output=True, text=True, check=False)
        if re.match(r"\d+,", tried.stderr):
            return _PERF
    if shutil.which("valgrind"):
        return _VALGRIND
    raise CannotCount("neither perf nor valgrind counts instructions here: install valgrind")


def _count(
    counter: Sequence[str], step: str, batches: int, collector: FaultyCollector, check: Callable[[], None]
) -> int:
    check()
    environment = {**os.environ, "PYTHONHASHSEED": "0", "BENCH_ENDPOINT": collector.http_endpoint}
    command = [*counter, sys.executable, "-m", "benchmarks.instructions", step, str(batches)]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            command, cwd=_ROOT, env=environment, stdout=said, stderr=said, start_new_session=True
        )
        try:
            while process.poll() is None:
                check()
                try:
                    process.wait(0.2)
                except subprocess.TimeoutExpired:
                    pass
        finally:
            process.kill()
            process.wait()
        said.seek(0)
        text = said.read()
    found = re.search(r"^(\d+),.*instructions|I\s+refs:\s+([\d,]+)", text, re.MULTILINE)
    if process.returncode or not found:
        raise CannotCount(f"{step}: status {process.returncode}\n{text}")
    return int((found[1] or found[2]).replace(",", ""))


if __name__ == "__main__":
    STEPS[sys.argv[1]](int(sys.argv[2]))
