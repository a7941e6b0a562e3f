"""The results as Markdown: targets first, ratios within a round, absolute figures as colour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from . import tables
from .contenders import ALL
from .results import Results
from .spreads import spread
from .table_of_signals import signals
from .targets import verdicts

_MISSING = "not installed"
"""The version that the store has of a package that is not installed."""


def markdown(data: Mapping[str, Any]) -> str:
    """Return the text of RESULTS.md."""
    return "\n".join(_lines(Results(data))) + "\n"


def _lines(results: Results) -> Iterator[str]:
    data = results.data
    versions = ", ".join(f"{name} {number}" for name, number in data["versions"].items())
    rounds = len(results.rounds())
    where = (
        "One Gunicorn worker on one core, load and collector on the other"
        if data.get("pinned", True)
        else "One Gunicorn worker, load and collector on the same cores"
    )
    yield from (
        "# Results",
        "",
        f"`{data['command']}`, {data['date']}, {data['cores']} cores; {versions}.",
        "",
        f"{rounds} rounds, all contenders in turn within each. {where}; "
        "ten spans a request; latency from the instant a request was due. Ratios are "
        "formed within a round; given are the median and, in brackets, the interval that holds the true "
        "median with 95 % confidence (below six rounds: least and greatest). A target is met where all of "
        "that is. "
        "Absolute times are of this machine and only colour. In outages ours has a timeout and a cooldown of "
        "1 s, so that failing and coming back fit into a cell; where the load grows it has its defaults. A "
        "request without an answer at the end counts with its age.",
        "",
    )
    if data["versions"].get("redis", _MISSING) != _MISSING:
        yield "redis was installed, which pybreaker loads: it is in the memory of all of ours."
        yield ""
    yield from _targets(results)
    yield from _contenders(results)
    yield "## gevent, 150 requests/s, blackhole"
    yield ""
    yield from tables.outage(results, "gevent", "blackhole")
    for fault in ("refuse", "drip"):
        yield from tables.titled_outage(results, f"gevent, 150 requests/s, {fault}", "gevent", fault)
    for worker in ("gthread", "sync"):
        yield from tables.titled_outage(results, f"{worker}, 60 requests/s, blackhole", worker, "blackhole")
    yield from tables.cost(results)
    yield from tables.growth(results)
    yield from tables.retention(results)
    yield from signals(results)
    yield from tables.single_steps(results)
    yield from _doubts(results)


def _targets(results: Results) -> Iterator[str]:
    yield from ("## Targets", "", "| figure | target | measured | |", "| --- | --- | --- | --- |")
    for verdict in verdicts(results):
        met = {True: "met", False: "**not met**", None: "not measured"}[verdict.met]
        yield (
            f"| {verdict.figure} | {verdict.target} | {spread(verdict.values)} "
            f"| {'' if verdict.target == 'stated' else met} |"
        )
    yield ""


def _contenders(results: Results) -> Iterator[str]:
    yield from ("## Contenders", "", "| name | what it is |", "| --- | --- |")
    for name, what in ALL.items():
        yield f"| `{name}` | {what} |"
    yield ""
    skipped = results.data["skipped"]
    for name in sorted({key.split("/")[-2] for key in skipped}):
        why = next(text for key, text in skipped.items() if key.split("/")[-2] == name)
        yield f"Not measured: `{name}`: {why}"
        yield ""


def _doubts(results: Results) -> Iterator[str]:
    cells = [cell for cell in results.cells.values() if cell["suite"] == "outage"]
    for what, prefix, where in (
        ("a request", "", cells),
        ("the hub's delay", "hub_", [cell for cell in cells if cell["worker"] == "gevent"]),
    ):
        healthy = [cell["phases"]["healthy"] for cell in where]
        if healthy and all(phase[f"{prefix}p99.9_ms"] == phase[f"{prefix}p100_ms"] for phase in healthy):
            yield f"p99.9 of {what} is the greatest of its phase, which has fewer than a thousand."
            yield ""
    if late := results.lateness():
        yield late
