"""The results as Markdown: targets first, ratios within a round, absolute figures as colour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .plan import ALL
from .spreads import spread
from .targets import Results, verdicts

_LATE = 5.0
"""Milliseconds by which a load may be late before its cell is said to be doubtful."""


_MISSING = "not installed"
"""As the store has the version of a package that is not there."""


def markdown(data: Mapping[str, Any]) -> str:
    """All of RESULTS.md."""
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
    yield from _outage(results, "gevent", "blackhole")
    for fault in ("refuse", "drip"):
        yield from _section(results, f"gevent, 150 requests/s, {fault}", "gevent", fault)
    for worker in ("gthread", "sync"):
        yield from _section(results, f"{worker}, 60 requests/s, blackhole", worker, "blackhole")
    yield from _cost(results)
    yield from _growth(results)
    yield from _micro(results)
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


def _section(results: Results, title: str, worker: str, fault: str) -> Iterator[str]:
    lines = list(_outage(results, worker, fault))
    if lines:
        yield from (f"## {title}", "", *lines)


def _outage(results: Results, worker: str, fault: str) -> Iterator[str]:
    names = [
        name
        for name in ALL
        if any(results.cell(name, number, worker=worker, fault=fault) for number in results.rounds())
    ]
    if not names:
        return

    def values(name: str, phase: str, figure: str) -> list[float]:
        found = (
            results.figure(name, number, phase, figure, worker=worker, fault=fault)
            for number in results.rounds()
        )
        return [value for value in found if value is not None]

    def cells(name: str, figure: str) -> list[float]:
        found = (results.cell(name, number, worker=worker, fault=fault) for number in results.rounds())
        return [cell[figure] for cell in found if cell and cell[figure] is not None]

    yield "Healthy:"
    yield ""
    yield from _table(
        (
            "",
            "request p50 ms",
            "p99 ms",
            "p99.9 ms",
            "hub p99 ms",
            "hub p99.9 ms",
            "hub max ms",
            "CPU %",
            "MB",
        ),
        (
            (
                f"`{name}`",
                *(spread(values(name, "healthy", figure)) for figure in ("p50_ms", "p99_ms", "p99.9_ms")),
                *(
                    spread(values(name, "healthy", f"hub_p{part}_ms")) if worker == "gevent" else "-"
                    for part in ("99", "99.9", "100")
                ),
                spread(100 * value for value in values(name, "healthy", "cpu")),
                spread(cells(name, "resident_mb")),
            )
            for name in names
        ),
    )
    yield "In the fault, and recovering:"
    yield ""
    yield from _table(
        (
            *("", "request p99 ms", "request max ms", "largest hub gap ms", "CPU % when open", "s to open"),
            *("p99 ms recovering", "s to first span", "spans started", "delivered"),
        ),
        (
            (
                f"`{name}`",
                *(spread(values(name, "fault", figure)) for figure in ("p99_ms", "p100_ms")),
                spread(
                    gap
                    for number in results.rounds()
                    if (gap := results.largest_gap(name, number, worker=worker, fault=fault)) is not None
                )
                if worker == "gevent"
                else "-",
                spread(100 * value for value in values(name, "open", "cpu")),
                spread(cells(name, "seconds_to_open")),
                spread(values(name, "recovering", "p99_ms")),
                spread(cells(name, "seconds_to_recover")),
                spread(cells(name, "spans_started")),
                spread(cells(name, "spans_delivered")),
            )
            for name in names
        ),
    )


def _cost(results: Results) -> Iterator[str]:
    cells = [cell for cell in results.cells.values() if cell["suite"] == "cost"]
    names = [name for name in ALL if any(cell["contender"] == name for cell in cells)]
    if not names:
        return
    rounds = len({cell["round"] for cell in cells})
    seconds = cells[0]["seconds"][0]
    yield from (
        "## CPU of exporting",
        "",
        f"gevent, 150 requests/s, healthy; CPU time of the worker's process over {seconds:g} s, in {rounds} "
        "rounds. The heartbeat that feels the hub is off. Exporting is what is above no exporter in the same "
        "round.",
        "",
    )
    yield from _table(
        ("", "CPU %", "of that, exporting"),
        (
            (
                f"`{name}`",
                spread(
                    100 * cell["phases"]["healthy"]["cpu"]
                    for cell in cells
                    if cell["contender"] == name and cell["phases"]["healthy"]["cpu"] is not None
                ),
                "-"
                if name == "none"
                else spread(
                    100 * cost
                    for number in results.rounds()
                    if (cost := results.cost(name, number)) is not None
                ),
            )
            for name in names
        ),
    )


def _growth(results: Results) -> Iterator[str]:
    steps = {
        name: [step for number in results.rounds() for step in results.growth(name, number)] for name in ALL
    }
    names = [name for name, found in steps.items() if found]
    if not names:
        return
    rates = sorted({rate for name in names for rate, _, _ in steps[name]})
    yield from (
        "## Growth",
        "",
        "Request p99 in ms, gevent, healthy, by spans/s offered. Doubling at the first step "
        "or at the last is a bound: it may come earlier, or not at all.",
        "",
    )
    yield from _table(
        ("", *(f"{rate:,.0f}" for rate in rates), "doubles at, spans/s"),
        (
            (
                f"`{name}`",
                *(
                    spread(
                        p99
                        for number in results.rounds()
                        for step, p99, _ in results.growth(name, number)
                        if step == rate
                    )
                    for rate in rates
                ),
                "-"
                if name == "none"
                else spread(
                    at for number in results.rounds() if (at := results.doubles_at(name, number)) is not None
                ),
            )
            for name in names
        ),
    )


def _micro(results: Results) -> Iterator[str]:
    if results.data["micro"]:
        yield from ("## Single steps", "")
        yield from _table(
            ("step", "µs"),
            ((f"`{name}`", f"{seconds * 1e6:.3g}") for name, seconds in results.data["micro"].items()),
        )


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
    late = [cell["key"] for cell in results.cells.values() if cell["load_late_ms"] > _LATE]
    if late:
        yield (
            f"In {len(late)} of {len(results.cells)} cells the load sent a request more than {_LATE:g} ms "
            "late at least once; such a request waits longer than it should, in all contenders alike."
        )


def _table(head: Sequence[str], rows: Iterator[Sequence[str]] | Any) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""
