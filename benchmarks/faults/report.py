"""The results as Markdown: a table of verdicts, and the figures behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from .conditions import FAULTY, HEALTHY, MAX_COOLDOWN, RATE, RECOVERING, SHUTDOWN_TIMEOUT, TIMEOUT
from .other_signals import OtherSignals
from .plan import COLUMNS
from .rows import ROWS

_METHOD = (
    "Each cell is a run on real processes: two Gunicorn services side by side, one with an exporter and one",
    f"without, {RATE:g} requests/s to each with ten spans each; {HEALTHY:g} s healthy, {FAULTY:g} s of the",
    f"fault, {RECOVERING:g} s healthy again; then SIGTERM. OTLP timeout {TIMEOUT:g} s, cooldown 1 to",
    f"{MAX_COOLDOWN:g} s, shutdown budget {SHUTDOWN_TIMEOUT:g} s.",
    "",
    "In a cell: p99 of the requests and the hub's longest delay, from the fault on, as ratios to the service",
    "without an exporter; seconds from the fault, and from the first failure, to the open circuit (`-`: it",
    "stayed closed); seconds from the end of the fault to the next delivered span (`-`: the service ended",
    "before); seconds that the service took to stop. An event of processes happens to both services, in the",
    "fault. **Broken**: a promise did not hold.",
    "",
    "On disk: with a directory to keep batches in. Its promises are judged by ids of spans: each that ended",
    "is at the collector or on disk, but for the last moments of a killed worker; what is lost is counted;",
    "where the disk cannot be used, the log says so once. EIO, a full quota, a disk that hangs and a wall",
    "clock that is set are made by a library loaded into both services, some by FUSE in the kernel besides.",
    "",
    "All signals: log records and metrics are exported too. The official exporters are beside to compare.",
)
_COUNTS = (
    "Spans: started by the application; dropped by the SDK's queue before any exporter; received by ours;",
    "exported, failed, refused and given up (kept, and lost all the same), which are those received; resent",
    "(nobody knew what had become of them); spooled to disk, recovered from it, left on it at the end; taken",
    "by the collector, more than exported where its answer was lost; duplicates; unfounded: taken over by",
    "our exporter and neither at the collector nor on disk, by ids.",
    "OpenTelemetry's own exporter, where it is wrapped, sends a batch again whose connection was lost, and",
    "takes a partial success for a whole one. The counts show that; it breaks no promise of ours. The counts",
    "of a killed worker are missing. Threads, descriptors and resident memory (MB): healthy, and at the end.",
)
_ABOUT_OTHERS = (
    "Log records that the application wrote; lost of them, by their sequence numbers; those that count as",
    "lost, as exported, as resent; different ones that the collector took, foreign ones too; duplicates;",
    "those that are none of the application's, with all loggers at DEBUG. Requests that the application",
    "counted, and what the collector has of that sum; workers of which it has another. The hub's longest",
    "delay and the end in seconds. What is killed or ends in the fault may lose what it holds in memory.",
)


def markdown(data: Mapping[str, Any]) -> str:
    """Return the text of RESULTS.md."""
    found = data["cells"]
    columns = [
        column.name for column in COLUMNS if any(cell["column"] == column.name for cell in found.values())
    ]
    versions = ", ".join(f"{name} {version}" for name, version in data["versions"].items())
    broken = [
        f"* {cell['row']}, {cell['column']}: {text}" for cell in found.values() for text in cell["broken"]
    ]
    lines = [
        "# The fault matrix",
        "",
        f"`{data['command']}`, {data['date']}, {data['cores']} cores; {versions}.",
        "",
        *_METHOD,
        "",
        "| fault | " + " | ".join(columns) + " |",
        "| --- |" + " --- |" * len(columns),
    ]
    for row in ROWS:
        cells = [found.get(f"{row.name} / {column}") for column in columns]
        if any(cells):
            lines.append(f"| {row.name} | " + " | ".join(map(_cell, cells)) + " |")
    lines += ["", f"{len(found)} cells, {len(broken)} promises broken.", "", *broken]
    lines += [f"* not measured here: {key}: {why}" for key, why in data.get("skipped", {}).items()]
    lines += ["", "## Where the spans went", "", *_spans(list(found.values()))]
    if others := [cell for cell in found.values() if cell.get("others")]:
        lines += ["", "## Where log records and metrics went", "", *_others(others)]
    return "\n".join(lines).rstrip() + "\n"


def _cell(cell: Mapping[str, Any] | None) -> str:
    if cell is None:
        return ""
    hub = "" if cell["gap_ratio"] is None else f" hub {cell['gap_ratio']:.1f},"
    opened = "-"
    if cell["opened_after"] is not None:
        opened = f"{cell['opened_after']:.1f} ({cell['failing_for']:.1f})"
    back = "-" if cell["delivered_after"] is None else f"{cell['delivered_after']:.1f}"
    text = f"p99 {cell['p99_ratio']:.1f},{hub} open {opened}, back {back}, end {cell['seconds_to_end']:.1f}"
    return f"**Broken**: {text}" if cell["broken"] else text


def _others(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    names = [each.name for each in fields(OtherSignals)]
    return [
        *_ABOUT_OTHERS,
        "",
        "| fault | way of running | " + " | ".join(names) + " | hub | end |",
        "| --- | --- |" + " --- |" * (len(names) + 2),
        *(
            f"| {cell['row']} | {cell['column']} | "
            + " | ".join(f"{cell['others'][name]:,}" for name in names)
            + f" | {cell['gap'] or 0:.2f} | {cell['seconds_to_end']:.1f} |"
            for cell in cells
        ),
    ]


def _spans(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    names = (
        *("started", "dropped", "received", "exported", "failed", "refused", "given_up", "resent"),
        *("spooled", "recovered", "left", "taken", "duplicates", "unfounded"),
    )
    return [
        *_COUNTS,
        "",
        "| fault | way of running | " + " | ".join(names) + " | threads | descriptors | memory |",
        "| --- | --- |" + " --- |" * (len(names) + 3),
        *(
            f"| {cell['row']} | {cell['column']} | "
            + " | ".join(f"{cell.get(name, 0):,}" for name in names)
            + f" | {' to '.join(map(str, cell['threads']))} | {' to '.join(map(str, cell['descriptors']))} | "
            + f"{' to '.join(f'{bytes_ / 1e6:.0f}' for bytes_ in cell['resident'])} |"
            for cell in cells
        ),
    ]
